"""PS206: an endless loop in a coroutine that never lets the event loop go."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.blocking import is_sink
from perfscan.analyzers.context import Where
from perfscan.analyzers.coroutines import awaits_in, in_coroutine, suspending_blocks
from perfscan.analyzers.facts import Await, Block, Call, Jump, Value
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, rule

_LEAVES = frozenset({"return", "break", "raise"})
_GLANCES = frozenset(
    {
        "len", "bool", "any", "all", "is_set", "empty", "full", "qsize", "done", "locked", "time",
        "monotonic", "perf_counter", "now", "utcnow", "print", "debug", "info", "warning", "error",
    }
)  # fmt: skip
"""Calls that look at something and change nothing, so that the next turn sees the same."""

_TAKES = frozenset(
    {"pop", "popleft", "popitem", "get_nowait", "remove", "clear", "next", "read", "heappop"}
)
"""Calls that use something up: a turn with one of them is one turn nearer to the end."""


@rule("PS206", "starved-loop", Severity.CRITICAL, on=Block)
def starved_loop(loop: Block, where: Where) -> Iterator[Hit]:
    """Report endless loops in coroutines that can turn without awaiting anything.

    What it does:
        Finds `while True` (and loops on a stop flag) in coroutines in which nothing is awaited, in
        which every `await` stands in an `if`, or in which a `continue` comes before the first
        `await`; and loops that await nothing but `asyncio.sleep(0)`.

    Why it costs a bot:
        All coroutines share one thread. While such a loop turns, no message is read, no timeout
        fires and no order is confirmed: the bot stands still with one core at 100 %.

    Example:
        import asyncio

        async def worker(queue, handle):
            while True:
                if not queue.empty():
                    await handle(queue.get_nowait())

    Use instead:
        import asyncio

        async def worker(queue, handle):
            while True:
                await handle(await queue.get())

    When it is fine:
        When each turn awaits something that takes its time (a message, a queue, a pause), and in
        loops that end by themselves.
    """
    if loop.kind != "while" or in_coroutine(loop.number, where) is None:
        return
    if (where.index, loop.number) not in where.hot_regions.loops or _blocks(loop, where):
        return
    if _ends_itself(loop, where):
        return
    awaits = awaits_in(loop.number, where)
    yields = {j.block for j in where.file.jumps if j.kind == "yield"}
    marked = {block.number for block in suspending_blocks(loop.number, where)} | yields
    idle = {entry.block for entry in awaits if _is_yielding(entry, where)}
    resting = marked | {entry.block for entry in awaits if not _is_yielding(entry, where)}
    resting |= {call.block for call in where.calls_in(loop.number) if _takes(call)}
    name = where.name(loop.number)
    if not resting & where.below(loop.number) and not idle:
        if not _may_end_by_a_method(loop, where):
            yield _hit(
                loop, f"the loop in {name} awaits nothing: while it turns, nothing else runs"
            )
    elif not _passes(loop.number, resting | idle, where):
        yield _hit(loop, f"the loop in {name} turns without await when its condition is false")
    elif not _passes(loop.number, resting, where):
        yield _spinning(loop, name)
    else:
        skip = _early_continue(loop, awaits, where)
        if skip is not None:
            yield _hit(
                loop,
                f"the loop in {name} goes round without await through the continue in line"
                f" {skip.place[0]}: what it waits for can never happen",
            )


def _hit(loop: Block, message: str) -> Hit:
    return Hit(
        loop.place,
        loop.number,
        message=message,
        fix="Await what the loop waits for on every way round: a queue, an asyncio.Event, a pause.",
    )


def _spinning(loop: Block, name: str) -> Hit:
    return Hit(
        loop.place,
        loop.number,
        message=f"the loop in {name} rests only in asyncio.sleep(0), so it keeps a core at 100 %",
        fix="Await what the loop waits for: a queue, an asyncio.Event, or a real pause.",
        severity=Severity.HIGH,
    )


def _ends_itself(loop: Block, where: Where) -> bool:
    """Tell whether the body sets what the test looks at: the loop says itself when it is over."""
    test, inside = loop.value, where.below(loop.number)
    if test is None or test.kind == "const":
        return False
    looked_at = {*test.names, *_references(test)} - {"self", "cls"}
    return any(
        assign.target in looked_at and assign.block in inside for assign in where.file.assigns
    )


def _references(value: Value) -> Iterator[str]:
    yield value.ref
    for item in value.items:
        yield from _references(item)


def _may_end_by_a_method(loop: Block, where: Where) -> bool:
    """Tell whether a method that the loop calls may change the attribute that its test reads."""
    test = loop.value
    if test is None or not any(ref.startswith("self.") for ref in _references(test)):
        return False
    return any(
        call.func.startswith("self.") and where.targets(call)
        for call in where.calls_in(loop.number)
    )


def _takes(call: Call) -> bool:
    return call.func.rpartition(".")[2] in _TAKES


def _is_yielding(entry: Await, where: Where) -> bool:
    """Tell whether an await is ``asyncio.sleep(0)``: it lets others run and does not wait."""
    call = where.call_of(entry.value)
    return (
        call is not None
        and bool(call.args)
        and call.args[0].const in {0}
        and "sleep" in where.roles(call)
    )


def _blocks(loop: Block, where: Where) -> bool:
    """Tell whether a blocking call stands in the loop: that call is reported, not the loop."""
    for call in where.calls_in(loop.number):
        effect = where.effect(call)
        if is_sink(where.site(call)) or (effect is not None and effect.cost == "lock"):
            return True
        if any(where.blocking(target) is not None for target in where.targets(call)):
            return True
    return False


def _passes(block: int, marked: set[int], where: Where) -> bool:
    """Tell whether every way through ``block`` comes to a marked block or leaves the loop."""
    if block in marked or _leaves(block, where):
        return True
    inside = where.below(block) - {block}
    children = [where.block(number) for number in sorted(inside)]
    children = [child for child in children if child.parent == block]
    for position, child in enumerate(children):
        if child.kind == "if":
            rest = children[position + 1 : position + 2]
            if _branches_pass(child, rest, marked, where):
                return True
        elif child.kind not in {"else", "except"} and _passes(child.number, marked, where):
            return True
    return False


def _branches_pass(test: Block, following: list[Block], marked: set[int], where: Where) -> bool:
    if not _passes(test.number, marked, where):
        return False
    # An elif without else counts as complete: the branches are the states of something.
    if where.block(test.parent).kind == "else" and not following:
        return True
    return bool(
        following and following[0].kind == "else" and _passes(following[0].number, marked, where)
    )


def _leaves(block: int, where: Where) -> bool:
    return any(jump.block == block and jump.kind in _LEAVES for jump in where.file.jumps)


def _early_continue(loop: Block, awaits: list[Await], where: Where) -> Jump | None:
    """Return a ``continue`` before the first await whose condition nothing in the loop changes."""
    inside = where.below(loop.number)
    first = min((entry.place[0] for entry in awaits), default=0)
    hidden = [block.place[0] for block in suspending_blocks(loop.number, where)]
    first = min([first, *hidden])
    for jump in where.file.jumps:
        if jump.kind != "continue" or jump.block not in inside or jump.place[0] >= first:
            continue
        if where.block(jump.block).kind != "if" or where.block(jump.block).parent != loop.number:
            continue
        before = [c for c in where.calls_in(loop.number) if c.place[0] <= jump.place[0]]
        if all(call.func.rpartition(".")[2] in _GLANCES for call in before):
            return jump
    return None
