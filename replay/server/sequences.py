"""The recorded answers to one thing that is asked for, and which of them comes next."""

from __future__ import annotations

import random
from array import array
from bisect import bisect_right
from collections import deque

from perfscan.replay.keys import Key
from perfscan.replay.model import MatchMode

_NONE = -1


class AnswerSequence:
    """Where the answers to one key are kept, in the order of the requests; 33 bytes for each.

    Modes: ``sequence`` gives the n-th request the n-th answer, then the last successful one goes
    on standing; with ``last`` it is the last one, whatever it says; with ``by-time`` the answer is
    the one that was current at that moment of the recording. Answers to the very same request (in
    its volatile fields, too) go first.
    """

    __slots__ = (
        *("_at_ns", "_exact", "_first_unused", "_mode", "_rng", "_same", "_service_ns"),
        *("_standing", "_used", "places"),
    )

    def __init__(self, mode: MatchMode = "sequence") -> None:
        self.places = array("q")
        """For each answer where it is kept."""
        self._mode = mode
        self._at_ns = array("q")
        self._service_ns = array("q")
        self._exact = array("q")
        self._used = bytearray()
        self._first_unused = 0
        self._standing = _NONE
        self._same: dict[int, deque[int]] | None = None
        self._rng: random.Random | None = None

    # --- Loading ----------------------------------------------------------------------------------

    def reserve(self, exact: str, at_ns: int) -> int:
        """Make room for the answer to a request that was sent at ``at_ns``; returns its number."""
        self.places.append(_NONE)
        self._at_ns.append(at_ns)
        self._service_ns.append(0)
        self._exact.append(hash(exact))
        self._used.append(1)
        return len(self.places) - 1

    def fill(self, number: int, place: int, service_ns: int, *, successful: bool) -> None:
        """Say where the answer is kept, how long it took and whether it may stand for others."""
        self.places[number] = place
        self._service_ns[number] = service_ns
        self._used[number] = 0
        if self._mode == "last" or successful:
            self._standing = max(self._standing, number)

    def drop_unanswered(self) -> bool:
        """Forget the requests that were never answered; False where nothing is left."""
        kept = [number for number, place in enumerate(self.places) if place != _NONE]
        if len(kept) < len(self.places):
            standing = self._standing
            self._standing = kept.index(standing) if standing in kept else _NONE
            for name in ("places", "_at_ns", "_service_ns", "_exact"):
                column = getattr(self, name)
                setattr(self, name, array("q", [column[number] for number in kept]))
            self._used = bytearray(len(kept))
        return bool(kept)

    # --- Playing ----------------------------------------------------------------------------------

    @property
    def unused(self) -> int:
        """How many answers nobody has asked for yet."""
        return self._used.count(0)

    def take(self, exact: str, recorded_ns: int) -> int | None:
        """Return the number of the answer for this request; None where all are used up.

        ``recorded_ns`` is the present moment on the recording's clock.
        """
        if self._mode == "by-time":
            return self._take_current(recorded_ns)
        if self._first_unused == len(self._used):
            return None
        number = self._same_request(exact)
        if number is None:
            number = self._first_unused
        self._used[number] = 1
        found = self._used.find(0, self._first_unused)
        self._first_unused = len(self._used) if found < 0 else found
        return number

    def standing(self, recorded_ns: int) -> int:
        """Return the number of the answer that stands when :meth:`take` has none."""
        if self._mode == "by-time":
            return self._current(recorded_ns)
        return len(self.places) - 1 if self._standing == _NONE else self._standing

    def service_ns(self, number: int) -> int:
        """Return how long an answer took."""
        return self._service_ns[number]

    def drawn_service_ns(self, seed: int, key: Key) -> int:
        """Draw from what the answers took: the n-th time the same with every run and side."""
        times = self._service_ns
        if len(times) == 1:
            return times[0]
        if self._rng is None:
            self._rng = random.Random(f"{seed}/{key}")
        return times[int(self._rng.random() * len(times))]

    def _current(self, recorded_ns: int) -> int:
        return max(0, bisect_right(self._at_ns, recorded_ns) - 1)

    def _take_current(self, recorded_ns: int) -> int | None:
        number = self._current(recorded_ns)
        if self._used[number]:
            return None
        self._used[number] = 1
        return number

    def _same_request(self, exact: str) -> int | None:
        if self._same is None:
            self._same = self._by_request()
        waiting = self._same.get(hash(exact))
        while waiting:
            number = waiting.popleft()
            if not self._used[number]:
                return number
        return None

    def _by_request(self) -> dict[int, deque[int]]:
        """Return the answers by request; nothing where all requests were the same."""
        if len(self._exact) == 1:
            return {}
        found: dict[int, deque[int]] = {}
        for number, exact in enumerate(self._exact):
            found.setdefault(exact, deque()).append(number)
        return found if len(found) > 1 else {}
