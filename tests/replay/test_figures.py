from __future__ import annotations

import pytest

from perfscan.replay.figures import figures, target_met
from perfscan.replay.model import Run
from perfscan.replay.statistics import Interval


def run(pair: int, *, ok: bool = True, **metrics: float) -> Run:
    return Run("original", pair, 0, ok, {"schedule_lateness_ms.p50": 0.1, **metrics}, ())


def test_medians_and_intervals_over_the_good_runs_of_one_side() -> None:
    runs = [run(number, cpu_s=float(number)) for number in range(1, 7)]
    runs += [run(7, ok=False, cpu_s=900.0)]
    (found,) = figures(runs, "original", {"cpu_s": 7.0})

    assert (found.name, found.unit, found.value, found.runs) == ("cpu_s", "s", 3.5, 6)
    assert (found.low, found.high) == (1.0, 6.0)
    assert found.target_met == "met"
    assert figures(runs, "optimized", {}) == ()


def test_a_metric_that_some_run_lacks_has_no_figure() -> None:
    assert figures([run(0, cpu_s=1.0), run(1)], "original", {}) == ()


@pytest.mark.parametrize(
    ("target", "confidence", "verdict"),
    [
        (3.0, 0.97, "met"),
        (2.0, 0.97, "met"),
        (1.5, 0.97, "not proven"),
        (0.9, 0.97, "missed"),
        (3.0, 0.5, "not proven"),
        (None, 0.97, None),
    ],
)
def test_a_target_is_judged_by_the_whole_interval(
    target: float | None, confidence: float, verdict: str | None
) -> None:
    assert target_met(target, Interval(1.5, 1.0, 2.0, 0.97), "lower", confidence) == verdict


def test_where_more_is_better_the_low_end_decides() -> None:
    assert target_met(1.0, Interval(1.5, 1.0, 2.0, 0.97), "higher", 0.97) == "met"
    assert target_met(2.5, Interval(1.5, 1.0, 2.0, 0.97), "higher", 0.97) == "missed"
