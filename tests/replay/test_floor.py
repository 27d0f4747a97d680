from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from perfscan.replay.floor import floors
from perfscan.replay.model import (
    Event,
    Implementation,
    ItemRules,
    KeyRule,
    Message,
    Open,
    PushStimulus,
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
        RequestEffect("POST https://send.test/send", KeyRule("$.text", r"#(\w+)")),
    ),
    counts={"reports": "GET https://api.test/report/*"},
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


def test_without_path_or_timing_there_is_no_latency_floor(wire: Wire) -> None:
    no_path = floors(wire.recording(), replace(SCENARIO, critical_path=()))
    no_time = floors(wire.recording(latency="not recorded"), SCENARIO)

    assert not [name for name in (*no_path, *no_time) if name.startswith("item_latency")]
