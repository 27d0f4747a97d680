"""What a request meets, with a clock that the test sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from perfscan.replay.faults import read_faults
from perfscan.replay.keys import read_request
from perfscan.replay.model import Emulated, HostLimits, MatchRules, Rate, RateLimit, Refusal
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.answers import Answer
from perfscan.replay.server.emulation import UNDISTURBED, Emulation
from perfscan.replay.server.recognition import Heard
from perfscan.replay.server.timeline import Pace

S = 10**9
HIT = Answer("hit", 1, 200, "OK", (("X-Used", "recorded"),), b"x" * 100, 10)


class Clock:
    """Calls back when the test says that it is time."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.waiting: list[tuple[int, Callable[[], None]]] = []

    def now(self) -> int:
        return self.now_ns

    def at(self, due_ns: int, call: Callable[[], None]) -> None:
        self.waiting.append((due_ns, call))

    def run_until(self, now_ns: int) -> None:
        while due := [one for one in self.waiting if one[0] <= now_ns]:
            first = min(due, key=lambda one: one[0])
            self.waiting.remove(first)
            self.now_ns = first[0]
            first[1]()
        self.now_ns = now_ns


class Visitor:
    def __init__(self, number: int = 1, *, is_websocket: bool = False) -> None:
        self.number = number
        self.is_websocket = is_websocket
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1


def heard(target: str = "/a", host: str = "h", *, websocket: bool = False) -> Heard:
    asked = read_request("GET", host, target, (), b"", MatchRules())
    return Heard(
        *(1, "GET", target, (), b"", host, host, asked),
        *(False, False, "", websocket, None),
    )


def emulation(
    *specs: str, limits: tuple[HostLimits, ...] = (), clock: Clock | None = None, **values: Any
) -> Emulation:
    settings = {"seed": 1, "patience_ns": 60 * S, "failures": {}, "started": True, **values}
    speed = settings.pop("speed", 1.0)
    alarm = cast(Alarm, clock or Clock())
    return Emulation(Emulated(read_faults(specs), limits), alarm, Pace(speed), **settings)


def test_nothing_becomes_of_an_answer_that_nothing_concerns() -> None:
    assert UNDISTURBED.upon(HIT) is HIT
    assert emulation("latency=1s@other").meet(heard(), 1, 0).upon(HIT) == HIT


def test_a_miss_is_never_hidden() -> None:
    miss = Answer("miss", None, 599, "", (), b"")
    assert emulation("reset=100%", "latency=1s").meet(heard(), 1, 0).upon(miss) is miss


def test_delays_and_slow_bodies_change_the_recorded_answer() -> None:
    answer = emulation("latency=1s", "slow-body=100B/s").meet(heard(), 1, 0).upon(HIT)
    assert answer.service_ns == HIT.service_ns + S
    assert (answer.pieces[-1], answer.body_ns) == ((S, 10), S)
    assert answer.accepts


def test_a_damaged_answer_was_not_accepted() -> None:
    answer = emulation("reset=100%").meet(heard(), 1, 0).upon(HIT)
    assert (answer.outcome, answer.accepts, answer.plain) == ("fault", False, False)


def test_limits_wait_in_recorded_time_and_tell_the_run_s() -> None:
    limits = (HostLimits("h", rate=RateLimit(Rate(1, 100 * S), 1)),)
    fast = emulation(limits=limits, speed=10.0)
    assert fast.meet(heard(), 1, 0).instead is None
    refused = fast.meet(heard(), 1, 0).instead
    assert refused is not None
    assert dict(refused.headers)["Retry-After"] == "10"
    assert fast.meet(heard(), 1, 10 * S).instead is None


def test_the_used_weight_replaces_the_recorded_one() -> None:
    limits = (HostLimits("h", rate=RateLimit(Rate(10, S), 10, weight_header="X-USED")),)
    assert emulation(limits=limits).meet(heard(), 1, 0).upon(HIT).headers == (("X-USED", "1"),)


def test_work_waits_for_its_turn() -> None:
    busy = emulation(limits=(HostLimits("h", concurrency=1),))
    times = [busy.meet(heard(), 1, 0).upon(HIT).service_ns for _ in range(3)]
    assert times == [10, 20, 30]


def test_one_connection_too_many_is_turned_away() -> None:
    full = emulation(limits=(HostLimits("h", connections=1),))
    first, second = Visitor(1), Visitor(2)
    full.join(first, "h", 0)
    full.join(second, "h", 0)
    assert full.meet(heard(), 1, 0).instead is None
    turned_away = full.meet(heard(), 2, 0).instead
    assert turned_away is not None
    assert (turned_away.outcome, turned_away.accepts) == ("refused", False)
    full.leave(first)
    full.leave(second)
    full.join(Visitor(3), "h", 0)
    assert full.meet(heard(), 3, 0).instead is None


