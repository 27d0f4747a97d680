"""What paired runs can prove: ratios with intervals, noise, verdicts, and what more pairs would do.

The unit of evidence is the pair of runs, never the item. Everything works on logarithms of
after / before, so that "twice" and "half" are equally far from "no change".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist, fmean, median, stdev
from typing import Any

from perfscan.replay.model import Better, MetricVerdict

CONFIDENCE = 0.95
MIN_PAIRS = 6
"""The smallest number whose extremes cover the median with 95 % (1 - 2 / 2**6 = 96.9 %)."""
EXACT_UP_TO = 12
DRAWS = 4_000
"""Enough for two figures of the bounds, and quick, since every landed run is compared."""
_Z95, _Z80 = 1.96, 0.84
"""Quantiles of the normal distribution: 95 % two-sided, and 80 % power."""
MOST_PAIRS = 200
"""Beyond this nobody runs a bench; the advice is then to quieten the machine instead."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One metric in both runs of a pair."""

    before: float
    after: float
    turned: bool
    """True where the optimized side ran first."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A median of log ratios and the interval that holds the true one."""

    centre: float
    low: float
    high: float
    coverage: float
    """Probability that such an interval holds the true median, 0 for a single value."""

    @property
    def half_width(self) -> float:
        """Half the length, in log units."""
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the pairs say about one metric."""

    interval: Interval
    p_value: float
    """Two-sided paired t test of "no change" on the log ratios."""
    slots_agree: bool
    """The change points the same way whichever side ran first."""
    pairs: int


def estimate(pairs: Sequence[Pair], seed: int = 0) -> Estimate | None:
    """Estimate after / before; None without pairs or where a value is not positive."""
    if not pairs or any(pair.before <= 0 or pair.after <= 0 for pair in pairs):
        return None
    logs = [math.log(pair.after / pair.before) for pair in pairs]
    straight = [log for log, pair in zip(logs, pairs, strict=True) if not pair.turned]
    turned = [log for log, pair in zip(logs, pairs, strict=True) if pair.turned]
    agree = bool(straight and turned) and median(straight) * median(turned) > 0
    return Estimate(median_interval(logs, seed), t_test(logs), agree, len(logs))


def median_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """Return the median with its interval: exact order statistics up to 12 values, else bootstrap.

    The exact interval runs from the k-th smallest to the k-th largest value for the largest k that
    still covers 95 %; it needs no assumption on the shape of the noise. Below 6 values it is the
    whole range, and its coverage says how little that is. The bootstrap is seeded.
    """
    ordered = sorted(values)
    count = len(ordered)
    if count > EXACT_UP_TO:
        low, high = _bootstrap(ordered, seed)
        return Interval(median(ordered), low, high, CONFIDENCE)
    rank = _rank(count)
    return Interval(median(ordered), ordered[rank - 1], ordered[-rank], _coverage(count, rank))


def coverage(count: int) -> float:
    """Return the coverage that :func:`median_interval` reaches with ``count`` values."""
    return CONFIDENCE if count > EXACT_UP_TO else _coverage(count, _rank(count))


def _rank(count: int) -> int:
    rank = 1
    while rank < count / 2 and _coverage(count, rank + 1) >= CONFIDENCE:
        rank += 1
    return rank


def _coverage(count: int, rank: int) -> float:
    """Probability that the true median lies between the ``rank``-th smallest and largest."""
    outside: float = sum(math.comb(count, below) for below in range(rank)) / 2**count
    return max(0.0, 1 - 2 * outside)


def _bootstrap(ordered: Sequence[float], seed: int) -> tuple[float, float]:
    """Return the percentile interval of the median over resamples of ``ordered`` values.

    The median of a resample depends on the ranks in its middle alone, so ranks are drawn once for
    a number of values and serve every metric. Side by side that took a 37th of the time of
    resampling each metric in numpy, a loop compiled by numba three quarters of it, after as long
    as 560 metrics take for compiling (``benchmarks/replay/bootstrap.py``).
    """
    import numpy as np  # only long benches come here

    values = np.asarray(ordered)
    below, above = _middle_ranks(len(ordered), seed)
    tail = _expanded_tail(len(ordered))
    low, high = np.quantile((values[below] + values[above]) / 2, (tail, 1 - tail))
    return float(low), float(high)


@lru_cache(maxsize=64)
def _expanded_tail(count: int) -> float:
    """Return the share to cut off at each end of a bootstrap over ``count`` values.

    Plain percentiles are too narrow for few values (at 13 they miss in 10 % of cases, not in 5 %).
    Hesterberg's expanded percentile interval (What Teachers Should Know About the Bootstrap, 2015)
    makes them as wide as Student's t would.
    """
    low, high = 0.0, 100.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, count - 1) > 1 - CONFIDENCE else (low, middle)
    return NormalDist().cdf(-high * math.sqrt(count / (count - 1)))


@lru_cache(maxsize=64)
def _middle_ranks(count: int, seed: int) -> tuple[Any, Any]:
    """Draw resamples of ``count`` ranks; return the two in the middle of each, equal if odd."""
    import numpy as np

    ranks = np.random.default_rng(seed).integers(0, count, (DRAWS, count))
    ranks.sort(axis=1)
    return ranks[:, (count - 1) // 2], ranks[:, count // 2]


def sign_test(pairs: Sequence[Pair]) -> float:
    """Return the exact two-sided p-value of "as many pairs rise as fall"; equal ones count not."""
    rises = sum(pair.after > pair.before for pair in pairs)
    falls = sum(pair.after < pair.before for pair in pairs)
    number = rises + falls
    tail: float = sum(math.comb(number, few) for few in range(min(rises, falls) + 1)) / 2**number
    return min(1.0, 2 * tail)


def t_test(values: Sequence[float]) -> float:
    """Return the two-sided p-value of "the mean is 0"; 1.0 for fewer than two values."""
    if len(values) < 2:
        return 1.0
    spread = stdev(values)
    if spread == 0:
        return 1.0 if values[0] == 0 else 0.0
    return t_tail(fmean(values) / (spread / math.sqrt(len(values))), len(values) - 1)


def t_tail(t: float, freedom: int) -> float:
    """Return P(|T| > |t|) for Student's t with a whole number of degrees of freedom.

    Abramowitz and Stegun, 26.7.3 and 26.7.4: a finite sum, so that no library is needed.
    """
    angle = math.atan(abs(t) / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    term = cosine if freedom % 2 else 1.0
    total = 0.0 if freedom == 1 else term
    for step in range(3 if freedom % 2 else 2, freedom - 1, 2):
        term *= cosine**2 * (step - 1) / step
        total += term
    inside = (angle + sine * total) * 2 / math.pi if freedom % 2 else sine * total
    return max(0.0, 1 - inside)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Correct p-values for their number by Holm's step-down method."""
    corrected: dict[str, float] = {}
    highest = 0.0
    ordered = sorted(p_values.items(), key=lambda entry: (entry[1], entry[0]))
    for index, (name, p_value) in enumerate(ordered):
        highest = max(highest, min(1.0, p_value * (len(ordered) - index)))
        corrected[name] = highest
    return corrected


