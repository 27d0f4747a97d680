from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from perfscan.replay.floor import assumptions, floors, item_floors
from perfscan.replay.model import (
    AnswerEffect,
    CycleEffect,
    CycleStimulus,
    Emulated,
    Event,
    HostLimits,
    Implementation,
    InboundStimulus,
    ItemRules,
    KeyRule,
    MatchRules,
    Message,
    Open,
    PushStimulus,
    Rate,
    RateLimit,
    Recording,
    RecordingHeader,
    Request,
    RequestEffect,
    Response,
    Scenario,
)

MS = 1_000_000
SIDE = Implementation("original", ("python",), Path())
SCENARIO = Scenario(
    *("s", "s", Path(), Path(), SIDE, SIDE),
    ItemRules(
        PushStimulus("wss://feed.test/", KeyRule("$.id")),
        RequestEffect(("POST https://send.test/send",), KeyRule("$.text", r"#(\w+)")),
    ),
    counts={"reports": ("GET https://api.test/report/*",)},
    critical_path=(
        ("POST https://api.test/rpc",),
        ("GET https://api.test/report/*", "GET https://api.test/meta/*"),
        ("POST https://send.test/send",),
    ),
)
COMMON = "C" * 30


class Wire:
    """Builds a recording call by call."""

    def __init__(self) -> None:
        self.events: list[Event] = [
            Open(1, 0, "https", "feed.test", 443),
            Request(1, 1, 0, "GET", "/"),
            Response(1, 1, 1, 1, 101),
        ]
        self.number = 1

    def stimulus(self, key: str, at_ms: int) -> None:
        self.events.append(Message(1, at_ms * MS, "received", json.dumps({"id": key})))

    def call(
        self, url: str, at_ms: int, took_ms: int, body: object = None, answer: object = None
    ) -> None:
        host, _, path = url.partition("/")
        method = "GET" if body is None else "POST"
        self.number += 1
        exchange = connection = self.number
        begin, end = at_ms * MS, (at_ms + took_ms) * MS
        sent = b"" if body is None else json.dumps(body).encode()
        self.events += [
            Open(connection, begin - 1, "https", host, 443),
            Request(exchange, connection, begin, method, f"/{path}", body=sent),
            Response(exchange, connection, end, end, 200, body=json.dumps(answer).encode()),
        ]

    def recording(self, latency: str = "recorded") -> Recording:
        header = replace(RecordingHeader(), latency=latency)  # type: ignore[arg-type]
        return Recording(header, tuple(sorted(self.events, key=lambda event: event.at_ns)))


def item(wire: Wire, key: str, at_ms: int, mint: str, rpc: int, report: int, meta: int) -> None:
    wire.stimulus(key, at_ms)
    wire.call("api.test/rpc", at_ms + 10, rpc, {"tx": key}, {"mint": mint, "program": COMMON})
    wire.call(f"api.test/report/{mint}", at_ms + 400, report, answer={"program": COMMON})
    wire.call(f"api.test/meta/{mint}", at_ms + 400, meta, answer={})
    wire.call("send.test/send", at_ms + 800, 60, {"text": f"#{key}"}, {})


@pytest.fixture
def wire() -> Wire:
    wire = Wire()
    for number in range(8):
        item(wire, f"key{number}", number * 100, f"{number}" * 24, 100 + number, 200, 250)
    return wire


def test_latency_is_the_sum_of_the_slowest_call_of_each_stage(wire: Wire) -> None:
    found = floors(wire.recording(), SCENARIO)

    # 100..107 ms for the transaction, then 250 ms; sending ends the item, its answer is no part
    assert found["item_latency_all_ms.p50"] == pytest.approx(353.5)
    assert found["item_latency_all_ms.mean"] == pytest.approx(353.5)


def test_calls_of_other_items_at_the_same_time_do_not_count(wire: Wire) -> None:
    before = floors(wire.recording(), SCENARIO)["item_latency_all_ms.p95"]
    wire.call("api.test/report/" + "9" * 24, 500, 5000, answer={})
    wire.call(f"api.test/report/{COMMON}", 500, 5000, answer={})  # joined by what all share

    after = floors(wire.recording(), SCENARIO)["item_latency_all_ms.p95"]
    assert after == pytest.approx(before)


def test_of_equal_requests_the_last_before_the_effect_counts(wire: Wire) -> None:
    before = floors(wire.recording(), SCENARIO)["item_latency_all_ms.mean"]
    for number in range(8):  # refused at first, and slow about it
        report = f"api.test/report/{str(number) * 24}"
        wire.call(report, number * 100 + 300, 4000, answer={})

    assert floors(wire.recording(), SCENARIO)["item_latency_all_ms.mean"] == pytest.approx(before)


