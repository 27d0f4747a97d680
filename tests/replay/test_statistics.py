from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

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


def test_noise_is_that_of_the_noisier_side() -> None:
    quiet, loud = [100.0, 101.0, 100.0], [100.0, 120.0, 100.0]

    assert noise(quiet, quiet) == pytest.approx(0.01)
    assert noise(quiet, loud) == noise(loud, quiet) == pytest.approx(0.2)
    assert noise([1.0], [1.0]) is None
    assert noise([0.0, 0.0], [0.0, 1.0]) is None


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

    assert detectable(found, threshold=0.05, noise=0.02) == pytest.approx(math.expm1(0.2))
    assert detectable(found, threshold=0.5, noise=0.02) == pytest.approx(0.5)
    assert pairs_to_settle(found, 0.05) == 24  # twice as narrow as now
    at_the_threshold = Estimate(
        Interval(math.log1p(0.05), 0, 0.1, 0.97), 0.1, slots_agree=True, pairs=6
    )
    assert pairs_to_settle(at_the_threshold, 0.05) is None


# --- Simulated benches -------------------------------------------------------------------------

Machine = Callable[[int, random.Random], float]
"""What the machine multiplies a run by, given its place in the bench."""


def quiet(place: int, chance: random.Random) -> float:
    return math.exp(chance.gauss(0, 0.03))


def drifting(place: int, chance: random.Random) -> float:
    return quiet(place, chance) * 1.02**place


def slower_second_slot(place: int, chance: random.Random) -> float:
    return quiet(place, chance) * (1.1 if place % 2 else 1.0)


def heavy_tailed(place: int, chance: random.Random) -> float:
    return quiet(place, chance) * (1.5 if chance.random() < 0.15 else 1.0)


def bench(pairs: int, effect: float, machine: Machine, chance: random.Random) -> list[Pair]:
    made = []
    for pair in range(pairs):
        first, second = machine(2 * pair, chance), machine(2 * pair + 1, chance)
        turned = bool(pair % 2)
        before, after = (second, first) if turned else (first, second)
        made.append(Pair(before, after * effect, turned))
    return made


def share_of_changes(
    pairs: int, effect: float, machine: Machine, times: int, threshold: float = 0.001
) -> float:
    chance = random.Random(f"{pairs} {effect} {machine.__name__}")
    changes = 0
    for _ in range(times):
        made = bench(pairs, effect, machine, chance)
        found = estimate(made)
        assert found is not None
        floor = noise([pair.before for pair in made], [pair.after for pair in made])
        assert floor is not None
        outcome = judge(found, "lower", threshold=threshold, noise=floor)
        changes += outcome in ("improved", "regressed")
    return changes / times


@pytest.mark.parametrize("machine", [quiet, drifting, slower_second_slot, heavy_tailed])
@pytest.mark.parametrize("pairs", [6, 9, 12])
def test_the_same_code_is_rarely_called_different(pairs: int, machine: Machine) -> None:
    # The threshold is made irrelevant, so that the statistics alone must hold the 5 %.
    assert share_of_changes(pairs, 1.0, machine, times=1500) <= 0.05


def test_the_bootstrap_holds_the_rate_too() -> None:
    assert share_of_changes(14, 1.0, quiet, times=150) <= 0.05


@pytest.mark.parametrize("machine", [quiet, drifting, slower_second_slot, heavy_tailed])
def test_twice_as_fast_is_found(machine: Machine) -> None:
    assert share_of_changes(6, 0.5, machine, times=300, threshold=0.05) >= 0.95


def test_more_pairs_find_a_smaller_change() -> None:
    few = share_of_changes(6, 0.93, quiet, times=300, threshold=0.05)
    many = share_of_changes(12, 0.93, quiet, times=300, threshold=0.05)

    assert many > few


def test_a_family_of_metrics_is_rarely_wrong_even_once() -> None:
    chance = random.Random(5)
    wrong = 0
    for _ in range(400):
        found = {str(index): estimate(bench(6, 1.0, quiet, chance)) for index in range(15)}
        corrected = holm({name: one.p_value for name, one in found.items() if one})
        wrong += any(
            one
            and judge(one, "lower", threshold=0.001, noise=0.0, p_value=corrected[name])
            in ("improved", "regressed")
            for name, one in found.items()
        )
    assert wrong / 400 <= 0.05
