"""Coroutines in code: what awaits stand where, who starts a task, how a call is named."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Await, Block, Call, Function

_SUSPENDING = frozenset({"for", "comp", "with"})


def in_coroutine(block: int, where: Where) -> Function | None:
    """Return the ``async def`` that runs ``block`` itself, None elsewhere."""
    function = where.function(block)
    return function if function is not None and function.is_async else None


def awaits_in(block: int, where: Where) -> list[Await]:
    """Return the awaits inside ``block``, at any depth, in the same function."""
    inside = where.below(block)
    return [entry for entry in where.file.awaits if entry.block in inside]


def suspending_blocks(block: int, where: Where) -> Iterator[Block]:
    """Yield the ``async for`` and ``async with`` inside ``block``, which await unseen."""
    for number in where.below(block):
        fact = where.block(number)
        if number != block and fact.is_async and fact.kind in _SUSPENDING:
            yield fact


def suspends(block: int, where: Where) -> bool:
    """Tell whether anything inside ``block`` may hand control to the event loop."""
    return bool(awaits_in(block, where)) or any(suspending_blocks(block, where))


def spoken(call: Call, where: Where) -> str:
    """Return the name of what is called, for messages."""
    effect = where.effect(call)
    return effect.readable if effect is not None else call.func.lstrip("@0123456789.")