def test_nothing_is_no_floor(wire: Wire) -> None:
    for number in range(12):  # their effects wait for nothing
        wire.stimulus(f"idle{number}", 4000 + number)
        wire.call("send.test/send", 4100 + number, 60, {"text": f"#idle{number}"}, {})
    found = floors(wire.recording(), SCENARIO)

    assert "item_latency_all_ms.p50" not in found
    assert found["item_latency_all_ms.mean"] == pytest.approx(8 * 353.5 / 20)


def test_what_an_earlier_item_asked_for_costs_nothing(wire: Wire) -> None:
    item(wire, "again", 3000, "1" * 24, 110, 900, 900)  # a known token: only its transaction is new
    found = floors(wire.recording(), SCENARIO)

    assert found["item_latency_all_ms.mean"] == pytest.approx((8 * 353.5 + 110) / 9)


def test_connections_and_counts(wire: Wire) -> None:
    wire.call("api.test/report/" + "1" * 24, 5000, 10, answer={})  # asked before

    found = floors(wire.recording(), SCENARIO)
    assert found["websocket_connects"] == 1
    assert found["connections_opened"] == 3
    assert found["reports"] == 8
    assert found["success_rate"] == 1.0


def test_without_timing_there_is_no_latency_floor(wire: Wire) -> None:
    found = floors(wire.recording(latency="not recorded"), SCENARIO)

    assert not [name for name in found if name.startswith("item_latency")]


INFER = replace(SCENARIO, critical_path=())


def test_what_waits_is_inferred_from_the_values_that_flow() -> None:
    wire = Wire()
    for number in range(4):
        key, order, at = f"key{number}", f"order-{number:04}", number * 2000
        wire.stimulus(key, at)
        wire.call("api.test/quote", at + 10, 100, {"for": key}, {"price": f"1{number}.375"})
        # The two that follow need nothing of each other, however the recorded bot did them.
        wire.call(f"api.test/risk/{key}", at + 120, 300, answer={"limit": 5})
        wire.call("api.test/order", at + 500, 40, {"price": f"1{number}.375"}, {"id": order})
        wire.call("send.test/send", at + 900, 60, {"text": f"#{key} placed {order}"}, {})

    found = item_floors(wire.recording(), INFER)
    assert found == {f"key{number}": pytest.approx(140) for number in range(4)}


def test_calls_that_no_value_joins_prove_no_waiting() -> None:
    wire = Wire()
    wire.stimulus("key1", 0)
    wire.call("api.test/a/key1", 10, 100, answer={"state": "open"})
    wire.call("api.test/b/key1", 200, 100, answer={"state": "open"})
    wire.call("send.test/send", 400, 60, {"text": "#key1 is open"}, {})

    assert item_floors(wire.recording(), INFER) == {}
    assert "item_latency_all_ms.p50" not in floors(wire.recording(), INFER)


def test_of_two_answers_with_a_value_the_quicker_one_is_waited_for() -> None:
    wire = Wire()
    long = "v" * 24
    wire.stimulus("key1", 0)
    wire.call("api.test/slow/key1", 10, 500, answer={"v": long})
    wire.call("api.test/fast/key1", 20, 50, answer={"v": long})
    wire.call("send.test/send", 900, 60, {"text": f"#key1 {long}"}, {})

    assert item_floors(wire.recording(), INFER) == {"key1": pytest.approx(50)}


def test_an_answer_that_came_too_late_was_not_needed() -> None:
    wire = Wire()
    long, later = "v" * 24, "w" * 24
    wire.stimulus("key1", 0)
    wire.call("api.test/one/key1", 10, 50, answer={"v": long})
    wire.call("api.test/two/key1", 20, 5000, answer={"v": later, "w": long})
    wire.call("send.test/send", 900, 60, {"text": f"#key1 {long} {later}"}, {})

    assert item_floors(wire.recording(), INFER) == {"key1": pytest.approx(50)}


CYCLES = replace(
    INFER,
    items=ItemRules(
        CycleStimulus(("GET https://api.test/state",), pause_s=0.5),
        CycleEffect(("POST https://api.test/order",)),
    ),
)


def test_a_cycle_ends_with_the_last_answer_that_its_effects_had_to_wait_for() -> None:
    wire = Wire()
    for cycle in range(3):
        at = 1000 + cycle * 5000
        token = f"{cycle}" * 24
        wire.call("api.test/state", at, 80, answer={"token": token})
        wire.call("api.test/other", at + 100, 900, answer={})
        wire.call("api.test/order", at + 1100, 40, {"with": token, "n": cycle}, {})
        wire.call("api.test/order", at + 1200, 70, {"n": -cycle}, {})

    found = item_floors(wire.recording(), CYCLES)
    assert found == {str(number): pytest.approx(120) for number in (1, 2, 3)}
    # When a cycle begins is the bot's own choice: there is no least time for all of them.
    assert "makespan_s" not in floors(wire.recording(), CYCLES)


