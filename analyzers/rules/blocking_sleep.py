"""PS102: time.sleep on the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import EffectCall, Hit, rule
from perfscan.analyzers.sleeps import is_short


@rule("PS102", "blocking-sleep", Severity.CRITICAL, on=EffectCall, fixable="safe")
def blocking_sleep(call: Call, where: Where) -> Iterator[Hit]:
    """Report a sleep that stops the event loop.

    What it does:
        Looks for `time.sleep` (under any name it was imported by) in `async def` and in callbacks
        that the event loop runs. Sleeps of a few hundredths of a second weigh medium.

    Why it costs a bot:
        Nothing else runs during the sleep: every chat, stream and timer of the bot waits with it.

    Example:
        import time

        async def poll():
            time.sleep(1)

    Use instead:
        import asyncio

        async def poll():
            await asyncio.sleep(1)

    When it is fine:
        In a function that runs in a worker thread, and in code without an event loop.
    """
    effect = where.effect(call)
    if effect is None or effect.is_async or effect.cost != "sleep":
        return
    if not where.on_loop(call.block):
        return
    function = where.function(call.block)
    awaits = function is not None and function.is_async
    sleep = f"await {effect.replacement or 'asyncio.sleep'}(...)"
    yield Hit(
        call.place,
        call.block,
        message=f"{effect.readable}() stops the whole event loop in {where.name(call.block)}",
        fix=f"Write {sleep}." if awaits else f"Make the callback a coroutine and write {sleep}.",
        severity=where.weight(
            call, Severity.MEDIUM if is_short(call, where) else Severity.CRITICAL
        ),
        confidence=where.confidence(call),
        fixable="safe" if awaits and call.use == "statement" else "no",
    )
