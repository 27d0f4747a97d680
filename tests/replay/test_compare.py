from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from perfscan.replay.compare import compare
from perfscan.replay.doubts import Circumstances
from perfscan.replay.model import (
    Claim,
    Comparison,
    Implementation,
    Item,
    ItemRules,
    KeyRule,
    MetricComparison,
    PushStimulus,
    RequestEffect,
    Run,
    Scenario,
    Side,
    Verdict,
)

SIDE = Implementation("original", ("python",), Path())
SCENARIO = Scenario(
    *("s", "s", Path(), Path(), SIDE, SIDE),
    ItemRules(
        PushStimulus("wss://h/", KeyRule("$.id")),
        RequestEffect(("POST https://h/y",), KeyRule("$.id")),
    ),
)
LATENCY = "item_latency_ms.p95"


def run(side: Side, pair: int, latency_ms: float, extra: Mapping[str, float] | None = None) -> Run:
    first: Side = "optimized" if pair % 2 else "original"
    items = tuple(
        Item(str(key), 0, "handled", latency_ms * (1 + key / 100), "c") for key in range(10)
    )
    return Run(side, pair, int(side != first), True, {"success_rate": 1.0, **(extra or {})}, items)


def bench(
    factor: float,
    pairs: int = 6,
    *,
    seed: int = 1,
    before: Mapping[str, float] | None = None,
    after: Mapping[str, float] | None = None,
) -> list[Run]:
    chance = random.Random(seed)
    runs = []
    for pair in range(pairs):
        runs.append(run("original", pair, 4000 * chance.uniform(0.98, 1.02), before))
        runs.append(run("optimized", pair, 4000 * factor * chance.uniform(0.98, 1.02), after))
    return runs


def metric(comparison: Comparison, name: str = LATENCY) -> MetricComparison:
    return next(one for one in comparison.metrics if one.name == name)


def drop(runs: Sequence[Run], side: Side, keys: int) -> list[Run]:
    """Let ``side`` miss its first ``keys`` items in every run."""
    return [
        replace(
            one,
            items=tuple(
                replace(item, state="missed", latency_ms=None) if int(item.key) < keys else item
                for item in one.items
            ),
        )
        if one.side == side
        else one
        for one in runs
    ]


def test_a_real_improvement_is_found() -> None:
    found = compare(bench(0.2), SCENARIO)

    assert (found.verdict, found.pairs) == ("faster", 6)
    latency = metric(found)
    assert latency.verdict == "improved"
    assert latency.ci_low is not None
    assert latency.ci_high is not None
    assert 0.18 < latency.ci_low < 0.2 < latency.ci_high < 0.22
    assert latency.confidence == pytest.approx(0.96875)
    assert found.equivalence.same
    assert found.noise[LATENCY] < 0.05


def test_the_same_code_is_no_change() -> None:
    assert {compare(bench(1.0, seed=s), SCENARIO).verdict for s in range(20)} <= {
        "no change found",
        "inconclusive",
    }


def test_slower_and_mixed() -> None:
    assert compare(bench(2.0), SCENARIO).verdict == "slower"
    worse = bench(
        0.2, before={"throughput_items_per_s": 9.0}, after={"throughput_items_per_s": 3.0}
    )
    assert compare(worse, SCENARIO).verdict == "mixed"
    dear = bench(0.2, before={"cpu_s": 1.0}, after={"cpu_s": 3.0})
    assert metric(compare(dear, SCENARIO), "cpu_s").verdict == "regressed"
    assert compare(dear, SCENARIO).verdict == "faster", "a cost is told, not held against it"


def test_every_verdict_can_be_reached() -> None:
    noisy = [replace(one, items=()) for one in bench(0.2)]
    verdicts = [
        compare(bench(0.2), SCENARIO).verdict,
        compare(bench(2.0), SCENARIO).verdict,
        compare(
            bench(0.2, before={"throughput_items_per_s": 9.0}, after={"throughput_items_per_s": 3}),
            SCENARIO,
        ).verdict,
        compare(bench(1.0), replace(SCENARIO, threshold=0.2)).verdict,
        compare(noisy, SCENARIO).verdict,
        compare(drop(bench(0.2), "optimized", 1), SCENARIO).verdict,
    ]
    assert verdicts == list(get_args(Verdict))


def test_a_change_in_one_order_only_is_doubted_and_not_called_one() -> None:
    # Ten of twelve pairs run the optimized side second, where it takes half as long again.
    runs = []
    for pair in range(12):
        second = pair % 6 != 0
        slot = int(second)
        fast, slow = run("original", pair, 1000.0), run("optimized", pair, 1500.0)
        slow = slow if second else run("optimized", pair, 990.0)
        runs += [replace(fast, slot=1 - slot), replace(slow, slot=slot)]
    found = compare(runs, SCENARIO)

    assert metric(found).ci_low is not None
    assert metric(found).verdict == "unclear"
    assert found.verdict == "inconclusive"
    assert "SlotsDisagree" in [doubt.code for doubt in found.doubts]


def test_too_few_pairs_decide_nothing_but_equal_counts() -> None:
    counts = {"upstream_requests": 40.0, "websocket_connects": 9.0}
    fewer = {"upstream_requests": 40.0, "websocket_connects": 1.0}
    found = compare(bench(0.2, pairs=5, before=counts, after=fewer), SCENARIO)

    assert found.verdict == "inconclusive"
    assert metric(found).verdict == "unclear"
    assert metric(found, "websocket_connects").verdict == "unclear"
    assert metric(found, "upstream_requests").verdict == "no change"
    assert [doubt.code for doubt in found.doubts] == ["TooFewPairs"]


