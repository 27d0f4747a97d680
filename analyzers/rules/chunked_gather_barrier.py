"""PS210: batches that wait for their slowest member before the next one starts."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.amounts import is_part
from perfscan.analyzers.context import Where
from perfscan.analyzers.crowds import Crowd, crowd_of, work_of
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_LEAVES = frozenset({"break", "return", "yield"})


@rule("PS210", "chunked-gather-barrier", Severity.MEDIUM, on=Call, calls=("gather",))
def chunked_gather_barrier(call: Call, where: Where) -> Iterator[Hit]:
    """Report requests that are gathered in batches, one batch after the other.

    What it does:
        Finds a loop over chunks whose body awaits `asyncio.gather` over the chunk's requests, with
        or without a pause between the batches, and does nothing else that waits.

    Why it costs a bot:
        Each batch takes as long as its slowest request, and all its other slots idle meanwhile.
        With 10 at a time and one reply in ten that takes 2 s instead of 0.2 s, most batches take
        2 s: several times longer than the same limit held by a semaphore.

    Example:
        import asyncio
        import httpx

        async def fetch_all(client: httpx.AsyncClient, urls):
            pages = []
            for start in range(0, len(urls), 10):
                batch = urls[start : start + 10]
                pages += await asyncio.gather(*[client.get(url) for url in batch])
            return pages

    Use instead:
        import asyncio
        import httpx

        async def fetch_all(client: httpx.AsyncClient, urls):
            slots = asyncio.Semaphore(10)

            async def fetch(url):
                async with slots:
                    return await client.get(url)

            return await asyncio.gather(*[fetch(url) for url in urls])

    When it is fine:
        When each batch is stored before the next one starts, when its results decide whether to
        go on, and when the work is done in this process.
    """
    if not call.awaited:
        return
    loop = next(iter(where.loops(call.block)), None)
    if loop is None or loop.kind == "comp" or loop.is_async or where.is_constant(loop):
        return
    crowd = crowd_of(call, where)
    if crowd is None or not _is_batch_of(crowd, loop, where) or _has_reason(call, loop, where):
        return
    work = work_of(crowd, where)
    if work == "none":
        return
    paused = any("sleep" in where.roles(inner) for inner in where.calls_in(loop.number))
    yield Hit(
        call.place,
        call.block,
        message=(
            f"each batch in {where.name(call.block)} waits for the slowest"
            f" {crowd.func.lstrip('@0123456789.')}()"
            + (" and for a pause" if paused else "")
            + " before the next one starts"
        ),
        fix=(
            "Gather all of them, each inside an asyncio.Semaphore of the batch's size"
            + (", and let a rate limiter pace them." if paused else ".")
        ),
        confidence=Confidence.PROBABLE if work == "network" else Confidence.POSSIBLE,
    )


def _is_batch_of(crowd: Crowd, loop: Block, where: Where) -> bool:
    """Tell whether the gathered items are this turn's part of a longer list."""
    items = crowd.iterable
    if not is_part(items, crowd.outside, where):
        return False
    inside = where.below(loop.number)
    return (
        bool(set(items.names) & set(loop.targets))
        or items.ref in loop.targets
        or any(a.target == items.ref and a.block in inside for a in where.file.assigns)
    )


def _has_reason(call: Call, loop: Block, where: Where) -> bool:
    """Tell whether something else happens per batch: it ends the loop, or is waited for, too."""
    inside = where.below(loop.number)
    if any(jump.kind in _LEAVES and jump.block in inside for jump in where.file.jumps):
        return True
    for other in where.calls_in(loop.number):
        if where.block(other.block).kind == "comp" or other.owner == call.number:
            continue
        effect = where.effect(other)
        waits = other.awaited and other != call and "sleep" not in where.roles(other)
        if waits or (effect is not None and effect.cost in {"database", "file"}):
            return True
    return False
