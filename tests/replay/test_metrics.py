from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from perfscan.replay.beginning import Watched
from perfscan.replay.catalogue import TOTALS
from perfscan.replay.exchanges import exchanges
from perfscan.replay.faults import read_faults
from perfscan.replay.metrics import (
    common_latencies,
    emulation_metrics,
    item_metrics,
    measure,
    per_item_metrics,
    percentile,
    schedule_metrics,
    summary,
    traffic_metrics,
)
from perfscan.replay.model import (
    Emulated,
    HostLimits,
    Implementation,
    Item,
    ItemRules,
    ItemState,
    KeyRule,
    MatchRules,
    Message,
    Miss,
    Observation,
    Observed,
    Open,
    Outcome,
    Pushed,
    PushStimulus,
    Recording,
    RecordingHeader,
    Request,
    RequestEffect,
    Response,
    Scenario,
    Served,
    StreamStart,
)
from perfscan.replay.schedule import Slot

MS = 1_000_000


def item(key: str, at_ms: float, latency_ms: float | None, state: ItemState = "handled") -> Item:
    return Item(key, int(at_ms * MS), state, latency_ms)


def test_percentiles_are_linear_between_values() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.5
    assert percentile([10.0, 20.0], 0.95) == pytest.approx(19.5)
    assert percentile([7.0], 0.95) == 7.0


def test_high_percentiles_need_many_values() -> None:
    assert set(summary("x", [1.0] * 999)) == {"x.p50", "x.p95", "x.mean"}
    assert "x.p99" in summary("x", [1.0] * 1000)
    assert "x.p99.9" not in summary("x", [1.0] * 9_999)
    assert "x.p99.9" in summary("x", [1.0] * 10_000)
    assert summary("x", []) == {}


def test_item_metrics_count_only_what_was_handled_rightly() -> None:
    metrics = item_metrics(
        [
            item("a", 0, 100),
            item("b", 1000, 300),
            item("c", 1500, 50, "duplicated"),
            item("d", 1600, None, "missed"),
            Item("beyond", 0, "handled", 9999.0, expected=False),
        ]
    )

    assert metrics["item_latency_ms.p50"] == metrics["item_latency_all_ms.p50"] == 200
    assert metrics["item_latency_ms.mean"] == 200
    assert metrics["makespan_s"] == pytest.approx(1.3)
    assert metrics["throughput_items_per_s"] == pytest.approx(2 / 1.3)
    assert metrics["success_rate"] == 0.5


def test_a_run_that_handled_nothing_has_no_latency_but_a_success_rate() -> None:
    assert item_metrics([item("a", 0, None, "missed")]) == {"success_rate": 0.0}
    assert item_metrics([]) == {}


def test_latencies_of_a_pair_are_over_the_items_that_both_handled() -> None:
    before = [item("a", 0, 100), item("slow", 0, 900), item("c", 0, 300)]
    after = [item("a", 0, 10), item("slow", 0, None, "missed"), item("c", 0, 30)]

    first, second = common_latencies(before, after)

    assert (first["item_latency_ms.mean"], second["item_latency_ms.mean"]) == (200, 20)


def call(
    exchange: int, connection: int, begin_ms: int, end_ms: int, status: int = 200
) -> list[Observed]:
    return [
        Request(exchange, connection, begin_ms * MS, "POST", f"/x/{exchange}", body=b"12345"),
        Response(exchange, connection, end_ms * MS - 1, end_ms * MS, status),
    ]


WIRE = Observation(
    (
        Open(1, 0, "https", "h", 443),
        Request(1, 1, 0, "GET", "/ws"),
        Response(1, 1, 1, 1, 101),
        Message(1, 2, "sent", "é"),
        Pushed(1, 0, 2 * MS, 3 * MS),
        Open(2, 10 * MS, "https", "h", 443),
        *call(2, 2, 30, 50),
        Served(2, "hit", 2, 40 * MS, 40 * MS, 7, written=90),
        *call(3, 2, 60, 100),
        Open(3, 70 * MS, "https", "h", 443),
        *call(4, 3, 80, 120),
        *call(5, 3, 120, 130),
        Request(6, 3, 140 * MS, "GET", "/never/answered"),
    )
)
RECORDED = Recording(RecordingHeader(), (Message(1, 0, "received", "hello"),))


