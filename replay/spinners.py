"""Keeps processors awake while runs go on: one process of idle priority on each.

A processor that falls asleep between two packets wakes up late, and every wait on loopback ends
with that. A process that spins at SCHED_IDLE priority keeps it awake, needs no privilege, and
steps aside at once for everything else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_SPINS = 20_000


@dataclass(frozen=True, slots=True)
class Spinners:
    """Running spinners."""

    pids: tuple[int, ...]

    def cpu_s(self) -> float:
        """Return the CPU time that they have used so far, which is nobody's work."""
        import psutil

        return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in self.pids)


@contextmanager
def spinning(cpus: Collection[int]) -> Iterator[Spinners]:
    """Spin on every processor of ``cpus`` until the block ends or this process dies."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for cpu in cpus:
            processes.append(_start(cpu))
        yield Spinners(tuple(process.pid for process in processes))
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _start(cpu: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(cpu), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C at the terminal is not for them
    )


def possible() -> bool:
    """Tell whether this system knows a priority that yields to everything."""
    return hasattr(os, "SCHED_IDLE")


def _spin(cpu: int, parent: int) -> None:
    """Spin on ``cpu`` while ``parent`` lives."""
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while os.getppid() == parent:
        for _ in range(_SPINS):
            pass


if __name__ == "__main__":
    _spin(int(sys.argv[1]), int(sys.argv[2]))
