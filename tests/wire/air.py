"""Streams on the air for tests: a clock set by hand, clients that note what they hear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wire.talk import MS, RULES

from perfscan.replay.model import (
    Event,
    MatchRules,
    Message,
    Observed,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.directory import Directory, Handshake, Tuning
from perfscan.replay.server.draft import websocket_key
from perfscan.replay.server.frames import parts_of
from perfscan.replay.server.pushes import Pushes
from perfscan.replay.server.stations import Station


class FakeAlarm(Alarm):
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 0
        self.waiting: list[tuple[int, Callable[[], None]]] = []

    def now(self) -> int:
        return self.time

    def at(self, due_ns: int, call: Callable[[], None]) -> None:
        self.waiting.append((due_ns, call))

    def run_to(self, time_ms: int) -> None:
        """Ring everything that is due by then, each at its time."""
        while due := [entry for entry in self.waiting if entry[0] <= time_ms * MS]:
            first = min(due, key=lambda entry: entry[0])
            self.waiting.remove(first)
            self.time = max(self.time, first[0])
            first[1]()
        self.time = time_ms * MS


@dataclass(eq=False)
class Client:
    number: int
    air: Air
    asked: frozenset[str] | None = None
    """Topics that it has asked for; None for everything."""
    heard: list[str] = field(default_factory=list)

    def wants(self, gate: frozenset[str]) -> bool:
        return not gate or self.asked is None or not gate.isdisjoint(self.asked)

    def owe(self, station: Station, rows: range) -> None:
        while rows:
            portion = station.portion(rows, station.wanted(self), deflated=False)
            self.heard += [payload.decode() for _, payload in parts_of(portion.data)]
            pushes = station.noted(portion, self.number, self.air.alarm.now())
            self.air.seen += pushes or []
            rows = range(portion.rows.stop, rows.stop)

    def hang_up(self, code: int | None, reason: str) -> None:
        self.heard.append("end")


def session(
    number: int, opened_ms: int, *texts: tuple[int, str], target: str = "/ws"
) -> list[Event]:
    at = opened_ms * MS
    return [
        Open(number, at, "https", "a.example", 443),
        Request(number, number, at, "GET", target),
        Response(number, number, at + number * MS, at + number * MS, 101),
        *[Message(number, at_ms * MS, "received", text) for at_ms, text in texts],
    ]


@dataclass
class Air:
    directory: Directory
    alarm: FakeAlarm
    seen: list[Observed]
    recording: Recording

    def open(
        self, target: str = "/ws", host: str = "a.example", *, any_host: bool = False
    ) -> Handshake | None:
        return self.directory.open(websocket_key(host, target, RULES), any_host=any_host)

    def tune_in(self, number: int = 1) -> Client:
        handshake = self.open()
        assert handshake is not None
        client = Client(number, self)
        for station in handshake.stations:
            station.join(client)
        return client

    def start(self) -> None:
        (handshake,) = [self.open()]
        assert handshake is not None
        for station in handshake.stations:
            station.start(self.alarm.now())


def air(
    *parts: list[Event],
    solo: bool = False,
    latency_known: bool = True,
    rules: MatchRules = RULES,
) -> Air:
    events = sorted((event for part in parts for event in part), key=lambda event: event.at_ns)
    header = RecordingHeader(latency="recorded" if latency_known else "not recorded")
    recording = Recording(header, tuple(events))
    alarm, seen = FakeAlarm(), list[Observed]()

    def observe(event: Observed | Pushes) -> None:
        seen.extend(event if isinstance(event, Pushes) else [event])

    tuning = Tuning(rules, solo=solo)
    return Air(Directory(recording, tuning, alarm, observe), alarm, seen, recording)