def test_traffic_is_counted_as_the_bot_caused_it() -> None:
    metrics = traffic_metrics(WIRE, exchanges(WIRE), RECORDED)

    assert metrics["upstream_requests"] == 5
    assert metrics["websocket_connects"] == 1
    assert metrics["connections_opened"] == 3
    assert metrics["tls_handshakes"] == 3
    assert metrics["websocket_reconnects"] == 0
    assert metrics["max_in_flight"] == 2, "an answer that ends as a request begins does not overlap"
    assert metrics["bytes_in"] == 7 + 5
    assert metrics["wire_bytes_in"] == 90 + 5
    assert metrics["bytes_out"] == 4 * 5 + 2
    heads = len(b"GET /ws HTTP/1.1\r\n\r\n") + len(b"GET /never/answered HTTP/1.1\r\n\r\n")
    assert metrics["wire_bytes_out"] == 4 * 5 + 2 + heads + 4 * len(b"POST /x/2 HTTP/1.1\r\n\r\n")
    # 40 and 50 ms from the connection's opening, 40 and 10 ms on a warm connection
    assert metrics["upstream_latency_ms.p50"] == 40


def test_connecting_again_to_a_stream_is_counted_apart() -> None:
    events = [*WIRE.events]
    for number, target in enumerate(("/ws?again=1", "/ws?again=2", "/other"), 20):
        events += [
            Open(number, number * MS, "https" if number < 22 else "http", "h", 443),
            Request(number, number, number * MS, "GET", target, (("Host", "h"),)),
            Response(number, number, number * MS, number * MS, 101),
        ]
    metrics = traffic_metrics(Observation((*events,)), exchanges(Observation((*events,))), RECORDED)

    assert metrics["websocket_connects"] == 4
    assert metrics["websocket_reconnects"] == 2, "another stream is no reconnect"
    assert metrics["tls_handshakes"] == 5


def test_lateness_is_that_of_answers_and_pushed_messages() -> None:
    metrics = schedule_metrics(WIRE)

    assert metrics["schedule_lateness_ms.max"] == 1.0
    assert metrics["schedule_lateness_ms.p50"] == 0.5
    assert schedule_metrics(Observation(())) == {}


def test_answers_that_a_fault_took_are_not_late() -> None:
    taken = Served(1, "fault", None, 0, 5_000_000_000, 0)
    late = schedule_metrics(Observation((*WIRE.events, taken)))

    assert late == schedule_metrics(WIRE)


def test_what_limits_and_faults_took_is_counted_where_there_are_any() -> None:
    outcomes: list[Outcome] = ["hit", "refused", "refused", "fault"]
    seen = Observation(tuple(Served(1, outcome, None, 0, 0, 0) for outcome in outcomes))
    faults, limits = read_faults(["loss=5%"]), (HostLimits("h"),)

    assert emulation_metrics(seen, Emulated()) == {}
    assert emulation_metrics(seen, Emulated(faults)) == {"requests_failed_by_fault": 1}
    assert emulation_metrics(seen, Emulated((), limits)) == {"requests_refused": 2}


def scenario(*, allow_misses: bool = False) -> Scenario:
    side = Implementation("original", ("python",), Path())
    rules = ItemRules(
        PushStimulus("wss://h/", KeyRule("$.id")),
        RequestEffect(("POST https://h/y",), KeyRule("$.id")),
    )
    return Scenario(
        *("s", "s", Path(), Path(), side, side, rules),
        match=MatchRules(allow_misses=allow_misses),
        counts={"x_calls": ("POST https://h/x/*",)},
        latencies={
            "x_ms": ("POST https://h/x/3", "POST https://h/x/4"),
            "none_ms": ("GET https://h/",),
        },
    )


