"""Recorded streams on the air: which clients listen, and what each connection is told."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from perfscan.replay.exchanges import WebSocketSession, websockets
from perfscan.replay.keys import Key, host_key, read_request
from perfscan.replay.model import Headers, MatchRules, Observed, Pushed, Recording, StreamStart
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.streams import Greeting, Push, StreamPlan, plan_stream
from perfscan.replay.server.timeline import Pace, StreamPlayer
from perfscan.replay.server.transcript import Acknowledgement

Observe = Callable[[Observed], None]


class Listener(Protocol):
    """A connected client."""

    number: int

    def wants(self, push: Push) -> bool:
        """Tell whether the client has subscribed to what ``push`` belongs to."""

    def write_frame(self, frame: bytes) -> None:
        """Send a whole frame."""

    def hang_up(self, code: int | None, reason: str) -> None:
        """Close the connection as the service did."""


class Station:
    """One stream: it starts once, then goes on whether anybody listens or not."""

    def __init__(
        self, player: StreamPlayer, alarm: Alarm, observe: Observe, stimuli: Collection[int] = ()
    ) -> None:
        self.plan: StreamPlan = player.plan
        self._player = player
        self._alarm = alarm
        self._observe = observe
        self._stimuli = stimuli
        self._listeners: dict[Listener, None] = {}
        self._asked: Counter[str] = Counter()
        self.stimuli_left = sum(
            isinstance(event, Push) and event.message in stimuli for event in player.left
        )

    @property
    def started(self) -> bool:
        """Whether the stream's clock runs."""
        return self._player.started_ns is not None

    def join(self, listener: Listener) -> None:
        """Let a client hear what comes from now on."""
        self._listeners[listener] = None

    def leave(self, listener: Listener) -> None:
        """Forget a client."""
        self._listeners.pop(listener, None)

    def start(self) -> None:
        """Start the clock unless it runs already."""
        now_ns = self._alarm.now()
        if self._player.start(now_ns):
            self._observe(StreamStart(self.plan.url, now_ns, self.plan.recorded_ns))
            self._arm()

    def acknowledgement(self, key: str) -> Acknowledgement | None:
        """Return how the service answers a message this time; the last answer repeats."""
        given = self.plan.acknowledgements.get(key)
        if not given:
            return None
        number = self._asked[key]
        self._asked[key] += 1
        return given[min(number, len(given) - 1)]

    def _arm(self) -> None:
        due_ns = self._player.next_due_ns()
        if due_ns is not None:
            self._alarm.at(due_ns, self._play)

    def _play(self) -> None:
        for event, due_ns in self._player.take_due(self._alarm.now()):
            if isinstance(event, Push):
                self.stimuli_left -= event.message in self._stimuli
                self._broadcast(event, due_ns)
            else:
                for listener in tuple(self._listeners):
                    listener.hang_up(event.code, event.reason)
        self._arm()

    def _broadcast(self, push: Push, due_ns: int) -> None:
        for listener in tuple(self._listeners):
            if listener.wants(push):
                listener.write_frame(push.frame)
                at_ns = self._alarm.now()
                self._observe(Pushed(listener.number, push.message, due_ns, at_ns))


@dataclass(frozen=True, slots=True)
class Handshake:
    """How a request for a WebSocket is answered."""

    station: Station
    exchange: int
    """In the recording."""
    outcome: Literal["hit", "extra"]
    service_ns: int
    headers: Headers
    greetings: tuple[Greeting, ...]


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the recorded streams are played."""

    rules: MatchRules
    pace: Pace
    seed: int = 0
    until_ns: int | None = None
    solo: bool = False
    """Every connection gets a stream of its own, the n-th that of the n-th recorded session, as a
    mock server should. Otherwise a stream is one for all and waits for nobody."""


class Stations:
    """All WebSocket addresses of a recording."""

    def __init__(
        self,
        recording: Recording,
        tuning: Tuning,
        alarm: Alarm,
        observe: Observe,
        stimuli: Collection[int] = (),
    ) -> None:
        self._tuning = tuning
        self._alarm = alarm
        self._observe = observe
        self._stimuli = stimuli
        self._sessions = _by_key(recording, tuning.rules)
        self._timed = recording.header.latency == "recorded"
        self._opened: Counter[Key] = Counter()
        self._shared: dict[Key, Station] = {}
        if not tuning.solo:
            self._shared = {key: self._station(group) for key, group in self._sessions.items()}

    @property
    def started(self) -> int:
        """How many streams have begun."""
        return sum(station.started for station in self._shared.values())

    @property
    def stimuli_left(self) -> int:
        """How many stimuli are still to come, those of streams that have not begun included."""
        return sum(station.stimuli_left for station in self._shared.values())

    def open(self, key: Key, *, any_host: bool = False) -> Handshake | None:
        """Return the answer to a request for a WebSocket; None where none was recorded."""
        found = self._nearest(key, any_host=any_host)
        if found is None:
            return None
        sessions, number = self._sessions[found], self._opened[found]
        self._opened[found] += 1
        session = sessions[min(number, len(sessions) - 1)]
        station = self._shared.get(found) or self._station([session])
        greetings = station.plan.greetings
        return Handshake(
            station,
            session.response.exchange,
            "hit" if number < len(sessions) else "extra",
            self._service_ns(found, number),
            session.response.headers,
            greetings[min(number, len(greetings) - 1)],
        )

    def _station(self, sessions: Sequence[WebSocketSession]) -> Station:
        plan = plan_stream(sessions, self._tuning.rules)
        player = StreamPlayer(plan, self._tuning.pace, self._tuning.until_ns)
        return Station(player, self._alarm, self._observe, self._stimuli)

    def _nearest(self, key: Key, *, any_host: bool) -> Key | None:
        """Return the recorded address: the same, or but for the query, or but for the host."""
        if key in self._sessions:
            return key
        for test in (
            lambda other: (other.host, other.path) == (key.host, key.path),
            lambda other: any_host and (other.path, other.query) == (key.path, key.query),
            lambda other: any_host and other.path == key.path,
        ):
            if found := [other for other in self._sessions if test(other)]:
                return max(found, key=lambda other: len(self._sessions[other]))
        return None

    def _service_ns(self, key: Key, number: int) -> int:
        if not self._timed:
            return 0
        sessions = self._sessions[key]
        if number >= len(sessions):
            number = random.Random(f"{self._tuning.seed}/{key}/{number}").randrange(len(sessions))
        session = sessions[number]
        return max(0, session.response.at_ns - session.request.at_ns)


def stimulus_messages(
    recording: Recording, is_stimulus: Callable[[str, int], bool]
) -> frozenset[int]:
    """Return the indexes of the messages for which ``is_stimulus(url, index)`` holds."""
    return frozenset(
        index
        for session in websockets(recording)
        for index in session.indexes
        if is_stimulus(session.url, index)
    )


def _by_key(recording: Recording, rules: MatchRules) -> Mapping[Key, Sequence[WebSocketSession]]:
    grouped: dict[Key, list[WebSocketSession]] = defaultdict(list)
    for session in websockets(recording):
        grouped[websocket_key(host_key(session.open), session.request.target, rules)].append(
            session
        )
    return dict(grouped)


def websocket_key(host: str, target: str, rules: MatchRules) -> Key:
    """Return the key of a WebSocket address."""
    (call,) = read_request("GET", host, target, (), b"", rules).calls
    return replace(call.key, method="WEBSOCKET")
