"""PS401: a WebSocket that is opened again at once, or always after the same time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.literals import number
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.remote import Reach, pauses, steps
from perfscan.analyzers.retries import (
    after_failure,
    always_gives_up,
    catches,
    handlers,
    is_constant,
    reconnects,
    tried,
)

_LONG_S = 30
"""A delay that strains no server, though it is too long after a hiccup."""

_RETURNS = ("run_forever",)
"""Ways to serve a connection that return when it breaks, instead of raising."""


class _Way(NamedTuple):
    """How a loop gets from a failure to its next attempt."""

    handler: Block | None
    waits: list[Call]


@rule("PS401", "ws-reconnect-no-backoff", Severity.HIGH, on=Block)
def ws_reconnect_no_backoff(loop: Block, where: Where) -> Iterator[Hit]:
    """Report loops that connect a WebSocket again without a growing delay.

    What it does:
        Looks at endless loops that open a WebSocket, directly or in a helper, and go on after a
        failure. Reports those that wait nothing, or always the same time, before they connect
        again.

    Why it costs a bot:
        When the server goes down every client comes back at the same moment, every few seconds.
        It refuses or bans them, and the outage lasts longer. After a mere hiccup, the same
        constant delay loses all messages for seconds where milliseconds would do.

    Example:
        import asyncio
        import websockets

        async def listen(handle):
            while True:
                try:
                    async with websockets.connect("wss://stream.example.org") as ws:
                        async for message in ws:
                            handle(message)
                except Exception:
                    await asyncio.sleep(5)

    Use instead:
        import asyncio
        import random
        import websockets

        async def listen(handle):
            failures = 0
            while True:
                try:
                    async with websockets.connect("wss://stream.example.org") as ws:
                        async for message in ws:
                            failures = 0
                            handle(message)
                except Exception:
                    failures += 1
                    await asyncio.sleep(random.uniform(0, min(60, 0.5 * 2**failures)))

    When it is fine:
        `async for ws in websockets.connect(uri)`, which backs off by itself, and a loop whose
        delay grows or is random.
    """
    if (where.index, loop.number) not in where.hot_regions.loops or loop.kind == "for":
        return
    opened = reconnects(loop, where)
    if opened is None:
        return
    call = where.file.calls[opened.path[0][1]]
    if _by_itself(opened, where) or where.loops(call.block)[0].number != loop.number:
        return
    if _cools_down(opened, where):
        return
    ways = _ways_back(call, opened, loop, where)
    if ways and all(_delay(wait, loop, where) is not None for way in ways for wait in way.waits):
        yield _hit(call, opened, ways, loop, where)


def _by_itself(opened: Reach, where: Where) -> bool:
    """Tell whether the library takes care: ``async for ws in connect()``, socketio's clients."""
    site = where.program.site(opened.sink)
    path = site.things[0].path if site.things else ""
    given = dict(site.call.keywords)
    return site.call.use == "iterated" or path.startswith("socketio.") or "reconnect" in given


def _cools_down(opened: Reach, where: Where) -> bool:
    """Tell whether a helper on the way refuses to connect before some time has passed."""
    return any(_refuses(where.sibling(file), number) for file, number in opened.path[1:])


def _refuses(where: Where, number: int) -> bool:
    call = where.file.calls[number]
    function = where.function_id(call.block)
    return any(
        jump.kind in {"raise", "return"}
        and jump.span < call.span
        and where.function_id(jump.block) == function
        and _compares_a_difference(where.block(jump.block))
        for jump in where.file.jumps
    )


def _compares_a_difference(block: Block) -> bool:
    """Tell whether a block runs on such a condition: ``now() - failed_at < 30``."""
    test = block.value
    return (
        block.kind == "if"
        and test is not None
        and test.kind == "compare"
        and any(item.kind == "binary" and item.ref == "Sub" for item in test.items)
    )


def _ways_back(call: Call, opened: Reach, loop: Block, where: Where) -> list[_Way]:
    """Return what a loop waits after each failure before it tries again; none when it is left."""
    found = [
        _Way(handler, _waits(after_failure(handler, loop, where), where))
        for handler in handlers(loop, where)
        if call.block in where.below(tried(handler, where).number)
        and not always_gives_up(handler, where)
    ]
    sink = where.program.site(opened.sink).call
    if not found and sink.func.rpartition(".")[2] in _RETURNS:
        return [_Way(None, _waits(where.calls_in(loop.number), where))]
    return found


def _waits(calls: list[Call], where: Where) -> list[Call]:
    return [call for call in calls if pauses(call, where)]


def _delay(wait: Call, loop: Block, where: Where) -> str | None:
    """Return how long a call always waits, in words; None when that may differ."""
    value = where.argument(wait, 0, "delay")
    if value is None or not is_constant(value, loop, where):
        return None
    seconds = number(value, where, wait.block)
    return f"{seconds:g} s" if seconds is not None else value.ref or "the same time"


def _is_patient(way: _Way, where: Where) -> bool:
    seconds = [number(where.argument(w, 0, "delay"), where, w.block) or 0 for w in way.waits]
    return max(seconds, default=0) >= _LONG_S


def _when(ways: list[_Way], loop: Block, where: Where) -> str:
    """Say how soon a loop connects again, and after which failures sooner than after others."""
    delay = next((_delay(wait, loop, where) for way in ways for wait in way.waits), "")
    hasty = [way.handler for way in ways if not way.waits and way.handler is not None]
    if not delay or not hasty:
        return f"always after {delay}" if delay else "at once"
    errors = [error.ref for handler in hasty for error in catches(handler)]
    return f"at once after {' or '.join(errors) or 'some errors'}, else always after {delay},"


def _hit(call: Call, opened: Reach, ways: list[_Way], loop: Block, where: Where) -> Hit:
    when = _when(ways, loop, where)
    return Hit(
        call.place,
        call.block,
        message=f"{where.name(call.block)}() opens its WebSocket again {when} when it breaks",
        fix="Let the delay grow with the failures in a row, up to a minute, and spread it.",
        severity=Severity.MEDIUM if all(_is_patient(way, where) for way in ways) else None,
        confidence=where.program.site(opened.sink).confidence,
        trace=steps(where, opened),
    )
