"""PS201: independent requests awaited one after another in a loop."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Value
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_ORDERED = re.compile(
    r"(create|place|submit|cancel|edit|amend|modify|close|open)_.*(order|position|trade)s?"
    r"|(create|place|submit|execute|cancel)_?(order|trade|transaction|swap|tx)?"
    r"|send.*|reply.*|answer.*|write.*|publish.*|put.*|delete.*|patch.*|edit.*|update.*|insert.*"
    r"|buy.*|sell.*|withdraw.*|transfer.*|approve.*|swap.*|set_.*|add_.*|remove_.*|ban.*|kick.*"
    r"|pin.*|move.*|forward.*|copy.*|post_.*|connect.*|close.*|start.*|stop.*|launch.*|login.*|subscribe.*"
    r"|unsubscribe.*|watch_.*|recv.*|receive.*|commit|rollback|execute.*|sleep|wait.*"
)
"""Verbs whose order matters, or that must not run side by side: orders, chat messages, streams."""

_DEPTH = 3
"""Further down, whether a turn reaches the network at all is a guess."""

_MAKES = frozenset({"=", "for", "with", ":="})
"""Operators that give a name a new value; the others build on the old one."""

_READS = re.compile(r"(fetch|get|load|query|request|download|read|lookup|check|scan)(_.*)?|post")


@rule("PS201", "sequential-await", Severity.MEDIUM, on=Block, fixable="unsafe")
def sequential_await(loop: Block, where: Where) -> Iterator[Hit]:
    """Report requests that do not depend on each other and are awaited one by one in a loop.

    What it does:
        Looks at `for` loops over data in coroutines that await network reads, when no turn uses
        what an earlier turn brought, nothing ends the loop early and nothing paces it.

    Why it costs a bot:
        The loop takes the sum of all round trips. Side by side, within a limit, it takes little
        more than the slowest one. Collecting the results in a comprehension changes nothing.

    Example:
        import ccxt.async_support as ccxt

        async def tickers(symbols):
            exchange = ccxt.binance()
            result = []
            for symbol in symbols:
                result.append(await exchange.fetch_ticker(symbol))
            return result

    Use instead:
        import asyncio
        import ccxt.async_support as ccxt

        async def tickers(symbols):
            exchange = ccxt.binance()
            limit = asyncio.Semaphore(10)

            async def ticker(symbol):
                async with limit:
                    return await exchange.fetch_ticker(symbol)

            return await asyncio.gather(*[ticker(symbol) for symbol in symbols])

    When it is fine:
        When a turn needs the one before (cursors, nonces), when the loop is paced on purpose, when
        order matters (orders, messages to one chat), and over a handful of fixed items.
    """
    if loop.kind not in {"for", "comp"} or loop.is_async or where.is_constant(loop):
        return
    function = where.function(loop.number)
    if function is None or not function.is_async:
        return
    calls = where.calls_in(loop.number)
    requests = [
        (call, confidence)
        for call in calls
        if next(iter(where.around(call.block, "for", "while", "comp")), None) == loop
        and (confidence := _reads_network(call, where)) is not None
    ]
    if not requests or _is_paced(loop, calls, where) or _ends_early(loop, where):
        return
    call, confidence = requests[0]
    if any(_depends_on_earlier_turn(call, loop, where) for call, _ in requests):
        return
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{_name(call, where)}() is awaited for one item after another"
            f" in {where.name(loop.number)}, so the loop takes the sum of all round trips"
        ),
        fix="Await them together: asyncio.gather over the items, each inside an asyncio.Semaphore.",
        confidence=confidence,
    )


def _name(call: Call, where: Where) -> str:
    effect = where.effect(call)
    return effect.readable if effect is not None else call.func.lstrip("@0123456789.")


def _reads_network(call: Call, where: Where) -> Confidence | None:
    """Return how surely an awaited call is a network read whose order does not matter."""
    if not (call.awaited or _is_entered(call, where)):
        return None
    verb = call.func.rpartition(".")[2].lstrip("_")
    if _ORDERED.fullmatch(verb):
        return None
    effect = where.effect(call)
    if effect is not None:
        reads = effect.is_async and effect.cost == "network"
        return where.confidence(call) if reads else None
    for target in where.targets(call):
        below = where.program.awaited_io.get(target)
        helper = where.program.function(target)
        if below is not None and below.depth <= _DEPTH and helper is not None:
            inner = where.program.site(below.sink)
            verbs = (helper.name.lstrip("_"), inner.call.func.rpartition(".")[2])
            if not any(_ORDERED.fullmatch(verb) for verb in verbs):
                return inner.confidence
    known = where.site(call).things
    return Confidence.POSSIBLE if not known and _READS.fullmatch(verb) else None


def _is_entered(call: Call, where: Where) -> bool:
    """Tell whether ``async with`` enters the call: ``async with session.get(url) as reply``."""
    if call.use != "with":
        return False
    reference = f"@{call.number}"
    return any(
        block.kind == "with" and block.is_async and block.value and block.value.ref == reference
        for block in where.file.blocks[call.block :]
    )


def _is_paced(loop: Block, calls: list[Call], where: Where) -> bool:
    """Tell whether the body sleeps, waits for its turn or holds a lock."""
    for call in calls:
        if "sleep" in where.roles(call) or call.func.rpartition(".")[2] in {"sleep", "acquire"}:
            return True
    for number in where.below(loop.number):
        block = where.block(number)
        if block.kind == "with" and block.is_async and block.value is not None:
            entered = where.call_of(block.value)
            if entered is None or _reads_network(entered, where) is None:
                return True
    return False


def _ends_early(loop: Block, where: Where) -> bool:
    inside = where.below(loop.number)
    return any(
        jump.kind in {"break", "return", "yield"} and jump.block in inside
        for jump in where.file.jumps
    )


def _depends_on_earlier_turn(call: Call, loop: Block, where: Where) -> bool:
    """Tell whether an argument is bound later in the body, or changed from turn to turn.

    An argument made in the body counts for everything that it was made from.
    """
    inside = where.below(loop.number)
    assigns = [assign for assign in where.file.assigns if assign.block in inside]
    used = {*call.names, *_references(call)}
    before = -1
    while len(used) > before:
        before = len(used)
        for assign in assigns:
            if assign.target in used and assign.op in _MAKES and assign.order <= call.number:
                used.update(assign.value.names)
    return any(
        assign.target in used
        and (assign.op not in _MAKES or (assign.order > call.number and assign.op != "for"))
        for assign in assigns
    )


def _references(call: Call) -> Iterator[str]:
    stack: list[Value] = [*call.args, *[value for _, value in call.keywords]]
    while stack:
        value = stack.pop()
        if value.kind == "ref":
            yield value.ref
        stack.extend(value.items)
