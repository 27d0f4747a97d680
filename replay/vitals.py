"""Reads what the bot's event loops told of themselves and gives it the names of metrics."""

from __future__ import annotations

from ast import literal_eval
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perfscan.replay.agent.vitals import middle_ns
from perfscan.replay.metrics import ENOUGH_FOR

_SHARES = {"p50": 0.5, "p99": 0.99}


def read_vitals(folder: Path) -> dict[str, float]:
    """Return the metrics of all loops of a run together; empty where no loop ran.

    Each thread of each process has told a file of its own. Lags are pooled, times and tasks added
    up; of the longest lags the largest counts.
    """
    files = [literal_eval(file.read_text("ascii")) for file in sorted(folder.glob("*.txt"))]
    told = [one for one in files if one["beats"]]
    if not told:
        return {}
    lags: Counter[int] = Counter()
    for one in told:
        lags.update(one["lags"])
    return {
        **_percentiles(lags),
        "loop_lag_ms.max": max(one["lag_max_ns"] for one in told) / 1e6,
        "blocked_ms": _sum(told, "blocked_ns") / 1e6,
        "gc_ms": _sum(told, "gc_ns") / 1e6,
        "tasks_max": _sum(told, "tasks_max"),
        "tasks_end": _sum(told, "tasks"),
    }


def _percentiles(lags: Mapping[int, int]) -> dict[str, float]:
    total = sum(lags.values())
    return {
        f"loop_lag_ms.{name}": middle_ns(_bucket_at(lags, share * total)) / 1e6
        for name, share in _SHARES.items()
        if total >= ENOUGH_FOR[name]
    }


def _bucket_at(lags: Mapping[int, int], wanted: float) -> int:
    """Return the first bucket up to which at least ``wanted`` lags were counted."""
    seen = 0
    for bucket in sorted(lags):
        seen += lags[bucket]
        if seen >= wanted:
            return bucket
    return max(lags)


def _sum(told: list[dict[str, Any]], name: str) -> float:
    return float(sum(one[name] for one in told))