POSITIONS = ("GET https://api.test/position/*",)
ORDERS = ("POST https://api.test/order",)
PATH = (("GET https://api.test/state",), POSITIONS, ORDERS)
DECLARED = replace(
    CYCLES,
    critical_path=PATH,
    counts={"positions": POSITIONS},
    match=MatchRules(modes=((POSITIONS[0], "by-cycle"),)),
)


def cycles_of_positions() -> Wire:
    """Two cycles: state 80 ms, position a twice, position b, the same names, and an order.

    The last position comes after the order, with which the cycle ends.
    """
    wire = Wire()
    wire.call("api.test/names", 500, 10, answer=["a", "b"])
    for cycle in range(2):
        at = 1000 + cycle * 5000
        wire.call("api.test/state", at, 80, answer={"n": cycle})
        wire.call("api.test/names", at + 90, 500, answer=["a", "b"])
        wire.call("api.test/position/a", at + 600, 300, answer={"size": 1})
        wire.call("api.test/position/a", at + 950, 200 + cycle, answer={"size": 1})
        wire.call("api.test/position/b", at + 1200, 150, answer={"size": 2})
        wire.call("api.test/order", at + 1500, 40, {"n": cycle}, {})
        wire.call("api.test/position/a", at + 1600, 10, answer={"size": 1})
    return wire


def test_each_cycle_has_the_slowest_request_of_each_stage_however_often_it_is_asked() -> None:
    found = item_floors(cycles_of_positions().recording(), DECLARED)

    assert found == {"1": pytest.approx(80 + 200 + 40), "2": pytest.approx(80 + 201 + 40)}


def test_what_is_decided_of_one_thing_waits_for_no_other() -> None:
    wire = Wire()
    for number, took_ms in enumerate((100, 400, 150)):
        wire.call(f"api.test/position/pair{number}", 1000 + number, took_ms, answer={"size": 1})
    wire.call("api.test/order", 1900, 90, {"symbol": "pair0"}, {})
    wire.call("api.test/order", 1901, 500, {"symbol": "pair2"}, {})
    path = ((POSITIONS[0],), ("POST https://api.test/order",))
    scenario = replace(
        DECLARED,
        critical_path=path,
        items=replace(DECLARED.items, stimulus=CycleStimulus((POSITIONS[0],), pause_s=2.0)),
    )

    found = item_floors(wire.recording(), scenario)

    assert found == {"1": pytest.approx(150 + 500)}, "not 400 + 500"


def test_what_does_not_change_between_cycles_may_be_kept() -> None:
    path = (*PATH, ("GET https://api.test/names",))
    found = item_floors(cycles_of_positions().recording(), replace(DECLARED, critical_path=path))
    assert [*found.values()] == pytest.approx([320, 321]), "the names were known before"

    kept = replace(DECLARED, match=MatchRules())
    found = item_floors(cycles_of_positions().recording(), kept)
    assert [*found.values()] == pytest.approx([320, 120]), "positions that do not go by the cycle"


def test_every_cycle_asks_again_in_the_totals() -> None:
    found = floors(cycles_of_positions().recording(), DECLARED)

    # Names once; state, two positions and an order in each cycle.
    assert found["upstream_requests"] == 1 + 2 * 4
    assert (found["positions"], found["positions_per_item"]) == (4, 2)
    one = replace(
        DECLARED, items=replace(DECLARED.items, stimulus=replace(CYCLES.items.stimulus, cycles=1))
    )
    assert floors(cycles_of_positions().recording(), one)["positions"] == 2


@pytest.mark.parametrize(
    ("limits", "second_ms"),
    [
        (HostLimits("api.test", RateLimit(Rate(2, 1_000_000_000), burst=1)), 1500),
        (HostLimits("api.test", RateLimit(Rate(2, 1_000_000_000), burst=4)), 321),
        (HostLimits("api.test", concurrency=1), 80 + 201 + 150 + 40),
        (HostLimits("api.test", connections=2), 321),
        (HostLimits("other.test", concurrency=1), 321),
    ],
)
def test_a_cycle_takes_as_long_as_the_limits_demand(limits: HostLimits, second_ms: float) -> None:
    limited = replace(DECLARED, emulated=Emulated(limits=(limits,)))
    found = item_floors(cycles_of_positions().recording(), limited)

    assert found["2"] == pytest.approx(second_ms)
    told = assumptions({"item_latency_all_ms.p50": 1.0}, limited)
    assert "no limit is exceeded" in told["item_latency_ms.p50"]


