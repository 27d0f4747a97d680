"""Recorded streams on the air: which clients listen, and what each connection is told."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from perfscan.replay.model import Observed, StreamStart
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.draft import PING
from perfscan.replay.server.frames import Deflater
from perfscan.replay.server.pushes import Pushes
from perfscan.replay.server.streams import StreamPlan
from perfscan.replay.server.timeline import StreamPlayer
from perfscan.replay.server.transcript import Acknowledgement

Observe = Callable[[Observed | Pushes], None]
PORTION = 256 * 1024
"""Bytes that are read and written at once at most; the system reads ahead by itself."""
REMEMBERED = 2
"""Portions that are kept for other clients which get the same."""

Wanted = frozenset[int] | None
"""Which gates of a stream a client has opened; None for all of them."""


class Listener(Protocol):
    """A connected client."""

    def owe(self, station: Station, rows: range) -> None:
        """Send rows of the station's stream as soon as the client takes them."""

    def wants(self, gate: frozenset[str]) -> bool:
        """Tell whether the client has asked for what is behind ``gate``."""

    def hang_up(self, code: int | None, reason: str) -> None:
        """Close the connection as the service did."""


@dataclass(slots=True)
class Portion:
    """Frames that are written at once."""

    rows: range
    """Those of which it holds what is wanted, perhaps none of them."""
    data: bytes
    messages: array[int]
    sent_ns: array[int]
    """When each of the messages is sent, on the recording's clock."""


class Station:
    """One stream: it starts once, then goes on whether anybody listens or not."""

    def __init__(self, player: StreamPlayer, alarm: Alarm, observe: Observe) -> None:
        self.plan: StreamPlan = player.plan
        self._player = player
        self._alarm = alarm
        self._observe = observe
        self._listeners: dict[Listener, None] = {}
        self._asked: Counter[str] = Counter()
        self._portions: dict[object, Portion] = {}
        self._deflate = Deflater()
        self.stimuli_left = self.plan.rows.begins.count(1, 0, player.end)

    @property
    def started(self) -> bool:
        """Whether the stream's clock runs."""
        return self._player.clock is not None

    def join(self, listener: Listener) -> None:
        """Let a client hear what comes from now on."""
        self._listeners[listener] = None

    def leave(self, listener: Listener) -> None:
        """Forget a client."""
        self._listeners.pop(listener, None)

    def start(self, now_ns: int) -> None:
        """Start the clock at ``now_ns`` unless it runs already."""
        if self._player.start(now_ns):
            self._observe(StreamStart(self.plan.url, now_ns, self.plan.recorded_ns))
            self._arm()

    def answers(self, unit: str) -> tuple[Acknowledgement, ...]:
        """Return how the service answers what is asked for this time; the last answer repeats."""
        given = self.plan.answers.get(unit, ())
        number = self._asked[unit]
        self._asked[unit] += 1
        return given[min(number, len(given) - 1)] if given else ()

    def wanted(self, listener: Listener) -> Wanted:
        """Return which gates a client has opened."""
        gates = self.plan.gates
        opened = frozenset(number for number, gate in enumerate(gates) if listener.wants(gate))
        return None if len(opened) == len(gates) else opened

    def portion(self, rows: range, wanted: Wanted, *, deflated: bool) -> Portion:
        """Return the frames of the first of ``rows``; clients that want the same share them."""
        key = (rows, wanted, deflated)
        if len(self._listeners) < 2:
            return self._read(rows, wanted, deflated=deflated)
        if key not in self._portions:
            if len(self._portions) == REMEMBERED:
                del self._portions[next(iter(self._portions))]
            self._portions[key] = self._read(rows, wanted, deflated=deflated)
        return self._portions[key]

    def _read(self, rows: range, wanted: Wanted, *, deflated: bool) -> Portion:
        plan, sent_ns = self.plan, self._player.sent_ns
        begin, size = plan.rows.begin, plan.rows.size
        stop = bisect_left(begin, begin[rows.start] + PORTION, rows.start + 1, rows.stop)
        rows = range(rows.start, stop)
        first = begin[rows.start]
        data = plan.rows.reel.read(first, begin[stop - 1] + size[stop - 1])
        gapless = len(data) == sum(size[rows.start : stop])
        if wanted is None and gapless and not deflated and not plan.has_pings:
            chosen = slice(rows.start, stop)
            return Portion(rows, data, plan.rows.message[chosen], sent_ns[chosen])
        places = [row for row in rows if wanted is None or plan.gate[row] in wanted]
        frames = [data[begin[row] - first : begin[row] - first + size[row]] for row in places]
        if deflated:
            frames = list(map(self._deflate, frames))
        noted = [row for row in places if plan.rows.message[row] != PING]
        return Portion(
            rows,
            b"".join(frames),
            array("i", map(plan.rows.message.__getitem__, noted)),
            array("q", map(sent_ns.__getitem__, noted)),
        )

    def noted(self, portion: Portion, connection: int, at_ns: int) -> Pushes | None:
        """Return what is to be observed once a portion was written to a client."""
        clock = self._player.clock
        if clock is None or not portion.messages:
            return None
        return Pushes(connection, at_ns, clock, portion.messages, portion.sent_ns)

    def _arm(self) -> None:
        due_ns = self._player.next_due_ns()
        if due_ns is not None:
            self._alarm.at(due_ns, self._play)

    def _play(self) -> None:
        for event in self._player.take_due(self._alarm.now()):
            if isinstance(event, range):
                self.stimuli_left -= self.plan.rows.begins.count(1, event.start, event.stop)
                for listener in tuple(self._listeners):
                    listener.owe(self, event)
            else:
                for listener in tuple(self._listeners):
                    if listener.wants(event.gate):
                        listener.hang_up(event.code, event.reason)
        self._arm()
