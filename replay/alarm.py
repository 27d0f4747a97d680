"""The server's clock and its timers: nanoseconds from the start of the run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

TOLERANCE_NS = 20_000
"""A timer that fires earlier than this before its time is set again: uvloop rounds to 1 ms."""


class Alarm:
    """Calls back when something is due."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.origin_ns = time.monotonic_ns()
        """Reading of the system's monotonic clock at time 0."""

    def now(self) -> int:
        """Return the time of the run."""
        return time.monotonic_ns() - self.origin_ns

    def at(self, due_ns: int, call: Callable[[], None]) -> None:
        """Call ``call`` at ``due_ns``, or soon where that has passed; never before returning."""
        early_ns = due_ns - self.now()
        if early_ns <= TOLERANCE_NS:
            self._loop.call_soon(call)
        else:
            self._loop.call_later(early_ns / 1e9, self._ring, due_ns, call)

    def _ring(self, due_ns: int, call: Callable[[], None]) -> None:
        if due_ns - self.now() <= TOLERANCE_NS:
            call()
        else:
            self.at(due_ns, call)
