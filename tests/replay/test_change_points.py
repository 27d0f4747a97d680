from __future__ import annotations

import random

import pytest

from perfscan.replay.change_points import change_points


def series(*stretches: tuple[int, float], spread: float = 0.02, seed: int = 0) -> list[float]:
    chance = random.Random(seed)
    return [
        level * (1 + chance.gauss(0, spread)) for length, level in stretches for _ in range(length)
    ]


def test_a_lasting_change_is_found_where_it_happened() -> None:
    found = change_points(series((8, 100), (8, 130)), least_change=0.05)

    assert [one.index for one in found] == [8]
    assert found[0].ratio == pytest.approx(1.3, rel=0.03)
    assert found[0].p_value < 0.05


def test_two_changes_are_both_found_in_order() -> None:
    found = change_points(series((9, 100), (9, 150), (9, 120)), least_change=0.05)

    assert [one.index for one in found] == [9, 18]
    assert [round(one.ratio, 1) for one in found] == [1.5, 0.8]


def test_single_outliers_are_no_change() -> None:
    values = series((16, 100))
    values[5] = values[11] = 300

    assert change_points(values, least_change=0.05) == ()


def test_a_change_below_the_least_is_none() -> None:
    values = series((10, 100), (10, 104), spread=0.002)

    assert change_points(values, least_change=0.05) == ()
    assert [one.index for one in change_points(values, least_change=0.02)] == [10]


def test_too_few_values_say_nothing() -> None:
    assert change_points([1, 1, 2, 2, 2], least_change=0.05) == ()
    assert change_points([1, 1, 1, 2, 2], least_change=0.05) == ()
    assert change_points([], least_change=0.05) == ()
    assert change_points([0.0] * 10 + [5.0] * 10, least_change=0.05) == ()


def test_equal_values_are_no_change_and_the_search_is_seeded() -> None:
    assert change_points([7.0] * 30, least_change=0.0) == ()
    values = series((8, 100), (8, 130))
    assert change_points(values, least_change=0.05, seed=3) == change_points(
        values, least_change=0.05, seed=3
    )


def test_noise_alone_is_rarely_called_a_change() -> None:
    alarms = sum(
        bool(change_points(series((24, 100), spread=0.1, seed=seed), least_change=0.0))
        for seed in range(60)
    )
    assert alarms / 60 <= 0.1  # 5 % are expected; three standard errors are 8 %


def test_a_change_of_three_times_the_noise_is_nearly_always_found() -> None:
    hits = 0
    for seed in range(40):
        found = change_points(
            series((12, 100), (12, 115), spread=0.05, seed=seed), least_change=0.05
        )
        hits += any(abs(one.index - 12) <= 1 for one in found)
    assert hits / 40 >= 0.9