def test_a_run_holds_its_place_its_process_figures_and_own_counts() -> None:
    run = measure(
        RECORDED, WIRE, scenario(), {"cpu_s": 1.5}, slot=Slot("optimized", 3, 1), log="bye"
    )

    assert (run.side, run.pair, run.slot, run.ok, run.log) == ("optimized", 3, 1, True, "bye")
    assert (run.metrics["cpu_s"], run.metrics["x_calls"]) == (1.5, 4)
    assert run.metrics["duplicates"] == 0
    latencies = {name: value for name, value in run.metrics.items() if name.startswith("x_ms")}
    # 40 ms on a warm connection, 50 from the opening of one; too few for a 99th percentile
    assert latencies == {"x_ms.p50": 45.0, "x_ms.p95": pytest.approx(49.5), "x_ms.mean": 45.0}


def test_what_was_seen_of_the_process_is_set_beside_the_traffic() -> None:
    watched = Watched(-2_000 * MS, [(-1_000 * MS, 50.0)])
    seen = Observation((StreamStart("wss://h/", 0, 0), *WIRE.events))
    run = measure(RECORDED, seen, scenario(), {}, slot=Slot("original", 0, 0), watched=watched)

    assert run.metrics["ready_s"] == 2.0


def test_a_count_may_be_of_several_requests() -> None:
    several = ("POST https://h/x/*", "GET https://h/never/answered")
    counts = {"one": several[:1], "other": several[1:], "both": several}
    run = measure(
        *(RECORDED, WIRE, replace(scenario(), counts=counts), {}), slot=Slot("original", 0, 0)
    )
    found = [run.metrics[name] for name in counts]
    assert found[1] > 0
    assert found[0] + found[1] == found[2]


def test_a_miss_fails_the_run_unless_the_scenario_allows_it() -> None:
    missed = Served(9, "miss", None, 0, 0, 0, Miss("GET https://h/gone", ()))
    observed = Observation((*WIRE.events, missed, missed))
    slot = Slot("original", 0, 0)

    run = measure(RECORDED, observed, scenario(), {}, slot=slot)
    assert not run.ok
    assert run.problem == "the recording does not hold GET https://h/gone and 1 more"
    assert len(run.misses) == 2
    assert measure(RECORDED, observed, scenario(allow_misses=True), {}, slot=slot).ok
    assert (
        measure(RECORDED, observed, scenario(), {}, slot=slot, problem="crash").problem == "crash"
    )


def test_totals_are_also_given_per_item_handled() -> None:
    totals = dict.fromkeys(TOTALS, 12.0) | {"own": 6.0, "cpu_s": 0.3}
    found = per_item_metrics(totals, 3, ["own"])

    assert found["upstream_requests_per_item"] == 4
    assert found["own_per_item"] == 2
    assert found["cpu_ms_per_item"] == pytest.approx(100)
    assert per_item_metrics(totals, 0, ["own"]) == {}
    assert "blocked_ms_per_item" not in per_item_metrics({"bytes_in": 1.0}, 3, [])


def test_what_a_long_poll_waits_for_is_no_latency() -> None:
    opened = Open(1, 0, "https", "api.telegram.org", 443)
    events = [
        opened,
        Request(1, 1, 0, "POST", "/bot1/getUpdates"),
        Response(1, 1, 30_000 * MS, 30_000 * MS, 200),
        Request(2, 1, 30_000 * MS, "POST", "/bot1/sendMessage"),
        Response(2, 1, 30_020 * MS, 30_020 * MS, 200),
    ]
    seen = Observation(tuple(events))

    with_polls = traffic_metrics(seen, exchanges(seen), RECORDED, {1})

    assert with_polls["upstream_latency_ms.p50"] == 20
    assert with_polls["upstream_requests"] == 2
