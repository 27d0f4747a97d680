"""PS106: waiting for another program on the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, LibraryCall, rule

_STARTS = "subprocess.Popen"


@rule("PS106", "blocking-subprocess", Severity.HIGH, on=LibraryCall)
def blocking_subprocess(call: Call, where: Where) -> Iterator[Hit]:
    """Report a coroutine that waits for another program without await.

    What it does:
        Looks for `subprocess.run`, `check_output`, `os.system` and `Popen.wait` or `communicate` in
        code that the event loop runs. Starting a process with `Popen` and not waiting is reported
        as low: only the start itself blocks, for milliseconds.

    Why it costs a bot:
        The event loop stands still until the other program ends, which may be seconds.

    Example:
        import subprocess

        async def convert(path):
            subprocess.run(["ffmpeg", "-i", path, "out.ogg"])

    Use instead:
        import asyncio

        async def convert(path):
            process = await asyncio.create_subprocess_exec("ffmpeg", "-i", path, "out.ogg")
            await process.wait()

    When it is fine:
        In a worker thread, and in a script without an event loop.
    """
    if not where.on_loop(call.block):
        return
    name = where.name(call.block)
    effect = where.effect(call)
    if effect is not None and not effect.is_async and effect.cost == "subprocess":
        yield Hit(
            call.place,
            call.block,
            message=f"{effect.readable}() keeps the event loop of {name} waiting for a program",
            fix=f"Use await {effect.replacement or 'asyncio.create_subprocess_exec'}(...).",
            severity=where.weight(call, Severity.HIGH),
            confidence=where.confidence(call),
        )
    elif where.path(call) == _STARTS:
        yield Hit(
            call.place,
            call.block,
            message=f"subprocess.Popen() starts a program on the event loop in {name}",
            fix="Use await asyncio.create_subprocess_exec(...).",
            severity=where.weight(call, Severity.LOW),
            confidence=where.confidence(call),
        )
