from __future__ import annotations

import random

import pytest

from perfscan.replay.server.self_report import Lateness, ProcessorShare


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_quantiles_are_right_to_within_an_eighth(share: float) -> None:
    rng = random.Random(3)
    values = [round(rng.lognormvariate(11, 2)) for _ in range(5000)]
    lateness = Lateness()
    for value in values:
        lateness.note(value)
    exact = sorted(values)[round(share * len(values)) - 1]
    assert exact <= lateness.quantile_ns(share) <= exact * 1.126
    assert lateness.max_ns == max(values)


def test_small_values_are_exact_and_early_is_in_time() -> None:
    lateness = Lateness()
    assert lateness.quantile_ns(0.5) == 0
    for value in (-50, 3, 9, 12, 15):
        lateness.note(value)
    assert [lateness.quantile_ns(share) for share in (0.2, 0.4, 0.6, 0.8, 1.0)] == [0, 3, 9, 12, 15]


def test_the_status_is_in_milliseconds() -> None:
    lateness = Lateness()
    lateness.note(2_000_000)
    expected = {"lateness_p50_ms": 2.0, "lateness_p99_ms": 2.0, "lateness_max_ms": 2.0}
    assert lateness.status() == expected


def test_a_process_that_works_has_a_share() -> None:
    share = ProcessorShare()
    assert sum(number * number for number in range(200_000)) > 0
    assert share.take() > 0
