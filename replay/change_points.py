"""Where a series of figures changed for good.

Binary segmentation: the split that sets both parts furthest apart, by ranks, is kept where few
random orders of the same values would do as well and the medians differ by more than the noise;
then both parts are searched in turn. Ranks keep single outliers from being called a change.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

ALPHA = 0.05
ORDERS = 999
"""Random orders that a split is compared with."""
LEAST = 3
"""Values on either side of a change; of fewer nothing can be said."""


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A lasting change."""

    index: int
    """The first value after it."""
    ratio: float
    """Median after over median before, within the neighbouring stretches."""
    p_value: float


def change_points(
    values: Sequence[float], *, least_change: float, seed: int = 0
) -> tuple[ChangePoint, ...]:
    """Return all lasting changes in positive ``values``, in order.

    ``least_change`` is the smallest relative change worth a word, 0.05 for 5 %; take the noise
    where it is larger. Values that are not positive have no ratio: then nothing is found.
    """
    if any(value <= 0 for value in values):
        return ()
    logs = [math.log(value) for value in values]
    found = sorted(_search(logs, 0, len(logs), math.log1p(least_change), random.Random(seed)))
    bounds = [0, *(index for index, _ in found), len(logs)]
    return tuple(
        ChangePoint(
            index,
            math.exp(median(logs[index:after]) - median(logs[before:index])),
            p_value,
        )
        for (index, p_value), before, after in zip(found, bounds, bounds[2:], strict=False)
    )


def _search(
    logs: Sequence[float], start: int, end: int, least: float, chance: random.Random
) -> list[tuple[int, float]]:
    part = logs[start:end]
    if len(part) < 2 * LEAST:
        return []
    ranks = _ranks(part)
    score, split = _best_split(ranks)
    if abs(median(part[split:]) - median(part[:split])) <= least:
        return []
    shuffled, as_good = list(ranks), 0
    for _ in range(ORDERS):
        chance.shuffle(shuffled)
        as_good += _best_split(shuffled)[0] >= score
    p_value = (as_good + 1) / (ORDERS + 1)
    if p_value > ALPHA:
        return []
    middle = start + split
    return [
        *_search(logs, start, middle, least, chance),
        (middle, p_value),
        *_search(logs, middle, end, least, chance),
    ]


def _ranks(values: Sequence[float]) -> list[float]:
    """Rank values around 0; equal ones share the mean of their ranks."""
    ordered = sorted(values)
    first = {value: place for place, value in reversed(list(enumerate(ordered)))}
    last = {value: place for place, value in enumerate(ordered)}
    centre = (len(values) - 1) / 2
    return [(first[value] + last[value]) / 2 - centre for value in values]


def _best_split(ranks: Sequence[float]) -> tuple[float, int]:
    """Return how far the best split sets the parts apart (squared, standardised), and where."""
    count = len(ranks)
    sums = list(accumulate(ranks))
    return max(
        (sums[split - 1] ** 2 / (split * (count - split)), split)
        for split in range(LEAST, count - LEAST + 1)
    )
