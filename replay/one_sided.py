"""Figures that only the optimized side has, such as the hit rate of a cache that is new there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from perfscan.replay.catalogue import Metric, describe
from perfscan.replay.equivalence import RunPair
from perfscan.replay.model import Claim, MetricComparison
from perfscan.replay.statistics import coverage, median_interval


def one_sided(
    pairs: Sequence[RunPair],
    claims: Iterable[Claim],
    own: Mapping[str, Metric],
    seed: int,
) -> dict[str, MetricComparison]:
    """Return them for claims that say nothing of before; there is no ratio, and no verdict."""
    asked = {one.metric for one in claims if one.ratio is None and one.before is None}
    found = {}
    for name in sorted(name for name in asked if name is not None):
        told = [pair.optimized.metrics.get(name) for pair in pairs]
        values = [value for value in told if value is not None]
        if values and len(values) == len(told):
            found[name] = _figure(name, own.get(name) or describe(name), values, seed)
    return found


def _figure(name: str, about: Metric, values: Sequence[float], seed: int) -> MetricComparison:
    after = median_interval(values, seed)
    return MetricComparison(
        name=name,
        unit=about.unit,
        better=about.better,
        before=after.centre,
        after=after.centre,
        ratio=None,
        ci_low=None,
        ci_high=None,
        confidence=coverage(len(values)),
        verdict="unclear",
        label=about.label,
        role=about.role,
        after_low=after.low,
        after_high=after.high,
    )
