"""The metrics that a run yields: unit, which way is better, and what each is good for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from perfscan.replay.model import Better

Role = Literal["speed", "work", "traffic", "cost", "schedule"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What the figures of one name mean."""

    label: str
    """For people, such as ``Item latency p95``."""
    unit: str
    """``ms``, ``s``, ``MB``, ``bytes``, ``items/s``, ``share`` (0 to 1) or ``count``."""
    better: Better = "lower"
    role: Role = "speed"
    """``speed`` and ``work`` metrics decide the verdict; ``cost`` is what a gain was paid with;
    ``schedule`` describes the replay itself and is never compared."""
    counted: bool = False
    """A number of discrete things, free of the noise of a clock."""
    total: str = ""
    """The metric that this one gives per item handled."""


def _percentiles(prefix: str, label: str, role: Role, *parts: str) -> dict[str, Metric]:
    return {f"{prefix}.{part}": Metric(f"{label} {part}", "ms", role=role) for part in parts}


METRICS: dict[str, Metric] = {
    **_percentiles(
        "item_latency_ms", "Item latency", "speed", "p50", "p95", "p99", "p99.9", "mean"
    ),
    # Over whatever each side handled, so the two sides speak of different items: no verdict.
    **_percentiles(
        "item_latency_all_ms", "Item latency, all handled,", "traffic", "p50", "p95", "mean"
    ),
    "throughput_items_per_s": Metric("Throughput", "items/s", "higher"),
    "makespan_s": Metric("Time for all items", "s", role="traffic"),
    "success_rate": Metric("Items handled", "share", "higher", "work"),
    "upstream_requests": Metric("Upstream requests", "count", role="traffic", counted=True),
    **_percentiles("upstream_latency_ms", "Upstream latency", "traffic", "p50", "p95"),
    "connections_opened": Metric("Connections opened", "count", role="traffic", counted=True),
    "connections_open_max": Metric("Most connections open", "count", role="traffic"),
    "websocket_connects": Metric("WebSocket connects", "count", role="traffic", counted=True),
    # More at once is how an optimised bot overlaps its waits, and what claims speak of.
    "max_in_flight": Metric("Most requests at once", "count", "higher", "traffic", counted=True),
    "inbound_requests": Metric(
        "Requests of the bot's users", "count", "higher", "traffic", counted=True
    ),
    "inbound_errors": Metric("Failed answers to users", "count", role="work", counted=True),
    "inbound_served_per_s": Metric("Answers to users", "items/s", "higher", "traffic"),
    "bytes_in": Metric("Payload received", "bytes", role="traffic", counted=True),
    "bytes_out": Metric("Payload sent", "bytes", role="traffic", counted=True),
    "wire_bytes_in": Metric("Received with heads", "bytes", role="traffic", counted=True),
    "wire_bytes_out": Metric("Sent with heads", "bytes", role="traffic", counted=True),
    "tls_handshakes": Metric("TLS handshakes", "count", role="traffic", counted=True),
    "websocket_reconnects": Metric("WebSocket reconnects", "count", role="traffic", counted=True),
    "duplicates": Metric("Effects sent twice", "count", role="traffic", counted=True),
    "requests_refused": Metric("Requests over a limit", "count", role="traffic", counted=True),
    "requests_failed_by_fault": Metric(
        "Requests that a fault took", "count", role="traffic", counted=True
    ),
    "cache_hit_rate": Metric("Cache hits", "share", "higher", "traffic"),
    "baseline_rss_mb": Metric("Memory after start-up", "MB", role="cost"),
    "peak_rss_mb": Metric("Peak memory", "MB", role="cost"),
    "mean_rss_mb": Metric("Mean memory", "MB", role="cost"),
    "end_rss_mb": Metric("Memory at the end", "MB", role="cost"),
    "rss_growth_mb_per_min": Metric("Memory growth per minute", "MB", role="cost"),
    "cpu_s": Metric("CPU time", "s", role="cost"),
    "startup_s": Metric("Start to first request", "s", role="cost"),
    "ready_s": Metric("Start to ready for work", "s", role="cost"),
    "import_s": Metric("Import", "s", role="cost"),
    "first_call_ms": Metric("First call", "ms", role="cost"),
    "descriptors_max": Metric("Most open descriptors", "count", role="cost"),
    "threads_max": Metric("Most threads", "count", role="cost"),
    "processes_max": Metric("Most processes", "count", role="cost"),
    "tasks_max": Metric("Most tasks", "count", role="cost"),
    "tasks_end": Metric("Tasks at the end", "count", role="cost"),
    "gc_ms": Metric("Garbage collection", "ms", role="cost"),
    "blocked_ms": Metric("Event loop blocked", "ms", role="cost"),
    **_percentiles("loop_lag_ms", "Event-loop lag", "cost", "p50", "p99", "max"),
    **_percentiles(
        "schedule_lateness_ms", "Lateness of the replay", "schedule", "p50", "p99", "max"
    ),
    "involuntary_switches": Metric(
        "Times the bot was preempted", "count", role="schedule", counted=True
    ),
    "cpu_steal_rate": Metric("Taken by the hypervisor", "share", role="schedule"),
    "load_end": Metric("Load at the end of the run", "count", role="schedule"),
}


_OF_CALLS = {
    "call_ms": Metric("Time per call", "ms"),
    "peak_alloc_mb": Metric("Peak memory of a call", "MB", role="cost"),
}
"""Metrics of functions, each given for every number of rows: ``call_ms.1000``."""

_PER_ITEM = "_per_item"
TOTALS = (
    *("upstream_requests", "connections_opened", "tls_handshakes", "websocket_connects"),
    *("bytes_in", "bytes_out", "wire_bytes_in", "wire_bytes_out", "blocked_ms"),
)
"""Metrics that grow with the work done, so that each is also given per item handled."""


def per_item(total: str) -> str:
    """Return the name under which a total stands divided by the items handled."""
    return "cpu_ms_per_item" if total == "cpu_s" else f"{total}{_PER_ITEM}"


def of_latency(name: str) -> tuple[str, ...]:
    """Return the metrics of a scenario's own latency."""
    return tuple(f"{name}.{part}" for part in ("p50", "p95", "mean"))


def describe(name: str) -> Metric:
    """Describe a metric; what is not in the catalogue is a scenario's own latency or count."""
    if name == per_item("cpu_s"):
        return Metric("CPU time / item", "ms", role="cost", total="cpu_s")
    if name.endswith(_PER_ITEM):
        total = name.removesuffix(_PER_ITEM)
        about = describe(total)
        return replace(about, label=f"{about.label} / item", counted=False, total=total)
    prefix, _, rows = name.partition(".")
    if prefix in _OF_CALLS and (rows == "all" or rows.isdigit()):
        about = _OF_CALLS[prefix]
        size = f"{int(rows):,}" if rows.isdigit() else rows
        return replace(about, label=f"{about.label}, {size} rows")
    if prefix.endswith("_ms") and name in of_latency(prefix) and name not in METRICS:
        words = prefix.removesuffix("_ms").replace("_", " ").capitalize()
        return Metric(f"{words} latency {rows}", "ms", role="traffic")
    own = Metric(name.replace("_", " ").capitalize(), "count", role="traffic", counted=True)
    return METRICS.get(name, own)
