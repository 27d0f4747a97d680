"""The metrics that a run yields: unit, which way is better, and what each is good for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from perfscan.replay.model import Better

Role = Literal["speed", "work", "traffic", "cost", "schedule"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What the figures of one name mean."""

    unit: str
    """``ms``, ``s``, ``MB``, ``bytes``, ``items/s``, ``share`` (0 to 1) or ``count``."""
    better: Better = "lower"
    role: Role = "speed"
    """``speed`` and ``work`` metrics decide the verdict; ``cost`` is what a gain was paid with;
    ``schedule`` describes the replay itself and is never compared."""
    counted: bool = False
    """A number of discrete things, free of the noise of a clock."""


_LATENCY = Metric("ms")
_COUNT = Metric("count", role="traffic", counted=True)
_COST_MS = Metric("ms", role="cost")
_SCHEDULE = Metric("ms", role="schedule")

METRICS: dict[str, Metric] = {
    **{f"item_latency_ms.{part}": _LATENCY for part in ("p50", "p95", "p99", "p99.9", "mean")},
    **{f"item_latency_all_ms.{part}": _LATENCY for part in ("p50", "p95", "mean")},
    "throughput_items_per_s": Metric("items/s", "higher"),
    "makespan_s": Metric("s"),
    "success_rate": Metric("share", "higher", "work"),
    "upstream_requests": _COUNT,
    "upstream_latency_ms.p50": Metric("ms", role="traffic"),
    "upstream_latency_ms.p95": Metric("ms", role="traffic"),
    "connections_opened": _COUNT,
    "websocket_connects": _COUNT,
    # More at once is how an optimised bot overlaps its waits, and what claims speak of.
    "max_in_flight": Metric("count", "higher", "traffic", counted=True),
    "bytes_in": Metric("bytes", role="traffic", counted=True),
    "bytes_out": Metric("bytes", role="traffic", counted=True),
    "cache_hit_rate": Metric("share", "higher", "traffic"),
    "peak_rss_mb": Metric("MB", role="cost"),
    "cpu_s": Metric("s", role="cost"),
    "startup_s": Metric("s", role="cost"),
    "blocked_ms": _COST_MS,
    **{f"loop_lag_ms.{part}": _COST_MS for part in ("p50", "p99", "max")},
    **{f"schedule_lateness_ms.{part}": _SCHEDULE for part in ("p50", "p99", "max")},
}


def metric(name: str) -> Metric:
    """Describe ``name``; what is not in the catalogue is a scenario's own count."""
    return METRICS.get(name, _COUNT)
