"""PS205: a coroutine that is made and never run."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.coroutines import in_coroutine, spoken
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_SEE_THROUGH = frozenset({"staticmethod", "classmethod", "abstractmethod", "override", "final"})
"""Decorators that leave a coroutine a coroutine; any other may turn it into something else."""

_OF_COROUTINES = frozenset({"close", "send", "throw"})
"""Methods of coroutines themselves: ``coroutine.close()`` on a parameter is not awaited."""


@rule("PS205", "missing-await", Severity.CRITICAL, on=Call, fixable="safe")
def missing_await(call: Call, where: Where) -> Iterator[Hit]:
    """Report calls of coroutine functions whose coroutine nobody runs.

    What it does:
        Finds calls of an `async def` of the program, or of a library coroutine, that stand as a
        statement of their own without `await`, or are tested as if they were the answer.

    Why it costs a bot:
        Nothing happens: the call only makes a coroutine. The order is not placed, the message is
        not sent, and a test of it is always true.

    Example:
        async def alert(text):
            print(text)

        async def on_pool(pool):
            alert(pool)

    Use instead:
        async def alert(text):
            print(text)

        async def on_pool(pool):
            await alert(pool)

    When it is fine:
        When the coroutine is handed on: to `asyncio.create_task`, to `gather`, into a list.
    """
    if call.awaited or call.use not in {"statement", "test"} or call.owner >= 0:
        return
    confidence = _makes_coroutine(call, where)
    if confidence is None:
        return
    here = in_coroutine(call.block, where) is not None
    name = spoken(call, where)
    tested = call.use == "test"
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{name}() is tested without await: a coroutine is always true"
            if tested
            else f"{name}() is called without await, so it never runs"
        ),
        fix=(
            f"Write await {name}(...)."
            if here
            else f"Make {where.name(call.block)} a coroutine that awaits {name}(...), or hand the"
            " coroutine to the running loop with asyncio.run_coroutine_threadsafe."
        ),
        fixable="safe" if here and not tested else "no",
        confidence=confidence,
    )


def _makes_coroutine(call: Call, where: Where) -> Confidence | None:
    """Return how surely the call does nothing but make a coroutine."""
    site = where.site(call)
    if site.effect is not None:
        sure = site.effect.is_async and site.confidence is not Confidence.POSSIBLE
        return site.confidence if sure else None
    functions = [thing for thing in site.things if thing.kind == "function"]
    if not functions or len(functions) < len(site.things) or _is_of_coroutine(call, where):
        return None
    for thing in functions:
        function = where.program.files[thing.file].functions[thing.number]
        plain = all(item.ref.rpartition(".")[2] in _SEE_THROUGH for item in function.decorators)
        if not function.is_async or function.is_generator or not plain:
            return None
    return Confidence.DEFINITE if len(functions) == 1 else Confidence.PROBABLE


def _is_of_coroutine(call: Call, where: Where) -> bool:
    receiver, _, method = call.func.rpartition(".")
    function = where.function(call.block)
    params = {param.name for param in function.params} if function is not None else set()
    return method in _OF_COROUTINES and receiver in params - {"self", "cls"}
