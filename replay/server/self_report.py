"""How well the server itself keeps up: how late it is, how busy, how much waits."""

from __future__ import annotations

import time

_FINE = 3
"""Bits after the leading one that a bucket distinguishes: 8 buckets for each power of two."""


class Lateness:
    """Nanoseconds between when things were due and when they were done, to within 12.5 %."""

    def __init__(self) -> None:
        self.max_ns = 0
        self._counts = [0] * (64 << _FINE)
        self._total = 0

    def note(self, late_ns: int) -> None:
        """Count one thing that was done; early counts as in time."""
        late_ns = max(0, late_ns)
        self.max_ns = max(self.max_ns, late_ns)
        self._counts[_bucket(late_ns)] += 1
        self._total += 1

    def quantile_ns(self, share: float) -> int:
        """Return the lateness that ``share`` of all things did not exceed; 0 before the first."""
        left = share * self._total
        for bucket, count in enumerate(self._counts):
            left -= count
            if count and left <= 0:
                return min(_largest(bucket), self.max_ns)
        return 0

    def status(self) -> dict[str, float]:
        """Return the figures so far, in milliseconds."""
        figures = {"p50": self.quantile_ns(0.5), "p99": self.quantile_ns(0.99), "max": self.max_ns}
        return {f"lateness_{name}_ms": round(ns / 1e6, 4) for name, ns in figures.items()}


def _bucket(value: int) -> int:
    shift = max(0, value.bit_length() - _FINE - 1)
    return (shift << _FINE) + (value >> shift)


def _largest(bucket: int) -> int:
    """Return the largest value that a bucket holds."""
    shift = max(0, (bucket >> _FINE) - 1)
    return ((bucket - (shift << _FINE) + 1) << shift) - 1


class ProcessorShare:
    """Which share of one processor this process has used since it was last asked."""

    def __init__(self) -> None:
        self._last = self._now()

    def take(self) -> float:
        """Return the share since the last call; more than 1 where threads work side by side."""
        before, self._last = self._last, self._now()
        elapsed_s = self._last[0] - before[0]
        return (self._last[1] - before[1]) / elapsed_s if elapsed_s > 0 else 0.0

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.monotonic(), time.process_time()
