"""CPU, memory and end of a process and its children, read from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass

import psutil

MEGABYTE = 1_000_000
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process tree has used so far."""

    peak_rss_mb: float
    """Largest resident memory of the whole tree at any sample, in 10^6 bytes."""
    cpu_s: float
    """User and system time of all its processes, finished ones included where seen."""


class ProcessTree:
    """Samples one process and its descendants; call :meth:`sample` a few times a second."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._cpu: dict[int, float] = {}
        self._peak = 0

    def sample(self) -> None:
        """Take one sample; a process that ends meanwhile keeps its last reading."""
        resident = 0
        for process in self._members():
            with contextlib.suppress(*_GONE):
                times = process.cpu_times()
                self._cpu[process.pid] = times.user + times.system
                resident += process.memory_info().rss
        self._peak = max(self._peak, resident, self._high_water())

    def usage(self) -> Usage:
        """Return the totals over all samples."""
        return Usage(self._peak / MEGABYTE, sum(self._cpu.values()))

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
