"""Thousands of invented benches on invented machines: how often is the outcome wrong?"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from statistics import median

import pytest

from perfscan.replay.statistics import (
    Pair,
    detectable,
    estimate,
    holm,
    judge,
    median_interval,
    noise,
)

Machine = Callable[[int, random.Random], float]
"""Log of what the machine multiplies a run by, given its place in the bench."""


def even(place: int, chance: random.Random) -> float:
    return 0.0


def drifting(place: int, chance: random.Random) -> float:
    return 0.01 * place


def slower_second_slot(place: int, chance: random.Random) -> float:
    return 0.04 * (place % 2)


def disturbed(place: int, chance: random.Random) -> float:
    """Something else takes its share during every tenth run."""
    return 0.3 if chance.random() < 0.1 else 0.0


def heavy_tailed(place: int, chance: random.Random) -> float:
    """Student's t with 2 degrees of freedom, which has no variance."""
    return 0.02 * chance.gauss(0, 1) / math.sqrt(chance.gammavariate(1, 1))


MACHINES: dict[str, Machine] = {
    machine.__name__: machine
    for machine in (even, drifting, slower_second_slot, disturbed, heavy_tailed)
}


def bench(
    pairs: int, effect: float, machine: Machine, chance: random.Random, spread: float = 0.03
) -> list[Pair]:
    """Runs scatter by ``spread`` each, and by a slow wave that both runs of a pair share."""
    wave, places = 0.0, []
    for place in range(2 * pairs):
        wave = 0.8 * wave + chance.gauss(0, 0.02)
        places.append(math.exp(wave + chance.gauss(0, spread) + machine(place, chance)))
    made = []
    for pair in range(pairs):
        first, second = places[2 * pair : 2 * pair + 2]
        turned = bool(pair % 2)
        before, after = (second, first) if turned else (first, second)
        made.append(Pair(before, after * effect, turned))
    return made


def outcome(pairs: list[Pair], threshold: float, p_value: float | None = None) -> str:
    found, floor = estimate(pairs), noise(pairs)
    assert found is not None
    assert floor is not None
    return judge(found, "lower", threshold=threshold, noise=floor, p_value=p_value)


def share_of(
    verdicts: tuple[str, ...],
    pairs: int,
    effect: float,
    machine: Machine,
    *,
    times: int,
    threshold: float = 0.05,
) -> float:
    chance = random.Random(f"{pairs} {effect} {machine.__name__}")
    outcomes = [outcome(bench(pairs, effect, machine, chance), threshold) for _ in range(times)]
    return sum(one in verdicts for one in outcomes) / times


CHANGES = ("improved", "regressed")


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
@pytest.mark.parametrize("pairs", [6, 9, 12, 13, 20])
def test_the_same_code_is_rarely_called_different(pairs: int, machine: Machine) -> None:
    # The threshold is made irrelevant, so that the statistics alone must hold the 5 %.
    assert share_of(CHANGES, pairs, 1.0, machine, times=1000, threshold=0.001) <= 0.05


@pytest.mark.parametrize("pairs", [6, 9, 12, 13, 14, 16, 20, 30])
@pytest.mark.parametrize("machine", [even, disturbed])
def test_intervals_cover_what_they_state(pairs: int, machine: Machine) -> None:
    chance, times = random.Random(pairs), 1500
    logs = (
        [math.log(one.after / one.before) for one in bench(pairs, 1.0, machine, chance)]
        for _ in range(times)
    )
    outside = sum(not found.low <= 0 <= found.high for found in map(median_interval, logs))
    # 0.95 is promised; over so many benches a share is known to 0.011 (two standard errors).
    assert 1 - outside / times >= 0.937


@pytest.mark.parametrize(
    ("machine", "power"),
    [(even, 0.95), (drifting, 0.95), (slower_second_slot, 0.9), (disturbed, 0.85)],
)
def test_ten_percent_slower_is_found_with_twenty_pairs(machine: Machine, power: float) -> None:
    assert share_of(("regressed",), 20, 1.1, machine, times=500) >= power


@pytest.mark.parametrize(
    ("machine", "power"), [(even, 0.95), (drifting, 0.95), (slower_second_slot, 0.95)]
)
def test_thirty_percent_slower_is_found_with_six_pairs(machine: Machine, power: float) -> None:
    assert share_of(("regressed",), 6, 1.3, machine, times=500) >= power


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_twice_as_fast_is_found(machine: Machine) -> None:
    assert share_of(("improved",), 6, 0.5, machine, times=300) >= 0.9


def test_a_change_is_never_called_the_wrong_way() -> None:
    for pairs in (6, 12, 20):
        assert share_of(("improved",), pairs, 1.1, heavy_tailed, times=1000) <= 0.005


@pytest.mark.parametrize("pairs", [6, 12, 20])
def test_what_is_said_to_be_detectable_is_detected(pairs: int) -> None:
    chance = random.Random(pairs)
    said = []
    for _ in range(200):
        made = bench(pairs, 1.0, even, chance, spread=0.06)
        found, floor = estimate(made), noise(made)
        assert found is not None
        assert floor is not None
        said.append(detectable(found, threshold=0.02, noise=floor))
    changes = [
        outcome(bench(pairs, 1 + median(said), even, chance, spread=0.06), 0.02) for _ in range(400)
    ]
    assert changes.count("regressed") / 400 >= 0.7


def family(pairs: int, machine: Machine, chance: random.Random, shared: float) -> dict[str, float]:
    """Twenty metrics of one bench; ``shared`` is how much of their scatter is the same."""
    common = bench(pairs, 1.0, machine, chance)
    series: dict[str, list[Pair]] = {}
    for number in range(20):
        own = bench(pairs, 1.0, machine, chance)
        series[str(number)] = [
            Pair(
                one.before ** (1 - shared) * all_.before**shared,
                one.after ** (1 - shared) * all_.after**shared,
                one.turned,
            )
            for one, all_ in zip(own, common, strict=True)
        ]
    return wrong_in(series)


def wrong_in(series: Mapping[str, list[Pair]]) -> dict[str, float]:
    found = {name: estimate(pairs) for name, pairs in series.items()}
    corrected = holm({name: one.p_value for name, one in found.items() if one})
    return {
        name: corrected[name]
        for name, pairs in series.items()
        if outcome(pairs, 0.001, corrected[name]) in CHANGES
    }


@pytest.mark.parametrize("shared", [0.0, 0.7])
@pytest.mark.parametrize("pairs", [6, 12, 20])
def test_a_family_of_metrics_is_rarely_wrong_even_once(pairs: int, shared: float) -> None:
    chance = random.Random(f"{pairs} {shared}")
    machines = list(MACHINES.values())
    wrong = [family(pairs, machines[i % len(machines)], chance, shared) for i in range(250)]
    assert sum(map(bool, wrong)) / len(wrong) <= 0.05


def test_correction_for_twenty_metrics_still_finds_a_clear_change_with_six_pairs() -> None:
    chance, hits = random.Random(3), 0
    for _ in range(200):
        series = {str(i): bench(6, 1.0, even, chance) for i in range(19)}
        series["changed"] = bench(6, 0.5, even, chance)
        hits += "changed" in wrong_in(series)
    assert hits / 200 >= 0.95
