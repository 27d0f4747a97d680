"""Which line of the bot is at work: for messages that name the place to look at."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

_OWN = os.path.dirname(os.path.abspath(__file__))
_STDLIB = os.path.dirname(os.__file__)
UNKNOWN = "line unknown"


def calling_line() -> str:
    """Return ``bot.py:31``: the innermost line of the bot's own code that led here.

    A library may resolve names in a task or thread of its own; then the lines of the bot that wait
    for a library in the running loop are given.
    """
    frame: FrameType | None = sys._getframe(1)
    below_loop = False
    while frame is not None:
        below_loop = below_loop or _runs_a_loop(frame)
        if _is_bot(frame):
            # Below the loop stands only the line that started it, not the one that waits.
            waiting = sorted(set(_waiting_lines()))[:3] if below_loop else []
            return " or ".join(waiting) or _line(frame)
        frame = frame.f_back
    return " or ".join(sorted(set(_waiting_lines()))[:3]) or UNKNOWN


def _waiting_lines() -> Iterator[str]:
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return
    for task in asyncio.all_tasks():
        line, in_library = "", False
        awaited = task.get_coro()
        while (frame := getattr(awaited, "cr_frame", None)) is not None:
            if _is_bot(frame):
                line, in_library = _line(frame), False
            elif "site-packages" in frame.f_code.co_filename:
                in_library = True
            awaited = awaited.cr_await
        # An awaitable of a library, such as aiohttp's requests, hides its coroutine in a wrapper.
        if line and (in_library or type(awaited).__name__ == "coroutine_wrapper"):
            yield line


def _runs_a_loop(frame: FrameType) -> bool:
    path = frame.f_code.co_filename
    return path.startswith(_STDLIB) and path.endswith(("asyncio/runners.py", "/base_events.py"))


def _is_bot(frame: FrameType) -> bool:
    path = frame.f_code.co_filename
    return not (path.startswith(("<frozen", _OWN, _STDLIB)) or "site-packages" in path)


def _line(frame: FrameType) -> str:
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
