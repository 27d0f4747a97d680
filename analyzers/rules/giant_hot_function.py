"""PS1401: a handler so long that no profile says which part of it is slow."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Function
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_STATEMENTS = 80
"""In well-known Python projects 99 of 100 functions have fewer."""

_REMOTE = frozenset({"network", "socket", "database", "sleep", "subprocess"})


@rule(
    "PS1401",
    "giant-hot-function",
    Severity.INFO,
    on=Function,
    thresholds={"statements": _STATEMENTS},
)
def giant_hot_function(function: Function, where: Where) -> Iterator[Hit]:
    """Report very long functions that run for each message or turn and wait for other services.

    What it does:
        Counts the statements of handlers, of functions with an endless loop and of functions that
        such a loop calls directly. Those with more than 80 (the threshold `statements`) and with
        awaits or blocking I/O among them are reported.

    Why it costs a bot:
        Profilers and traces name functions. When one function receives, decides, asks three
        services and answers, they all say "handle_update", and nobody sees what to make faster;
        nor can a part of it be cached, batched or run beside another.

    Example:
        async def on_message(client, message):
            total = message["price"] * message["amount"]  # and 80 lines like this
            await client.send(total)

    Use instead:
        async def on_message(client, message):
            order = read_order(message)
            price = await fetch_price(client, order)
            await client.send(answer_to(message, order, price))

    When it is fine:
        Functions that run once, and long tables of settings without any I/O.
    """
    if function.statements <= where.threshold("giant-hot-function", "statements"):
        return
    driver = _driver(function, where)
    if driver is None or not _waits(function, where):
        return
    yield Hit(
        function.place,
        function.block,
        message=(
            f"{function.qualname}() has {function.statements} statements, awaits I/O and {driver}"
        ),
        fix="Split it where it waits: one function for each service that it asks.",
        confidence=Confidence.PROBABLE,
    )


def _driver(function: Function, where: Where) -> str | None:
    """Return what makes the function hot: a loop in it, or what calls it directly."""
    loops = where.hot_regions.loops
    for block in where.below(function.block):
        loop = loops.get((where.index, block))
        if loop is not None:
            return f"holds the {loop.label}"
    heat = where.hot_regions.functions.get((where.index, function.number))
    if heat is None or len(heat.via) > 1:
        return None
    return f"runs for each turn of the {heat.label}" if heat.via else f"is the {heat.label}"


def _waits(function: Function, where: Where) -> bool:
    blocks = where.file.blocks
    if any(blocks[wait.block].function == function.number for wait in where.file.awaits):
        return True
    sites = where.program.sites_of((where.index, function.number))
    return any(site.effect is not None and site.effect.cost in _REMOTE for site in sites)
