"""The bootstrap of a median three ways: drawn ranks shared by all metrics, numpy, numba."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from statistics import median
from typing import Any

from rows import Row

from perfscan.replay.statistics import DRAWS, median_interval

TITLE = "Bootstrap of a median over 20 pairs, 40 metrics: time against resampling each in numpy"
METRICS, PAIRS = 40, 20

Interval = Callable[[Sequence[float]], Any]


def measure(quick: bool) -> Iterator[Row]:
    """Time all ways on the same values, each warm, the least of several rounds."""
    chance = random.Random(1)
    series = [[chance.gauss(0, 1) for _ in range(PAIRS)] for _ in range(METRICS)]
    rounds = 3 if quick else 9
    plain = _seconds(_numpy, series, rounds)
    shared = _seconds(median_interval, series, rounds)
    yield Row("numpy, every metric resampled", "1x")
    yield Row(
        "shared ranks (what perfscan does)",
        f"{plain / shared:.0f}x",
        "at least 10x",
        plain / shared >= 10,
    )
    if find_spec("numba") is None:
        yield Row("numba", "not installed")
        return
    begun = time.perf_counter()
    compiled = _numba()
    compiled(series[0])
    compiling = time.perf_counter() - begun
    yield Row("numba, compiled", f"{plain / _seconds(compiled, series, rounds):.1f}x")
    yield Row("numba, importing and compiling first", f"{compiling / plain:.0f}x the time of numpy")


def _seconds(interval: Interval, series: Sequence[Sequence[float]], rounds: int) -> float:
    interval(series[0])
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        for values in series:
            interval(values)
        best = min(best, time.perf_counter() - begun)
    return best


def _numpy(values: Sequence[float]) -> Any:
    import numpy as np

    draws = np.random.default_rng(0).choice(np.asarray(values), (DRAWS, len(values)))
    return median(values), *np.quantile(np.median(draws, axis=1), (0.025, 0.975))


def _numba() -> Interval:
    import numba
    import numpy as np

    @numba.njit
    def medians(values: Any, draws: int) -> Any:
        found = np.empty(draws)
        for number in range(draws):
            found[number] = np.median(np.random.choice(values, values.size))
        return found

    return lambda values: np.quantile(medians(np.asarray(values), DRAWS), (0.025, 0.975))
