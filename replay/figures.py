"""The figures of one side by itself, and whether they meet the scenario's targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from perfscan.replay.catalogue import Metric, describe
from perfscan.replay.model import Better, Figure, Run, Side, TargetVerdict
from perfscan.replay.statistics import CONFIDENCE, Interval, coverage, median_interval


def figures(
    runs: Sequence[Run],
    side: Side,
    targets: Mapping[str, float],
    seed: int = 0,
    *,
    own: Mapping[str, Metric] | None = None,
) -> tuple[Figure, ...]:
    """Return the median of every metric that all good runs of ``side`` have, with its interval.

    ``own`` describes metrics that are in no catalogue.
    """
    good = [run for run in runs if run.side == side and run.ok]
    if not good:
        return ()
    names = [name for name in good[0].metrics if all(name in run.metrics for run in good)]
    described = {name: (own or {}).get(name) or describe(name) for name in names}
    return tuple(
        _figure(name, about, [run.metrics[name] for run in good], targets.get(name), seed)
        for name, about in described.items()
        if about.role != "schedule"
    )


def _figure(
    name: str, about: Metric, values: Sequence[float], target: float | None, seed: int
) -> Figure:
    interval = median_interval(values, seed)
    confidence = coverage(len(values))
    return Figure(
        name=name,
        unit=about.unit,
        better=about.better,
        value=median(values),
        low=interval.low,
        high=interval.high,
        confidence=confidence,
        runs=len(values),
        label=about.label,
        role=about.role,
        target=target,
        target_met=target_met(target, interval, about.better, confidence),
    )


def target_met(
    target: float | None, found: Interval, better: Better, confidence: float
) -> TargetVerdict | None:
    """Call a target met or missed only when the whole interval says so."""
    if target is None:
        return None
    sign = 1 if better == "lower" else -1
    worst, best = sorted((sign * found.low, sign * found.high), reverse=True)
    if confidence >= CONFIDENCE and worst <= sign * target:
        return "met"
    return "missed" if confidence >= CONFIDENCE and best > sign * target else "not proven"
