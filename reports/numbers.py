"""Cells and phrases made of several quantities; single ones come from perfscan.quantities."""

from __future__ import annotations

from perfscan.quantities import (
    ABSENT,
    change,
    change_interval,
    change_range,
    figures,
    percent,
    quantity,
    ratio,
)
from perfscan.replay.model import Claim, MetricComparison

ENOUGH = 0.95
"""Coverage from which an interval may be called one."""


def ratio_cell(metric: MetricComparison) -> str:
    """Return ``0.148 (0.141 to 0.157)``, or ``0.00455 (exact)`` for a count that never varied."""
    if metric.ratio is None:
        return ABSENT if metric.before != metric.after else "equal"
    if metric.confidence == 1.0:
        return f"{ratio(metric.ratio)} (exact)"
    if metric.confidence == 0:
        return ratio(metric.ratio)
    return f"{ratio(metric.ratio)} ({ratio(metric.ci_low)} to {ratio(metric.ci_high)})"


def change_phrase(metric: MetricComparison) -> str:
    """Return ``6.7x less (95 % interval 6.4x to 7.1x)``; empty where there is no ratio."""
    if metric.ratio is None or metric.ci_low is None or metric.ci_high is None:
        return ""
    if metric.confidence == 1.0 or metric.ci_low == metric.ci_high:
        return f"{change(metric.ratio)}, the same in every pair"
    span = change_interval(metric.ci_low, metric.ci_high)
    return f"{change(metric.ratio)} ({coverage(metric.confidence)} {span})"


def coverage(confidence: float) -> str:
    """Name an interval by what it covers: ``96.9 % interval``; below 95 % it is but a range."""
    if confidence >= ENOUGH:
        return f"{percent(confidence)} interval"
    return f"range, covers {percent(confidence)}" if confidence else "one pair"


def target_phrase(metric: MetricComparison) -> str:
    """Return ``≤ 1.00 s``, or ``≥`` where more is better; empty without a target."""
    if metric.target is None:
        return ""
    sign = "≤" if metric.better == "lower" else "≥"
    return f"{sign} {quantity(metric.target, metric.unit)}"


def claimed_phrase(claim: Claim, unit: str) -> str:
    """Return what a claim says of the change, else of the value after it; empty for neither."""
    if claim.ratio is not None:
        return f"claimed {change_range(*claim.ratio)}"
    if claim.after is None:
        return ""
    low, end = claim.after
    if end is None or end == low:
        return f"claimed {quantity(low, unit)}{' or more' if end is None else ''}"
    return f"claimed {quantity(low, unit)} to {quantity(end, unit)}"


def interval_of_after(metric: MetricComparison) -> str:
    """Return the interval of the value after the change, ``570 ms to 660 ms``, where it is one."""
    low, high = metric.after_low, metric.after_high
    if low == high:
        return ""
    return f"{quantity(low, metric.unit)} to {quantity(high, metric.unit)}"


def above_floor(metric: MetricComparison) -> str:
    """Return how far the value after the change is from its floor, such as ``1.18x``."""
    if not metric.floor or metric.better != "lower":
        return ""
    return f"{figures(metric.after / metric.floor)}x"


def detectable_phrase(metric: MetricComparison) -> str:
    """Return what an unclear metric could have shown: ``changes under 28 % do not show``."""
    if metric.detectable is None:
        return ""
    return f"changes under {percent(metric.detectable)} do not show"