def test_an_outage_counts_from_the_streams_or_the_first_request() -> None:
    later = emulation("outage=h:0s-5s", started=False)
    assert later.meet(heard(), 1, 0).instead is None, "no stream has begun"
    later.begin(2 * S)
    assert later.meet(heard(), 1, 3 * S).instead is not None
    assert later.meet(heard(host="other"), 1, 3 * S).instead is None
    at_once = emulation("outage=h:0s-5s")
    assert at_once.meet(heard(), 1, 9 * S).instead is not None
    assert at_once.meet(heard(), 1, 14 * S).instead is None


def test_connections_are_cut_when_it_is_time() -> None:
    clock = Clock()
    one = emulation("ws-drop=every:30s", "outage=h:40s-50s", clock=clock, started=False)
    stream, plain = Visitor(1, is_websocket=True), Visitor(2)
    elsewhere = Visitor(3)
    one.join(stream, "h", 0)
    one.join(plain, "h", 0)
    one.join(elsewhere, "other", 0)
    one.begin(0)
    one.begin(5 * S)
    clock.run_until(65 * S)
    assert (stream.resets, plain.resets, elsewhere.resets) == (3, 1, 0)


def test_a_drop_keeps_its_times_however_late_it_is_played() -> None:
    clock = Clock()
    one = emulation("ws-drop=every:30s", clock=clock, started=False)
    one.begin(0)
    ((_, call),) = clock.waiting
    clock.waiting.clear()
    clock.now_ns = 31 * S
    call()
    assert [due_ns for due_ns, _ in clock.waiting] == [60 * S]


def test_a_handshake_is_spoilt_instead_of_answered() -> None:
    for spec in ("reset=100%", "stall=100%", "malformed=100%"):
        assert emulation(spec).meet(heard(websocket=True), 1, 0).instead is not None
    assert emulation("latency=1s").meet(heard(websocket=True), 1, 0).delay_ns == S


def test_who_is_never_answered_is_sent_away_in_the_end() -> None:
    clock, visitor = Clock(), Visitor()
    one = emulation("stall=100%", clock=clock)
    one.join(visitor, "h", 0)
    one.give_up(visitor)
    clock.run_until(59 * S)
    assert visitor.resets == 0
    clock.run_until(60 * S)
    assert visitor.resets == 1


def test_fewer_connections_than_one_an_interval_are_still_some() -> None:
    rare = emulation(limits=(HostLimits("h", new_connections=Rate(0.5, S)),))
    for number, at_s, welcome in ((1, 0, True), (2, 1, False), (3, 2, True)):
        rare.join(Visitor(number), "h", at_s * S)
        assert (rare.meet(heard(), number, at_s * S).instead is None) is welcome


def test_a_handshake_that_the_rate_refuses_is_no_open_websocket() -> None:
    limits = (HostLimits("h", rate=RateLimit(Rate(1, S), 1), websockets=1),)
    one = emulation(limits=limits)
    assert one.meet(heard(), 1, 0).instead is None
    refused = one.meet(heard(websocket=True), 1, 0).instead
    assert refused is not None
    assert refused.status == 429
    assert one.meet(heard(websocket=True), 2, S).instead is None


def test_the_scenario_s_own_wait_passes_as_fast_as_the_run() -> None:
    limit = RateLimit(Rate(1, 100 * S), 1, refusal=Refusal(429, 30))
    fast = emulation(limits=(HostLimits("h", rate=limit),), speed=10.0)
    fast.meet(heard(), 1, 0)
    refused = fast.meet(heard(), 1, 0).instead
    assert refused is not None
    assert dict(refused.headers)["Retry-After"] == "3"


def test_a_storm_has_a_beginning_and_an_end() -> None:
    storm = emulation("status=429@h:10s-20s", started=False)
    assert storm.meet(heard(), 1, 4 * S).instead is None
    storm.begin(5 * S)
    met = [storm.meet(heard(), 1, at * S) for at in (6, 15, 24, 25)]
    assert [one.instead and one.instead.status for one in met] == [None, 429, 429, None]


def test_drops_in_a_window_stop_with_it() -> None:
    clock = Clock()
    one = emulation("ws-drop=every:10s@15s-40s", clock=clock, started=False)
    visitor = Visitor(is_websocket=True)
    one.join(visitor, "h", 0)
    one.begin(0)
    seen = []
    for second in (10, 20, 30, 40, 100):
        clock.run_until(second * S)
        seen.append(visitor.resets)
    assert seen == [0, 1, 2, 2, 2]
