"""What the processes of a run have in common: they say how it goes, and end when told or alone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import Callable, Mapping
from typing import Any

STATUS_INTERVAL_S = 0.25
FLUSH_INTERVAL_S = 0.125
"""How often journals are written on: in so small parts that no timer waits for a disk."""
Say = Callable[[Mapping[str, Any]], bool]
"""Prints one line; False when nobody reads it."""


def say(line: Mapping[str, Any]) -> bool:
    """Print one line of JSON; False when nobody reads it."""
    try:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = None  # or Python complains again at its exit
        return False
    return True


async def happens(event: asyncio.Event, within_s: float) -> bool:
    """Wait for ``event``; False where it does not come in time."""
    try:
        async with asyncio.timeout(within_s):
            return await event.wait()
    except TimeoutError:
        return False


def stop_on_defects(stop: asyncio.Event) -> list[Exception]:
    """Let an exception that nobody expected end the process instead of hanging one connection."""
    found: list[Exception] = []

    def note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception) and not isinstance(error, OSError):
            found.append(error)
            stop.set()
        else:
            loop.default_exception_handler(context)

    asyncio.get_running_loop().set_exception_handler(note)
    return found


def stop_on_signals_and_silence(stop: asyncio.Event) -> None:
    """Set ``stop`` on SIGTERM and SIGINT, and when a pipe on standard input is closed."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(
        mode
    ):  # not the null device, which is always at its end

        def read() -> None:
            if not os.read(sys.stdin.fileno(), 4096):
                loop.remove_reader(sys.stdin.fileno())
                stop.set()

        loop.add_reader(sys.stdin.fileno(), read)
