"""When recorded things are due again. Pure: whoever asks says what time it is."""

from __future__ import annotations

import itertools
import random
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import add

from perfscan.replay.exchanges import outbound
from perfscan.replay.keys import host_key
from perfscan.replay.model import Recording
from perfscan.replay.server.streams import Hangup, StreamPlan


class Pace:
    """Turns recorded durations into those of this run."""

    def __init__(self, speed: float) -> None:
        self.speed = speed

    def __call__(self, recorded_ns: int) -> int:
        """Return how long something takes that took ``recorded_ns``."""
        return recorded_ns if self.speed == 1 else round(recorded_ns / self.speed)


def answer_due(arrived_ns: int, usable_ns: int, service_ns: int) -> int:
    """Return when the first byte of an answer is due.

    ``usable_ns`` is when the connection would have been set up (accept plus its recorded cost): a
    request that came earlier, since loopback is quicker than the real way, waits for that first.
    """
    return max(arrived_ns, usable_ns) + service_ns


class ConnectionCosts:
    """What each new connection costs: the n-th to a host what the n-th recorded one cost.

    Later ones draw from that host's recorded costs, by seed, host and n, so that both sides of a
    comparison draw the same. A host whose connections were not timed costs nothing.
    """

    def __init__(self, recording: Recording, seed: int) -> None:
        self._seed = seed
        self._recorded: Mapping[str, Sequence[int]] = _recorded_costs(recording)
        self._opened: Counter[str] = Counter()

    def next_ns(self, host: str) -> int:
        """Return the cost of the next connection to ``host`` (a :func:`host_key`)."""
        recorded = self._recorded.get(host)
        if not recorded:
            return 0
        number = self._opened[host]
        self._opened[host] += 1
        if number < len(recorded):
            return recorded[number]
        return random.Random(f"{self._seed}/{host}/{number}").choice(recorded)


def _recorded_costs(recording: Recording) -> dict[str, list[int]]:
    costs: dict[str, list[int]] = defaultdict(list)
    if recording.header.latency != "recorded":
        return costs
    for opened in sorted(outbound(recording), key=lambda event: event.at_ns):
        if opened.connect_ns is not None or opened.tls_ns is not None:
            costs[host_key(opened)].append((opened.connect_ns or 0) + (opened.tls_ns or 0))
    return costs


@dataclass(frozen=True, slots=True)
class StreamClock:
    """Turns recorded times of a stream into those of the run."""

    start_ns: int
    """When the stream began to play."""
    recorded_ns: int
    """Which recorded time that was."""
    speed: float

    def due_ns(self, at_ns: int) -> int:
        """Return when something is due that was recorded at ``at_ns``."""
        return self.start_ns + Pace(self.speed)(max(0, at_ns - self.recorded_ns))


class StreamPlayer:
    """The position of one recorded stream. Once started it does not wait for anybody."""

    def __init__(
        self,
        plan: StreamPlan,
        speed: float,
        until_ns: int | None = None,
        delays_ns: Iterable[int] | None = None,
    ) -> None:
        self.plan = plan
        self.clock: StreamClock | None = None
        """None until the stream begins."""
        self.sent_ns = plan.rows.at_ns
        """For each row when it is sent, on the recording's clock."""
        if delays_ns is not None:  # what comes late holds up all that follows
            self.sent_ns = array("q", accumulate(map(add, plan.rows.at_ns, delays_ns), max))
        self._speed = speed
        last_ns = None if until_ns is None else plan.recorded_ns + until_ns
        self.end = len(plan.rows) if last_ns is None else bisect_right(plan.rows.at_ns, last_ns)
        """Rows from here on are not played."""
        self._position = 0
        self._hangups = deque(
            self._placed(hangup)
            for hangup in plan.hangups
            if last_ns is None or hangup.at_ns <= last_ns
        )
        """Each with when it is sent, and after which rows."""

    def start(self, now_ns: int) -> bool:
        """Let the stream's clock run from now on; False where it does already."""
        if self.clock is not None:
            return False
        self.clock = StreamClock(now_ns, self.plan.recorded_ns, self._speed)
        return True

    @property
    def left(self) -> range:
        """The rows that are still to come."""
        return range(self._position, self.end)

    def next_due_ns(self) -> int | None:
        """Return when the next event is due; None before the start and after the last."""
        coming = [self.sent_ns[self._position]] if self.left else []
        coming += [sent_ns for sent_ns, _, _ in itertools.islice(self._hangups, 1)]
        return self.clock.due_ns(min(coming)) if coming and self.clock is not None else None

    def take_due(self, now_ns: int) -> Iterator[range | Hangup]:
        """Yield the rows that are due by now and the hang-ups between them, and move on."""
        if self.clock is None:
            return
        due_ns = self.clock.due_ns
        until = bisect_right(self.sent_ns, now_ns, self._position, self.end, key=due_ns)
        while self._hangups and due_ns(self._hangups[0][0]) <= now_ns:
            _, row, hangup = self._hangups.popleft()
            yield from self._advance(row)
            yield hangup
        yield from self._advance(until)

    def _placed(self, hangup: Hangup) -> tuple[int, int, Hangup]:
        row = bisect_right(self.plan.rows.at_ns, hangup.at_ns)
        return max(hangup.at_ns, self.sent_ns[row - 1] if row else 0), row, hangup

    def _advance(self, row: int) -> Iterator[range]:
        begin, self._position = self._position, max(self._position, row)
        if row > begin:
            yield range(begin, row)
