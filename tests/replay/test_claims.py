from __future__ import annotations

from dataclasses import replace

import pytest

from perfscan.replay.claims import claimed_ratio, judge_claims
from perfscan.replay.model import Claim, MetricComparison

METRIC = MetricComparison(
    name="item_latency_ms.p50",
    unit="ms",
    better="lower",
    before=4000,
    after=1000,
    ratio=0.25,
    ci_low=0.24,
    ci_high=0.28,
    confidence=0.969,
    verdict="improved",
    after_low=950,
    after_high=1100,
)


def claim(**values: object) -> Claim:
    return Claim("text", "table, row 1", METRIC.name, **values)  # type: ignore[arg-type]


def judge(made: Claim, metric: MetricComparison = METRIC, *, same: bool = True) -> tuple[str, str]:
    (result,) = judge_claims([made], {metric.name: metric}, same_work=same)
    return result.verdict, result.measured


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        ((0.3, 0.3), "confirmed"),
        ((0.28, 0.28), "confirmed"),
        ((0.26, 0.26), "not confirmed"),
        ((0.2, 0.2), "refuted"),
        ((0.2, 0.33), "confirmed"),
        ((0.9, 0.95), "confirmed"),  # better than claimed
    ],
)
def test_a_claimed_ratio_meets_the_whole_interval(ratio: object, verdict: str) -> None:
    assert judge(claim(ratio=ratio))[0] == verdict


def test_the_phrase_holds_the_figures_that_decide() -> None:
    assert judge(claim(ratio=(0.2, 0.2)))[1] == (
        "measured 4.0x less (3.6x to 4.2x), claimed 5.0x less"
    )
    exact = replace(METRIC, ci_low=0.25, ci_high=0.25, confidence=1.0)
    assert "4.0x less (the same in every pair)" in judge(claim(ratio=(0.1, 0.1)), exact)[1]


def test_ranges_are_confirmed_by_their_midpoints_and_refuted_by_their_corner() -> None:
    wide = claim(before=(3000, 5000), after=(500, 1000))

    assert claimed_ratio(wide) == pytest.approx((0.1875, 1 / 3))
    assert judge(wide)[0] == "not confirmed"
    fast = replace(METRIC, ratio=0.15, ci_low=0.14, ci_high=0.16, after_low=500, after_high=600)
    assert judge(wide, fast)[0] == "confirmed"
    slow = replace(METRIC, ratio=0.5, ci_low=0.45, ci_high=0.55)
    assert judge(wide, slow)[0] == "refuted"


def test_the_value_after_the_change_counts_too() -> None:
    fast = replace(METRIC, ratio=0.15, ci_low=0.14, ci_high=0.16)

    verdict, phrase = judge(claim(ratio=(0.2, 0.2), after=(500, 900)), fast)
    assert verdict == "refuted"
    assert phrase.endswith("; after 1.00 s (950 ms to 1.10 s), claimed 500 ms to 900 ms")
    assert judge(claim(ratio=(0.2, 0.2), after=(500, 1000)), fast)[0] == "not confirmed"
    assert judge(claim(ratio=(0.2, 0.2), after=(500, 1200)), fast)[0] == "confirmed"


def test_more_is_judged_upwards() -> None:
    more = replace(METRIC, better="higher", unit="count", ratio=8, ci_low=7, ci_high=9)
    more = replace(more, before=1, after=8, after_low=7, after_high=9)

    assert judge(claim(ratio=(5, 10)), more)[0] == "confirmed"
    assert judge(claim(ratio=(10, 10)), more)[0] == "refuted"
    assert judge(claim(ratio=(8, 8)), more)[0] == "not confirmed"
    assert judge(claim(before=(1, 1), after=(5, 10)), more)[0] == "not confirmed"  # midpoint 7.5x
    assert judge(claim(after=(5, None)), more) == (
        "confirmed",
        "after 8 (7 to 9), claimed 5 or more",
    )


def test_nothing_is_decided_without_grounds() -> None:
    none = Claim("t", "s", None, not_measured="needs a soak")
    few = replace(METRIC, confidence=0.875)
    zero = replace(METRIC, ratio=None, ci_low=None, ci_high=None)

    assert judge(none) == ("not measured", "needs a soak")
    assert judge(claim(ratio=(0.3, 0.3)), same=False)[0] == "not measured"
    assert judge(replace(claim(ratio=(0.3, 0.3)), metric="cpu_s"))[0] == "not measured"
    assert judge(claim(before=(1, 2))) == (
        "not measured",
        "the claim names only the value before the change",
    )
    assert judge(claim(ratio=(0.3, 0.3)), few)[0] == "not confirmed"
    assert judge(claim(ratio=(0.1, 0.1)), few)[0] == "not confirmed"
    assert "too few pairs" in judge(claim(ratio=(0.3, 0.3)), few)[1]
    assert judge(claim(ratio=(0.3, 0.3)), zero)[0] == "not confirmed"
