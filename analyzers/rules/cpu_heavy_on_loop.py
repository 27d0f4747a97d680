"""PS1101: long computing on the event loop."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.computing import Computing, computing, way_to_computing
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Block, Call
from perfscan.analyzers.model import Confidence, Severity, TraceStep
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.sites import FunctionId
from perfscan.analyzers.state_walks import walk_of

_ARITHMETIC = frozenset({"Mult", "Div", "Pow", "Sub", "FloorDiv", "Mod"})
_STARTING = re.compile(r"_*(async_)?(init|start|set_?up|load|main|prepare|lifespan)")
_FIX = "Hand it to a thread (await asyncio.to_thread(...)), or to a ProcessPoolExecutor made once."


@rule("PS1101", "cpu-heavy-on-loop", Severity.HIGH, on=(Call, Block))
def cpu_heavy_on_loop(fact: Call | Block, where: Where) -> Iterator[Hit]:
    """Report computing that keeps the event loop busy for long.

    What it does:
        Looks in coroutines, and in the helpers that they call, for password hashing, image work,
        charts, models that learn or predict, and compression (high); for pickling the bot's whole
        state (medium where it runs again and again, else low); for parsing files for each message
        (low); for loops within loops that calculate over data without an await (medium); and for
        helpers that clean or convert a whole unpickled state in each round (medium).

    Why it costs a bot:
        One bcrypt hash takes a quarter of a second, one chart half a second. As long as it lasts no
        message is received, no heartbeat answered and no order sent. `async def` does not help:
        nothing inside it awaits.

    Example:
        import bcrypt

        async def login(user, password):
            return bcrypt.checkpw(password, user.hash)

    Use instead:
        import asyncio
        import bcrypt

        async def login(user, password):
            return await asyncio.to_thread(bcrypt.checkpw, password, user.hash)

    When it is fine:
        In threads and processes, before the loops of the bot begin, for small inputs.
    """
    if isinstance(fact, Block):
        if fact.kind == "for":
            yield from _calculating(fact, where)
    elif where.on_loop(fact.block) and not fact.awaited:
        found = computing(fact, where)
        if found is not None:
            yield from _hit(fact, found, (), where)
            return
        for target in where.targets(fact):
            way = way_to_computing(target, where)
            if way is not None and not _calls_before(fact, target, where):
                here = (where.step((where.index, fact.number)),)
                steps = (*here, *[where.step(site) for site in way.path])
                yield from _hit(fact, way.computing, steps, where)
                return
        yield from _walking(fact, where)


def _walking(call: Call, where: Where) -> Iterator[Hit]:
    """Report helpers that go through the bot's whole state, again and again."""
    if where.starting(call) or where.hot(call.block) is None:
        return
    walk = walk_of(call, where)
    if walk is not None:
        name = call.func.lstrip("@?0123456789.")
        yield Hit(
            call.place,
            call.block,
            message=(
                f"{name}() goes through everything in {walk.state} ({walk.path}:{walk.line}), "
                "which keeps the event loop busy"
            ),
            fix=_FIX,
            severity=Severity.MEDIUM,
            confidence=Confidence.PROBABLE,
        )


def _calls_before(call: Call, target: FunctionId, where: Where) -> bool:
    """Tell whether the function calls the same helper above, where it is reported."""
    sites = where.program.sites_of(where.function_id(call.block))
    return any(target in site.targets and site.call.number < call.number for site in sites)


def _hit(call: Call, found: Computing, steps: tuple[TraceStep, ...], where: Where) -> Iterator[Hit]:
    if where.starting(call):
        return
    function = where.function(call.block)
    first = function is not None and _STARTING.match(function.name) is not None
    often = where.hot(call.block) is not None or bool(where.data_loops(call.block))
    if found.kind == "document" and not often:
        return
    name = call.func.lstrip("@?0123456789.")
    end = f" at {steps[-1].path}:{steps[-1].line}" if steps else ""
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{name}() comes to {found.what}(){end}, which keeps the event loop busy"
            if steps
            else f"{found.what}() keeps the event loop busy in {where.name(call.block)}"
        ),
        fix=_FIX,
        severity=_severity(found, often) if often or not first else Severity.INFO,
        confidence=Confidence.PROBABLE if steps else found.confidence,
        trace=steps,
    )


def _severity(found: Computing, often: bool) -> Severity:
    if found.kind == "heavy":
        return Severity.HIGH
    return Severity.MEDIUM if found.kind == "state" and often else Severity.LOW


# Loops that calculate.


def _calculating(loop: Block, where: Where) -> Iterator[Hit]:
    """Report the outermost of nested loops over data that calculate with numbers."""
    if not where.reached_from_loop(loop.number) or where.in_thread(loop.number):
        return
    if any(outer.kind == "for" for outer in where.data_loops(loop.parent)):
        return
    if where.is_constant(loop) or not _is_numeric(loop, where):
        return
    if not where.on_loop(loop.number) and where.hot(loop.number) is None:
        return
    yield Hit(
        loop.place,
        loop.number,
        message=(
            f"the nested loops in {where.name(loop.number)} calculate without ever giving the "
            "event loop a turn"
        ),
        fix="Calculate with NumPy, or hand the function to a thread or process.",
        severity=Severity.MEDIUM,
        confidence=Confidence.PROBABLE,
    )


def _is_numeric(loop: Block, where: Where) -> bool:
    """Tell whether a loop in the loop calculates with items that both pick, and nothing awaits."""
    inside = where.below(loop.number)
    if any(wait.block in inside for wait in where.file.awaits):
        return False
    inner = [
        block
        for block in (where.block(number) for number in inside)
        if block.kind == "for" and block != loop and not where.is_constant(block)
    ]
    if not any(_counts(block, where) for block in (loop, *inner)):
        return False
    deep = {number for block in inner for number in where.below(block.number)}
    return any(_is_sum(assign) for assign in where.file.assigns if assign.block in deep)


def _counts(loop: Block, where: Where) -> bool:
    """Tell whether a loop counts positions: ``for i in range(len(rows))``."""
    call = where.call_of(loop.value)
    return call is not None and call.func == "range"


def _is_sum(assign: Assign) -> bool:
    """Tell whether an assignment multiplies, divides or subtracts items of a sequence."""
    value = assign.value
    return (
        value.kind == "binary"
        and value.ref in _ARITHMETIC
        and any("[]" in item.ref for item in value.items)
    )