def test_floors_of_cycles_say_what_they_assume() -> None:
    told = assumptions({"item_latency_all_ms.p50": 1.0, "upstream_requests": 9.0}, DECLARED)

    assert "per cycle the slowest chain of requests" in told["item_latency_ms.p50"]
    assert "once in each cycle" in told["upstream_requests"]


def test_an_answer_to_a_user_waits_for_what_it_says() -> None:
    wire = Wire()
    for number in range(3):
        at, user, balance = 1000 * number, f"user-000{number}", f"balance 77{number}.25"
        path, exchange = f"/account/{user}", 900 + number
        wire.events += [
            Open(exchange, at * MS, "http", "bot.test", 80, inbound=True),
            Request(exchange, exchange, at * MS, "GET", path),
            Response(
                exchange, exchange, (at + 700) * MS, (at + 700) * MS, 200, body=balance.encode()
            ),
        ]
        wire.call(f"api.test/account/{user}", at + 10, 120, answer={"balance": f"77{number}.25"})
        wire.call(f"api.test/history/{user}", at + 200, 400, answer={"days": 365})
    rules = ItemRules(InboundStimulus("GET /account/*"), AnswerEffect())
    found = item_floors(wire.recording(), replace(INFER, items=rules))

    assert [*found.values()] == [pytest.approx(120)] * 3


def test_totals_and_spans(wire: Wire) -> None:
    found = floors(wire.recording(), SCENARIO)

    assert found["upstream_requests"] == 4 * 8
    assert found["upstream_requests_per_item"] == 4
    # The last item begins after 700 ms and takes 107 + 250.
    assert found["makespan_s"] == pytest.approx(0.7 + 0.357)
    assert found["throughput_items_per_s"] == pytest.approx(8 / 1.057)


def test_replies_that_are_told_apart_by_their_number_are_all_needed() -> None:
    wire = Wire()
    for number in range(6):
        wire.call("send.test/send", 100 * number, 20, {"text": f"#chat{number % 2} {number}"}, {})
    replies = replace(SCENARIO, counts={"replies": ("POST https://send.test/send",)})
    by_key = replace(
        replies,
        match=MatchRules(
            effect=RequestEffect(("POST https://send.test/send",), KeyRule("$.text", r"#(\w+)"))
        ),
    )
    numbered = replace(by_key, items=replace(by_key.items, numbered=True))

    assert floors(wire.recording(), by_key)["replies"] == 2
    assert floors(wire.recording(), numbered)["replies"] == 6


def test_a_rate_limit_makes_requests_last(wire: Wire) -> None:
    rate = RateLimit(Rate(2, 1_000_000_000), burst=4, requests=("GET https://api.test/*/*",))
    limited = replace(SCENARIO, emulated=Emulated(limits=(HostLimits("api.test", rate),)))
    found = floors(wire.recording(), limited)

    # 16 different reports and descriptions, 4 of them at once, then 2 a second.
    assert found["makespan_s"] == pytest.approx(6)
    assert found["throughput_items_per_s"] == pytest.approx(8 / 6)
    weighed = replace(rate, weights={"GET https://api.test/meta/*": 5})
    limited = replace(SCENARIO, emulated=Emulated(limits=(HostLimits("api.test", weighed),)))
    assert floors(wire.recording(), limited)["makespan_s"] == pytest.approx((8 + 40 - 4) / 2)
    assert "rate limit" in assumptions(found, limited)["makespan_s"]


def test_a_faster_replay_has_lower_floors(wire: Wire) -> None:
    found = floors(wire.recording(), SCENARIO, speed=10)

    assert found["item_latency_all_ms.mean"] == pytest.approx(35.35)
    assert found["makespan_s"] == pytest.approx(0.1057)


def test_a_part_of_the_streams_has_floors_for_its_items_alone(wire: Wire) -> None:
    item(wire, "late", 60_000, "L" * 24, 5000, 5000, 5000)

    assert "late" in item_floors(wire.recording(), SCENARIO)
    assert "late" not in item_floors(wire.recording(), SCENARIO, until_s=30)
    found = floors(wire.recording(), SCENARIO, until_s=30)
    assert found["item_latency_all_ms.mean"] == pytest.approx(353.5)
    assert not {"upstream_requests", "reports", "makespan_s"} & found.keys()


def test_every_floor_says_what_it_assumes(wire: Wire) -> None:
    best = floors(wire.recording(), SCENARIO)
    told = assumptions(best, SCENARIO)
    assert set(best) <= set(told)
    assert "critical path" in told["item_latency_ms.p50"]
    assert "a value in the recording proves" in assumptions(best, INFER)["item_latency_ms.p50"]
