"""Cells and phrases made of several quantities; single ones come from perfscan.quantities."""

from __future__ import annotations

from perfscan.quantities import (
    ABSENT,
    change,
    change_interval,
    figures,
    percent,
    quantity,
    ratio,
)
from perfscan.replay.model import MetricComparison

ENOUGH = 0.95
"""Coverage from which an interval may be called one."""


def ratio_cell(metric: MetricComparison) -> str:
    """Return ``0.148 (0.141 to 0.157)``, or ``0.00455 (exact)`` for a count that never varied."""
    if metric.ratio is None:
        return ABSENT if metric.before != metric.after else "equal"
    if metric.confidence == 1.0:
        return f"{ratio(metric.ratio)} (exact)"
    return f"{ratio(metric.ratio)} ({ratio(metric.ci_low)} to {ratio(metric.ci_high)})"


def change_phrase(metric: MetricComparison) -> str:
    """Return ``6.7x less (95 % interval 6.4x to 7.1x)``; empty where there is no ratio."""
    if metric.ratio is None or metric.ci_low is None or metric.ci_high is None:
        return ""
    if metric.confidence == 1.0 or metric.ci_low == metric.ci_high:
        return f"{change(metric.ratio)}, the same in every pair"
    span = change_interval(metric.ci_low, metric.ci_high)
    return f"{change(metric.ratio)} ({coverage(metric.confidence)} interval {span})"


def coverage(confidence: float) -> str:
    """Return a confidence with one decimal at most: ``96.9 %``, ``95 %``."""
    return percent(confidence)


def target_phrase(metric: MetricComparison) -> str:
    """Return ``≤ 1.00 s``, or ``≥`` where more is better; empty without a target."""
    if metric.target is None:
        return ""
    sign = "≤" if metric.better == "lower" else "≥"
    return f"{sign} {quantity(metric.target, metric.unit)}"


def interval_of_after(metric: MetricComparison) -> str:
    """Return the interval of the value after the change, ``570 ms to 660 ms``."""
    low, high = metric.after_low, metric.after_high
    return f"{quantity(low, metric.unit)} to {quantity(high, metric.unit)}"


def above_floor(metric: MetricComparison) -> str:
    """Return how far the value after the change is from its floor, such as ``1.18x``."""
    if not metric.floor or metric.better != "lower":
        return ""
    return f"{figures(metric.after / metric.floor)}x"


def detectable_phrase(metric: MetricComparison) -> str:
    """Return what an unclear metric could have shown, and how many pairs would settle it."""
    parts = []
    if metric.detectable is not None:
        parts.append(f"changes under {percent(metric.detectable)} could not be seen")
    if metric.pairs_to_settle is not None:
        parts.append(f"about {metric.pairs_to_settle} pairs would settle it")
    return "; ".join(parts)
