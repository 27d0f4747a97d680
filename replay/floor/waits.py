"""What had to wait for which answer, inferred from the values that flow.

A request had to wait for an answer when it sends a value that this answer brought and that nothing
before had held: no earlier request or answer, no message, nothing that a user sent. Nothing else
proves a wait. That the recorded bot asked one thing after the other may be its own slowness.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from perfscan.replay.exchanges import Exchange, exchanges
from perfscan.replay.floor.belonging import LONG, sent_text
from perfscan.replay.model import Message, Recording

SHORTEST = 4
"""Characters of a value with a digit; fewer meet by chance."""
READ_UP_TO = 65_536
"""Bytes of a text whose short values are read; of a longer one only the long values."""
_WITH_DIGIT = re.compile(rb"[A-Za-z0-9_]*[0-9][A-Za-z0-9_]*(?:\.[0-9]+)?")

Values = frozenset[bytes]


def values_of(text: bytes) -> Values:
    """Return what may flow: words of 20 characters and more, and shorter ones with a digit."""
    found = set(LONG.findall(text))
    if len(text) <= READ_UP_TO:
        found.update(value for value in _WITH_DIGIT.findall(text) if len(value) >= SHORTEST)
    return frozenset(found)


class Waits:
    """Where every value of a recording came from, and what that says of each moment."""

    def __init__(self, recording: Recording) -> None:
        self._sent: dict[int, Values] = {}
        self._first_ns: dict[bytes, int] = {}
        self._bringing: dict[bytes, list[Exchange]] = defaultdict(list)
        for at_ns, text, answered in sorted(_texts(recording), key=lambda one: one[0]):
            values = values_of(text)
            for value in values:
                known_ns = self._first_ns.setdefault(value, at_ns)
                if answered is not None and (known_ns == at_ns or value in self._bringing):
                    self._bringing[value].append(answered)
        for call in exchanges(recording):
            self._sent[call.request.exchange] = values_of(sent_text(call))

    def ready_ns(
        self, text: bytes, sent_ns: int, begin_ns: int, is_free: Callable[[Exchange], bool]
    ) -> int:
        """Return when ``text``, sent at ``sent_ns``, could have been sent: ns after ``begin_ns``.

        Only calls since ``begin_ns`` count. A call that ``is_free`` takes no time.
        """
        values = values_of(text)
        finished: dict[int, int] = {}
        for call in self._needed(values, sent_ns, begin_ns):  # what others wait for comes first
            sent = call.request
            ready = self._latest(self._sent[sent.exchange], sent.at_ns, begin_ns, finished)
            finished[sent.exchange] = ready + (0 if is_free(call) else call.service_ns or 0)
        return self._latest(values, sent_ns, begin_ns, finished)

    def done_ns(self, call: Exchange, begin_ns: int) -> int:
        """Return when ``call`` could have been answered: ns after ``begin_ns``."""
        sent = call.request
        ready = self.ready_ns(sent_text(call), sent.at_ns, begin_ns, lambda _: False)
        return ready + (call.service_ns or 0)

    def _needed(self, values: Values, sent_ns: int, begin_ns: int) -> list[Exchange]:
        """Return all calls that bring what is needed, directly or in turn, by time."""
        found: dict[int, Exchange] = {}
        waiting = [(values, sent_ns)]
        while waiting:
            values, sent_ns = waiting.pop()
            for value in values:
                for call in self._had(value, sent_ns, begin_ns):
                    if call.request.exchange not in found:
                        found[call.request.exchange] = call
                        waiting.append((self._sent[call.request.exchange], call.request.at_ns))
        return sorted(found.values(), key=lambda call: call.request.at_ns)

    def _latest(self, values: Values, sent_ns: int, begin_ns: int, finished: dict[int, int]) -> int:
        """Return when the last of ``values`` is there, each from the quickest that brings it."""
        return max(
            (
                min(finished[call.request.exchange] for call in bringing)
                for value in values
                if (bringing := self._had(value, sent_ns, begin_ns))
            ),
            default=0,
        )

    def _had(self, value: bytes, sent_ns: int, begin_ns: int) -> Sequence[Exchange]:
        """Return the calls since ``begin_ns`` whose answer had brought ``value`` by ``sent_ns``."""
        if value not in self._bringing or self._first_ns[value] < begin_ns:
            return ()
        return [
            call
            for call in self._bringing[value]
            if call.request.at_ns >= begin_ns
            and call.response is not None
            and call.response.at_ns <= sent_ns
        ]


def _texts(recording: Recording) -> Iterator[tuple[int, bytes, Exchange | None]]:
    """Yield all that was said to the bot or by it, with its time; answers with their exchange."""
    for call in exchanges(recording):
        yield call.request.at_ns, sent_text(call), None
        if call.response is not None:
            yield call.response.end_ns, call.response.body, call
    for call in exchanges(recording, inbound=True):
        yield call.request.at_ns, sent_text(call), None
    yield from _messages(recording.events)


def _messages(events: Iterable[object]) -> Iterator[tuple[int, bytes, None]]:
    for event in events:
        if isinstance(event, Message):
            data = event.data.encode() if isinstance(event.data, str) else event.data
            yield event.at_ns, data, None
