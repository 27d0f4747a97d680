"""All WebSocket addresses of a recording, and which stations a client hears under one."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from perfscan.replay.keys import Key
from perfscan.replay.model import Headers, MatchRules, Miss, Recording
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.draft import Begins, Draft, read_drafts, websocket_key
from perfscan.replay.server.nearest import describe, nearest
from perfscan.replay.server.stations import Observe, Station
from perfscan.replay.server.streams import Greeting, plan_stream
from perfscan.replay.server.subscriptions import address_units
from perfscan.replay.server.timeline import StreamPlayer


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the recorded streams are played."""

    rules: MatchRules
    speed: float = 1.0
    seed: int = 0
    until_ns: int | None = None
    solo: bool = False
    """Every connection gets a stream of its own, the n-th that of the n-th recorded session, as a
    mock server should. Otherwise a stream is one for all and waits for nobody."""
    delays: Callable[[str, Iterable[int]], Iterable[int] | None] = lambda url, times_ns: None
    """For each message of a URL, how much later it comes, in recorded nanoseconds."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """How a request for a WebSocket is answered."""

    stations: tuple[Station, ...]
    """More than one where the address names topics that were recorded under several."""
    topics: frozenset[str]
    """What the address asks for; empty where it names no topics."""
    exchange: int
    """In the recording."""
    outcome: Literal["hit", "extra"]
    service_ns: int
    headers: Headers
    greetings: tuple[Greeting, ...]


class Directory:
    """Knows what to play to whom."""

    def __init__(
        self,
        recording: Recording,
        tuning: Tuning,
        alarm: Alarm,
        observe: Observe,
        begins: Begins = None,
    ) -> None:
        self._tuning = tuning
        self._alarm = alarm
        self._observe = observe
        self._drafts = read_drafts(recording, tuning.rules, begins)
        self._timed = recording.header.latency == "recorded"
        self._opened: Counter[Key] = Counter()
        self._shared: dict[Key, Station] = {}
        self._topics: dict[tuple[str, str], list[Key]] = defaultdict(list)
        for key, draft in self._drafts.items():
            for unit in address_units(key):
                self._topics[key.host, unit].append(key)
            if not tuning.solo:
                self._shared[key] = self._station(draft)
                draft.let_go()

    @property
    def started(self) -> int:
        """How many streams have begun."""
        return sum(station.started for station in self._shared.values())

    @property
    def stimuli_left(self) -> int:
        """How many stimuli are still to come, those of streams that have not begun included."""
        return sum(station.stimuli_left for station in self._shared.values())

    @property
    def addresses(self) -> tuple[Key, ...]:
        """All that is known, for telling what is nearest to what is not."""
        return tuple(self._drafts)

    def open(self, key: Key, *, any_host: bool = False) -> Handshake | None:
        """Return the answer to a request for a WebSocket; None where none was recorded."""
        keys = self._find(key, any_host=any_host)
        if not keys:
            return None
        number = self._opened[keys[0]]
        self._opened.update(keys)
        stations = tuple(self._on_air(one) for one in keys)
        draft = self._drafts[keys[0]]
        session = draft.sessions[min(number, len(draft.sessions) - 1)].session
        topics = address_units(key)
        return Handshake(
            stations,
            frozenset(topics if len(topics) > 1 or len(address_units(keys[0])) > 1 else ()),
            session.response.exchange,
            "hit" if number < len(draft.sessions) else "extra",
            self._service_ns(keys[0], number),
            session.response.headers,
            tuple(greeting for station in stations for greeting in _greetings(station, number)),
        )

    def miss(self, host: str, target: str) -> Miss:
        """Return what is said of an address that was not recorded."""
        key = websocket_key(host, target, self._tuning.rules)
        return Miss(describe(key), nearest(key, self._drafts))

    def _on_air(self, key: Key) -> Station:
        if key in self._shared:
            return self._shared[key]
        draft = self._drafts[key]
        return self._station(draft, min(self._opened[key], len(draft.sessions)) - 1)

    def _station(self, draft: Draft, alone: int | None = None) -> Station:
        plan = plan_stream(draft, alone)
        tuning = self._tuning
        times_ns = (at_ns - plan.recorded_ns for at_ns in plan.rows.at_ns)
        delays = tuning.delays(plan.url, times_ns)
        player = StreamPlayer(plan, tuning.speed, tuning.until_ns, delays)
        return Station(player, self._alarm, self._observe)

    def _find(self, key: Key, *, any_host: bool) -> list[Key]:
        """Return the recorded addresses: the same, those of the topics, or the nearest one."""
        if key in self._drafts:
            return [key]
        hosts = {one.host for one in self._drafts} if any_host else {key.host}
        for host in sorted(hosts, key=lambda host: host != key.host):
            found = [self._topics.get((host, unit), []) for unit in address_units(key)]
            if all(found):
                return list(dict.fromkeys(keys[0] for keys in found))
        return list(self._nearest(key, any_host=any_host))

    def _nearest(self, key: Key, *, any_host: bool) -> Iterator[Key]:
        """Yield the address that is the same but for the query, or but for the host."""
        usual = [one for one, draft in self._drafts.items() if not draft.topical or not one.query]
        for found in (
            [one for one in usual if (one.host, one.path) == (key.host, key.path)],
            [one for one in usual if any_host and (one.path, one.query) == (key.path, key.query)],
            [one for one in usual if any_host and one.path == key.path],
        ):
            if found:
                yield max(found, key=lambda one: len(self._drafts[one].sessions))
                return

    def _service_ns(self, key: Key, number: int) -> int:
        if not self._timed:
            return 0
        sessions = self._drafts[key].sessions
        if number >= len(sessions):
            number = random.Random(f"{self._tuning.seed}/{key}/{number}").randrange(len(sessions))
        session = sessions[number].session
        return max(0, session.response.at_ns - session.request.at_ns)


def _greetings(station: Station, number: int) -> Sequence[Greeting]:
    greetings = station.plan.greetings
    return greetings[min(number, len(greetings) - 1)]
