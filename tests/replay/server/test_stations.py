from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from perfscan.replay.keys import Key
from perfscan.replay.model import (
    Event,
    MatchRules,
    Message,
    Observed,
    Open,
    Pushed,
    Recording,
    RecordingHeader,
    Request,
    Response,
    StreamStart,
)
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.stations import (
    Handshake,
    Stations,
    Tuning,
    stimulus_messages,
    websocket_key,
)
from perfscan.replay.server.streams import Push
from perfscan.replay.server.timeline import Pace

MS = 1_000_000
RULES = MatchRules()


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
    subscribed: bool = True
    heard: list[bytes] = field(default_factory=list)

    def wants(self, push: Push) -> bool:
        return self.subscribed

    def write_frame(self, frame: bytes) -> None:
        self.heard.append(frame[2:])

    def hang_up(self, code: int | None, reason: str) -> None:
        self.heard.append(b"end")


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
    stations: Stations
    alarm: FakeAlarm
    seen: list[Observed]
    recording: Recording

    def open(
        self, target: str = "/ws", host: str = "a.example", *, any_host: bool = False
    ) -> Handshake | None:
        return self.stations.open(websocket_key(host, target, RULES), any_host=any_host)

    def tune_in(self, number: int = 1) -> Client:
        handshake = self.open()
        assert handshake is not None
        client = Client(number)
        handshake.station.join(client)
        return client

    def start(self) -> None:
        (handshake,) = [self.open()]
        assert handshake is not None
        handshake.station.start()


def air(*parts: list[Event], solo: bool = False, latency_known: bool = True) -> Air:
    events = sorted((event for part in parts for event in part), key=lambda event: event.at_ns)
    header = RecordingHeader(latency="recorded" if latency_known else "not recorded")
    recording = Recording(header, tuple(events))
    alarm, seen = FakeAlarm(), list[Observed]()
    stimuli = stimulus_messages(recording, lambda url, index: True)
    tuning = Tuning(RULES, Pace(1), solo=solo)
    return Air(Stations(recording, tuning, alarm, seen.append, stimuli), alarm, seen, recording)


def test_everybody_hears_the_same_at_its_time() -> None:
    on = air(session(1, 0, (101, "a"), (201, "b")))
    on.alarm.time = 1000 * MS
    first, second = on.tune_in(1), on.tune_in(2)
    on.start()
    on.alarm.run_to(1150)
    assert (first.heard, second.heard) == ([b"a"], [b"a"])
    on.alarm.run_to(2000)
    assert first.heard == [b"a", b"b"]
    start, *pushed = on.seen
    assert start == StreamStart("wss://a.example/ws", 1000 * MS, 1 * MS)
    assert pushed[0] == Pushed(1, 3, 1100 * MS, 1100 * MS)
    assert len(pushed) == 4


def test_the_stream_goes_on_without_listeners() -> None:
    on = air(session(1, 0, (101, "a"), (201, "b"), (301, "c")))
    on.start()
    on.alarm.run_to(250)
    late = on.tune_in()
    on.start()  # which changes nothing
    on.alarm.run_to(1000)
    assert late.heard == [b"c"]
    assert sum(isinstance(event, StreamStart) for event in on.seen) == 1
    assert sum(isinstance(event, Pushed) for event in on.seen) == 1


def test_only_subscribers_hear() -> None:
    on = air(session(1, 0, (101, "a")))
    client = on.tune_in()
    client.subscribed = False
    on.start()
    on.alarm.run_to(1000)
    assert client.heard == []


def test_who_left_hears_nothing() -> None:
    on = air(session(1, 0, (101, "a")))
    handshake = on.open()
    assert handshake is not None
    client = Client(1)
    handshake.station.join(client)
    handshake.station.leave(client)
    on.start()
    on.alarm.run_to(1000)
    assert client.heard == []


def test_stimuli_are_counted_down_whether_heard_or_not() -> None:
    on = air(session(1, 0, (101, "a"), (201, "b")))
    assert (on.stations.stimuli_left, on.stations.started) == (2, 0)
    on.start()
    on.alarm.run_to(150)
    assert (on.stations.stimuli_left, on.stations.started) == (1, 1)
    on.alarm.run_to(250)
    assert on.stations.stimuli_left == 0


def test_the_nth_handshake_takes_as_long_as_the_nth_did() -> None:
    on = air(session(3, 0), session(5, 100))
    handshakes = [on.open() for _ in range(6)]
    found = [(one.outcome, one.service_ns // MS, one.exchange) for one in handshakes if one]
    assert found[:2] == [("hit", 3, 3), ("hit", 5, 5)]
    assert {outcome for outcome, _, _ in found[2:]} == {"extra"}
    assert {service for _, service, _ in found[2:]} <= {3, 5}


def test_without_recorded_latency_handshakes_take_no_time() -> None:
    handshake = air(session(3, 0), latency_known=False).open()
    assert handshake is not None
    assert handshake.service_ns == 0


def test_the_address_decides_then_the_path_then_any_host() -> None:
    on = air(session(1, 0, target="/ws?streams=a"), session(2, 9, target="/ws?streams=b"))

    def exchange(target: str, host: str = "a.example", *, any_host: bool = False) -> int | None:
        handshake = on.open(target, host, any_host=any_host)
        return None if handshake is None else handshake.exchange

    assert exchange("/ws?streams=b") == 2
    assert exchange("/ws?streams=a") == 1
    assert exchange("/ws?streams=c") is not None
    assert exchange("/other") is None
    assert exchange("/ws?streams=b", "b.example") is None
    assert exchange("/ws?streams=b", "b.example", any_host=True) == 2
    assert exchange("/ws", "b.example", any_host=True) is not None


def test_solo_connections_have_streams_of_their_own() -> None:
    on = air(session(1, 0, (101, "a")), session(2, 5000, (5102, "b")), solo=True)
    clients = []
    for number in range(3):
        client = on.tune_in(number)
        clients.append(client)
    handshakes = [on.open() for _ in range(2)]
    assert len({id(one.station) for one in handshakes if one}) == 2
    assert on.stations.started == 0


def test_a_websocket_key_is_no_request_key() -> None:
    key = websocket_key("a.example", "/ws?b=1&a=2", RULES)
    assert key == Key("WEBSOCKET", "a.example", "/ws", (("a", "2"), ("b", "1")), "")