def noise(pairs: Sequence[Pair], seed: int = 0) -> float | None:
    """Return how far two runs of the same code lie apart, as a share (0.04 is 4 %).

    In the order A B B A the last run of a pair and the first of the next are of the same side and
    as close in time as the two runs of a pair, so their ratios are pairs without any change. Half
    the length of the interval of their median is what such pairs leave open. The two sides
    alternate in it; a slower second slot moves all steps alike and so leaves no trace. None with
    fewer than three pairs, where there is but one step.
    """
    steps = [
        math.log(late / early)
        for early, late in (_same_code(*both) for both in pairwise(pairs))
        if early > 0 and late > 0
    ]
    if len(steps) < 2:
        return None
    return math.expm1(median_interval(steps, seed).half_width)


def _same_code(early: Pair, late: Pair) -> tuple[float, float]:
    """Return the last run of a pair and the run of the same side in the next one."""
    return (early.before, late.before) if early.turned else (early.after, late.after)


def judge(
    found: Estimate,
    better: Better,
    *,
    threshold: float,
    noise: float,
    p_value: float | None = None,
) -> MetricVerdict:
    """Turn an estimate into a verdict.

    ``p_value`` is the corrected one of a metric that is not the primary; None leaves the decision
    to the interval alone. "Improved" and "regressed" need an interval that excludes 1, a change
    beyond threshold and noise, and both slots; "no change" an interval inside the threshold.
    """
    if found.pairs < MIN_PAIRS:
        return "unclear"
    interval = found.interval
    limit = math.log1p(threshold)
    if -limit <= interval.low and interval.high <= limit:
        return "no change"
    proven = interval.low > 0 or interval.high < 0
    large = abs(interval.centre) > max(limit, math.log1p(noise))
    significant = p_value is None or p_value < 1 - CONFIDENCE
    if proven and large and significant and found.slots_agree:
        return "improved" if (interval.centre < 0) == (better == "lower") else "regressed"
    return "unclear"


def detectable(found: Estimate, *, threshold: float, noise: float) -> float:
    """Return the change that a bench like this shows in 3 of 4 cases or more, 0.1 for 10 %.

    Such a change must lie beyond threshold and noise, and its interval beyond 1, in spite of the
    error of the median, of which the half-width is 1.96 standard ones.
    """
    error = found.interval.half_width / _Z95
    limit = max(math.log1p(threshold), math.log1p(noise))
    return math.expm1(max(limit + _Z80 * error, (_Z95 + _Z80) * error))


def pairs_to_settle(found: Estimate, threshold: float) -> int | None:
    """Return how many pairs would turn "unclear" into a verdict; None where no number helps.

    Intervals shrink with the square root of the pairs. Enough is where the interval, centred as
    it is now, would exclude 1 or would fit inside the threshold.
    """
    centre, limit = abs(found.interval.centre), math.log1p(threshold)
    room = centre if centre > limit else max(limit - centre, 0.0)
    if not room:
        return None
    needed = math.ceil(found.pairs * (found.interval.half_width / room) ** 2)
    wanted = max(MIN_PAIRS, needed + needed % 2)
    return wanted if found.pairs < wanted <= MOST_PAIRS else None