def test_counts_that_never_vary_are_exact() -> None:
    found = compare(
        bench(0.2, before={"websocket_connects": 220}, after={"websocket_connects": 1}), SCENARIO
    )

    connects = metric(found, "websocket_connects")
    assert (connects.verdict, connects.confidence) == ("improved", 1.0)
    assert connects.ci_low == connects.ci_high == pytest.approx(1 / 220)


def test_values_without_a_ratio_are_judged_by_direction() -> None:
    found = compare(
        bench(0.2, before={"own": 3, "other": 0}, after={"own": 0, "other": 0}), SCENARIO
    )

    assert metric(found, "own").ratio is None
    assert metric(found, "own").verdict == "improved"
    assert metric(found, "other").verdict == "no change"


def test_latency_is_compared_over_items_that_both_handled() -> None:
    runs = drop(bench(1.0), "original", 9)  # only the slowest item is left to the original
    found = compare(runs, SCENARIO)

    assert found.equivalence.same, "what the original missed is a gain, no difference"
    assert metric(found).verdict == "no change"


def test_a_dropped_item_is_different_work_and_silences_claims() -> None:
    claimed = replace(SCENARIO, claims=(Claim("5x", "table", LATENCY, ratio=(0.3, 0.3)),))

    assert compare(bench(0.2), claimed).claims[0].verdict == "confirmed"
    found = compare(drop(bench(0.2), "optimized", 1), claimed)
    assert found.verdict == "replies differ"
    assert found.claims[0].verdict == "not measured"


def test_failed_runs_drop_out_with_their_pair() -> None:
    runs = bench(0.2, pairs=7)
    runs[3] = replace(runs[3], ok=False, problem="exit code 1", items=())
    found = compare(runs, SCENARIO)

    assert (found.pairs, found.verdict) == (6, "faster")
    assert [doubt.code for doubt in found.doubts] == ["BotCrashed"]
    assert compare([replace(one, ok=False) for one in runs], SCENARIO).verdict == "inconclusive"
    assert compare([], SCENARIO).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("target", "met"), [(1000.0, "met"), (870.0, "not proven"), (500.0, "missed")]
)
def test_targets_are_judged_by_the_interval(target: float, met: str) -> None:
    found = compare(bench(0.2), replace(SCENARIO, targets={LATENCY: target}))

    assert metric(found).target_met == met


def test_targets_of_what_should_be_high() -> None:
    wanted = replace(SCENARIO, targets={"success_rate": 0.9})
    assert metric(compare(bench(0.2), wanted), "success_rate").target_met == "met"
    wanted = replace(SCENARIO, targets={"success_rate": 1.1})
    assert metric(compare(bench(0.2), wanted), "success_rate").target_met == "missed"


def test_an_unclear_metric_says_what_would_settle_it() -> None:
    noisy = [
        run(side, pair, 1000 * (1.3 if (pair + (side == "optimized")) % 3 else 1.0))
        for pair in range(6)
        for side in ("original", "optimized")
    ]
    latency = metric(compare(noisy, SCENARIO))

    assert latency.verdict == "unclear"
    assert latency.detectable is not None
    assert latency.detectable > 0.1
    assert latency.pairs_to_settle is None or latency.pairs_to_settle > 6


UNEQUAL = {
    "before": {"success_rate": 0.1, "cpu_s": 1.0, "cpu_ms_per_item": 50.0},
    "after": {"success_rate": 1.0, "cpu_s": 2.0, "cpu_ms_per_item": 10.0},
}


def test_totals_of_unequal_amounts_of_work_have_no_verdict() -> None:
    more = compare(bench(0.2, **UNEQUAL), SCENARIO)
    assert metric(more, "cpu_s").verdict == "unclear"
    assert metric(more, "cpu_ms_per_item").verdict == "improved"

    less = compare(bench(0.2, before=UNEQUAL["after"], after=UNEQUAL["before"]), SCENARIO)
    assert metric(less, "cpu_s").verdict == "unclear", "it only did less"
    assert metric(less, "cpu_ms_per_item").verdict == "regressed"


def test_totals_that_shrank_although_more_was_done_keep_their_verdict() -> None:
    found = compare(
        bench(
            0.2,
            before={"success_rate": 0.1, "cpu_s": 2.0, "cpu_ms_per_item": 50.0},
            after={"success_rate": 1.0, "cpu_s": 1.0, "cpu_ms_per_item": 10.0},
        ),
        SCENARIO,
    )
    assert metric(found, "cpu_s").verdict == "improved"


def test_the_latency_floor_is_that_of_the_items_both_handled() -> None:
    floors = {"1": 100.0, "7": 300.0, "8": 900.0}
    runs = drop(bench(0.2), "original", 2)
    runs = [
        replace(one, items=tuple(item for item in one.items if item.key != "8")) for one in runs
    ]
    found = compare(runs, SCENARIO, floors={LATENCY: 1.0}, item_floors=floors)

    assert metric(found).floor == 300.0


def test_floors_and_circumstances_arrive() -> None:
    found = compare(
        bench(0.2),
        SCENARIO,
        floors={LATENCY: 600.0},
        circumstances=Circumstances(interrupted=True),
    )

    assert metric(found).floor == 600.0
    assert [doubt.code for doubt in found.doubts] == ["Interrupted"]


def test_the_same_runs_give_the_same_figures() -> None:
    runs = bench(0.9, pairs=14)

    assert compare(runs, SCENARIO) == compare(runs, SCENARIO)
