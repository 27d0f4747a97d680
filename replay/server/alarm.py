"""The server's clock and its timers: nanoseconds from the start of the run.

Event loops round their timers to a millisecond; the kernel's own (timerfd) are 30 to 160 us late.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import heapq
import itertools
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

from perfscan.replay.server.self_report import Lateness

Call = Callable[[], None]
_CLOCK_MONOTONIC = 1  # of time.monotonic_ns() on Linux
_TFD_TIMER_ABSTIME = 1
_BILLION = 1_000_000_000


class _Timer(Protocol):
    """Rings once at a reading of the system's monotonic clock; setting it again moves it."""

    def set(self, monotonic_ns: int) -> None: ...

    def close(self) -> None: ...


class Alarm:
    """Calls back when something is due, in the order in which things are due."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.origin_ns = time.monotonic_ns()
        """Reading of the system's monotonic clock at time 0."""
        self.lateness = Lateness()
        self._waiting: list[tuple[int, int, Call]] = []
        self._order = itertools.count()
        kind = _KernelTimer if sys.platform == "linux" else _LoopTimer
        self._timer: _Timer = kind(loop, self._ring)

    def now(self) -> int:
        """Return the time of the run."""
        return time.monotonic_ns() - self.origin_ns

    def at(self, due_ns: int, call: Call) -> None:
        """Call ``call`` at ``due_ns``, or soon where that has passed; never before returning."""
        entry = (due_ns, next(self._order), call)
        heapq.heappush(self._waiting, entry)
        if self._waiting[0] is entry:
            self._timer.set(self.origin_ns + due_ns)

    @property
    def pending(self) -> int:
        """How many things are still to be done."""
        return len(self._waiting)

    def close(self) -> None:
        """Forget everything that is still waiting."""
        self._waiting.clear()
        self._timer.close()

    def _ring(self) -> None:
        try:
            while self._waiting and (late_ns := self.now() - self._waiting[0][0]) >= 0:
                self.lateness.note(late_ns)
                heapq.heappop(self._waiting)[2]()
        finally:  # also where one of the calls failed
            if self._waiting:
                self._timer.set(self.origin_ns + self._waiting[0][0])


class _LoopTimer:
    """The event loop's own timers."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Call) -> None:
        self._loop = loop
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None

    def set(self, monotonic_ns: int) -> None:
        self.close()
        wait_s = (monotonic_ns - time.monotonic_ns()) / _BILLION
        self._handle = self._loop.call_later(max(0.0, wait_s), self._ring)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()


class _Interval(ctypes.Structure):
    """``struct itimerspec``."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class _KernelTimer:
    """A timerfd; Python has none before 3.13."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Call) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._loop = loop
        self._ring = ring
        flags = os.O_NONBLOCK | os.O_CLOEXEC
        self._descriptor = self._libc.timerfd_create(_CLOCK_MONOTONIC, flags)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        loop.add_reader(self._descriptor, self._expired)

    def set(self, monotonic_ns: int) -> None:
        spec = _Interval(0, 0, *divmod(max(1, monotonic_ns), _BILLION))
        self._libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None)

    def close(self) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _expired(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it was set again in the meantime
            os.read(self._descriptor, 8)
        self._ring()
