"""CPU, memory and end of a process and its children, read from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, linear_regression

import psutil

MEGABYTE = 1_000_000
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)


LONG_ENOUGH_S = 60.0
"""Less than this says nothing about whether memory grows."""
WARM_UP_SHARE = 0.25
"""Of the time watched, what does not count for the growth: caches and pools fill first."""
COUNTS_EVERY_S = 1.0
_COUNTS = ("descriptors_max", "threads_max", "processes_max", "involuntary_switches")


class ProcessTree:
    """Samples one process and its descendants; call :meth:`sample` a few times a second.

    What a call costs is spent in this process, not in the bot. ``clock`` gives seconds.
    """

    def __init__(self, pid: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = psutil.Process(pid)
        self._clock = clock
        self._cpu_s = 0.0
        self._peak = 0
        self._resident: list[tuple[float, int]] = []
        self._most = dict.fromkeys(_COUNTS, 0)
        self._counted_at = float("-inf")

    def sample(self) -> None:
        """Take one sample; of a process that ends meanwhile what was read before stays."""
        now = self._clock()
        members = self._members()
        resident, cpu_s = 0, 0.0
        for process in members:
            with contextlib.suppress(*_GONE):
                cpu_s += sum(process.cpu_times()[:4])  # children that it has waited for, too
                resident += process.memory_info().rss
        self._cpu_s = max(self._cpu_s, cpu_s)
        if resident:
            self._resident.append((now, resident))
            self._peak = max(self._peak, resident, self._high_water())
        if now - self._counted_at >= COUNTS_EVERY_S:
            self._counted_at = now
            self._count(members)

    def resident_mb(self) -> list[tuple[float, float]]:
        """Return the memory at each sample, with its time."""
        return [(at_s, size / MEGABYTE) for at_s, size in self._resident]

    def metrics(self) -> dict[str, float]:
        """Return the figures of all samples under the names of metrics; memory in 10^6 bytes."""
        found = {"peak_rss_mb": self._peak / MEGABYTE, "cpu_s": self._cpu_s, **self._most}
        if self._resident:
            sizes = [size for _, size in self._resident]
            found["mean_rss_mb"] = fmean(sizes) / MEGABYTE
            found["end_rss_mb"] = sizes[-1] / MEGABYTE
            found |= _growth(self._resident)
        return found

    def _count(self, members: Sequence[psutil.Process]) -> None:
        now = dict.fromkeys(_COUNTS, 0) | {"processes_max": len(members)}
        for process in members:
            with contextlib.suppress(*_GONE):
                now["threads_max"] += process.num_threads()
                now["descriptors_max"] += process.num_fds()
                now["involuntary_switches"] += process.num_ctx_switches().involuntary
        for name, value in now.items():
            self._most[name] = max(self._most[name], value)

    def _members(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except _GONE:
            return []

    def _high_water(self) -> int:
        """Peak of the root process alone as the kernel kept it: sees what samples miss."""
        try:
            with open(f"/proc/{self._root.pid}/status", encoding="ascii") as status:  # noqa: PTH123
                line = next((row for row in status if row.startswith("VmHWM:")), "VmHWM: 0 kB")
        except OSError:
            return 0
        return int(line.split()[1]) * 1024


def _growth(resident: Sequence[tuple[float, int]]) -> dict[str, float]:
    """Return how fast memory grows once it is warm; empty where it was watched too briefly."""
    begin, end = resident[0][0], resident[-1][0]
    if end - begin < LONG_ENOUGH_S:
        return {}
    warm = [point for point in resident if point[0] >= begin + WARM_UP_SHARE * (end - begin)]
    times, sizes = zip(*warm, strict=True)
    return {"rss_growth_mb_per_min": linear_regression(times, sizes).slope * 60 / MEGABYTE}


def stop(process: subprocess.Popen[bytes], patience_s: float) -> bool:
    """End ``process`` and its process group: SIGTERM, then SIGKILL after ``patience_s``.

    The process must lead its own group (``start_new_session=True``). Returns True when it ended
    by itself or on SIGTERM, False when it had to be killed.
    """
    _signal_group(process, signal.SIGTERM)
    try:
        process.wait(patience_s)
        orderly = True
    except subprocess.TimeoutExpired:
        orderly = False
    _signal_group(process, signal.SIGKILL)  # children that outlived their parent, too
    process.wait()
    return orderly


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def describe_end(code: int) -> str:
    """Say in words how a process ended: ``exit status 3`` or ``killed by SIGKILL``."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def machine_load() -> dict[str, float]:
    """Return load average over 1 minute and the CPU seconds spent, idle and stolen so far."""
    times = psutil.cpu_times()
    return {
        "load_1m": os.getloadavg()[0],
        "cpu_idle_s": times.idle,
        "cpu_steal_s": float(getattr(times, "steal", 0.0)),
        "cpu_total_s": float(sum(times[:8])),
        "clock_s": time.monotonic(),
    }


def shares(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return which share of the machine's CPU time was not idle and which stolen, 0 to 1."""
    elapsed = after["cpu_total_s"] - before["cpu_total_s"]
    spent = {name: after[f"cpu_{name}_s"] - before[f"cpu_{name}_s"] for name in ("idle", "steal")}
    if elapsed <= 0:
        return {"cpu_busy": 0.0, "cpu_steal": 0.0}
    return {"cpu_busy": 1 - spent["idle"] / elapsed, "cpu_steal": spent["steal"] / elapsed}


def disturbance(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what the machine did to a run, under the names of metrics."""
    return {"cpu_steal_rate": shares(before, after)["cpu_steal"], "load_end": after["load_1m"]}


def busy_share(seconds: float = 0.5) -> float:
    """Watch the machine for a moment; return which share of its CPU time was not idle, 0 to 1.

    Unlike the load average it forgets at once what ran before.
    """
    before = machine_load()
    time.sleep(seconds)
    return shares(before, machine_load())["cpu_busy"]
