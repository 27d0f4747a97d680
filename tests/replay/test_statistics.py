from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from perfscan.replay.statistics import (
    Estimate,
    Interval,
    Pair,
    detectable,
    estimate,
    holm,
    judge,
    median_interval,
    noise,
    pairs_to_settle,
    sign_test,
    t_tail,
    t_test,
)


def pairs_of(ratios: Sequence[float]) -> list[Pair]:
    return [Pair(100.0, 100.0 * ratio, turned=bool(i % 2)) for i, ratio in enumerate(ratios)]


@pytest.mark.parametrize(
    ("count", "rank", "coverage"),
    [
        (1, 1, 0.0),
        (2, 1, 0.5),
        (5, 1, 0.9375),
        (6, 1, 0.96875),
        (8, 1, 0.9921875),
        (9, 2, 0.9609375),
        (12, 3, 0.961426),
    ],
)
def test_exact_intervals_state_their_coverage(count: int, rank: int, coverage: float) -> None:
    interval = median_interval([float(value) for value in range(1, count + 1)])

    assert (interval.low, interval.high) == (rank, count + 1 - rank)
    assert interval.coverage == pytest.approx(coverage, abs=1e-6)


def test_the_bootstrap_is_seeded_and_lies_inside_the_values() -> None:
    values = [math.sin(value) for value in range(20)]

    assert median_interval(values, seed=3) == median_interval(values, seed=3)
    assert min(values) < median_interval(values).low < median_interval(values).high < max(values)


@pytest.mark.parametrize(
    ("t", "freedom", "p_value"),
    # Quantiles from printed tables of Student's t, two-sided.
    [
        (12.706, 1, 0.05),
        (4.303, 2, 0.05),
        (3.182, 3, 0.05),
        (2.571, 5, 0.05),
        (2.201, 11, 0.05),
        (2.228, 10, 0.05),
        (4.032, 5, 0.01),
        (0.0, 7, 1.0),
    ],
)
def test_students_t_agrees_with_tables(t: float, freedom: int, p_value: float) -> None:
    assert t_tail(t, freedom) == pytest.approx(p_value, abs=2e-4)
    assert t_tail(-t, freedom) == t_tail(t, freedom)


def test_t_test_of_values_without_spread() -> None:
    assert t_test([0.0, 0.0, 0.0]) == 1.0
    assert t_test([0.7, 0.7, 0.7]) == 0.0
    assert t_test([0.7]) == 1.0


def test_holm_steps_down_and_never_decreases() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "c": 0.06, "b": 0.06}
    )
    assert holm({}) == {}


def test_noise_is_that_of_neighbouring_runs_of_the_same_side() -> None:
    # A B | B A | A B: the neighbours are the second and third run, and the fourth and fifth.
    pairs = [
        Pair(100.0, 50.0, turned=False),
        Pair(200.0, 55.0, turned=True),
        Pair(240.0, 20.0, turned=False),
    ]

    steps = sorted([math.log(55 / 50), math.log(240 / 200)])
    assert noise(pairs) == pytest.approx(math.expm1((steps[1] - steps[0]) / 2))
    assert noise(pairs[:2]) is None, "one step has no spread"
    assert noise([Pair(0.0, 0.0, turned=False)] * 4) is None


def test_a_slower_second_slot_is_not_noise() -> None:
    # Within a pair the second run takes 10 % more; the sides are the same.
    slots = [Pair(110.0, 100.0, True) if i % 2 else Pair(100.0, 110.0, False) for i in range(6)]

    assert noise(slots) == pytest.approx(0.0)


def test_the_sign_test_is_exact() -> None:
    rising, falling = Pair(1.0, 2.0, turned=False), Pair(2.0, 1.0, turned=True)

    assert sign_test([rising] * 6) == sign_test([falling] * 6) == pytest.approx(2 / 64)
    assert sign_test([rising] * 5 + [falling]) == pytest.approx(14 / 64)
    assert sign_test([rising, falling]) == sign_test([Pair(0.0, 0.0, turned=False)]) == 1.0


RATIOS = [0.20, 0.21, 0.19, 0.22, 0.20, 0.21]


def verdict(ratios: Sequence[float], **changes: object) -> str:
    found = estimate(pairs_of(ratios))
    assert found is not None
    arguments: dict[str, object] = {"better": "lower", "threshold": 0.05, "noise": 0.02}
    return judge(found, **{**arguments, **changes})  # type: ignore[arg-type]


def test_a_clear_change_is_judged_by_what_is_better() -> None:
    assert verdict(RATIOS) == "improved"
    assert verdict(RATIOS, better="higher") == "regressed"
    assert verdict([1 / ratio for ratio in RATIOS]) == "regressed"


def test_each_condition_alone_can_withhold_the_verdict() -> None:
    assert verdict(RATIOS[:5]) == "unclear"  # too few pairs, however large the change
    assert verdict(RATIOS, noise=5.0) == "unclear"
    assert verdict(RATIOS, p_value=0.06) == "unclear"
    assert verdict([*RATIOS[:5], 1.01]) == "unclear"  # the interval holds 1
    # Eight pairs in turned order tell "faster"; the four straight ones tell "slower".
    slots = [Pair(100, 104 if i < 4 else 60, turned=i >= 4) for i in range(12)]
    found = estimate(slots)
    assert found is not None
    assert not found.slots_agree


def test_no_change_needs_an_interval_inside_the_threshold() -> None:
    assert verdict([1.01, 0.99, 1.02, 0.98, 1.0, 1.01]) == "no change"
    assert verdict([1.01, 0.99, 1.06, 0.98, 1.0, 1.01]) == "unclear"
    # Significant but smaller than the threshold is no change either.
    assert verdict([0.97, 0.971, 0.969, 0.97, 0.97, 0.97]) == "no change"


def test_values_that_have_no_logarithm_have_no_estimate() -> None:
    assert estimate([]) is None
    assert estimate([Pair(0.0, 1.0, turned=False)]) is None


def test_what_could_have_been_seen_and_what_would_settle_it() -> None:
    found = Estimate(Interval(0.1, -0.1, 0.3, 0.97), 0.1, slots_agree=True, pairs=6)

    assert detectable(found, threshold=0.05, noise=0.02) == pytest.approx(math.expm1(2 / 7))
    assert detectable(found, threshold=0.5, noise=0.02) == pytest.approx(0.63, abs=0.01)
    assert pairs_to_settle(found, 0.05) == 24  # twice as narrow as now
    at_the_threshold = Estimate(
        Interval(math.log1p(0.05), 0, 0.1, 0.97), 0.1, slots_agree=True, pairs=6
    )
    assert pairs_to_settle(at_the_threshold, 0.05) is None
