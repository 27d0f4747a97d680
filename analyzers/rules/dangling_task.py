"""PS204: a task that nobody holds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.coroutines import spoken, suspends
from perfscan.analyzers.facts import Call, Function
from perfscan.analyzers.failures import keeps_to_itself
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.project import FunctionId
from perfscan.analyzers.registry import Hit, rule

_STARTERS = frozenset({"create_task", "ensure_future"})
_LOOP_ATTRIBUTE = ".loop.create_task"
"""What chat clients offer: ``discord.Client().loop.create_task``."""

_SOUNDS_LIKE_A_LOOP = re.compile(r"(^|[._])(event_|ev_|main_)?loop\.create_task$")


@rule("PS204", "dangling-task", Severity.HIGH, on=Call, calls=_STARTERS, fixable="unsafe")
def dangling_task(call: Call, where: Where) -> Iterator[Hit]:
    """Report tasks whose only reference is thrown away.

    What it does:
        Finds `asyncio.create_task`, `asyncio.ensure_future` and `loop.create_task` whose result is
        dropped, or is bound to a local name that nothing ever reads; medium then, and where the
        coroutine itself handles whatever it awaits.

    Why it costs a bot:
        The event loop holds tasks weakly: one that nobody else holds can be collected in the
        middle of its work. What it raises is seen by nobody, so an alert or an order goes missing
        without a word.

    Example:
        import asyncio

        async def on_pool(pool):
            asyncio.create_task(alert(pool))

        async def alert(pool):
            print(pool)

    Use instead:
        import asyncio

        running = set()

        async def on_pool(pool):
            task = asyncio.create_task(alert(pool))
            running.add(task)
            task.add_done_callback(running.discard)

        async def alert(pool):
            print(pool)

    When it is fine:
        When the task is awaited, stored, returned or handed on, in an `asyncio.TaskGroup`, which
        holds its tasks and raises what they raise, and when its coroutine only binds names: the
        first step ends it.
    """
    if call.awaited or call.owner >= 0:
        return
    name = _lost_name(call, where) if call.use == "assigned" else ""
    if call.use != "statement" and not name:
        return
    confidence = _starts_task(call, where)
    if confidence is None:
        return
    started = where.call_of(call.args[0]) if call.args else None
    if started is not None and _ends_at_once(started, where):
        return
    what = f"{spoken(started, where)}()" if started is not None else "a coroutine"
    lost = f"bound to {name}, which nothing reads" if name else "held by nobody"
    safe = started is not None and _handles_failures(started, where)
    unseen = "" if safe else ", and what it raises is lost"
    yield Hit(
        call.place,
        call.block,
        message=(
            f"the task that runs {what} is {lost}: it can be collected before it is done{unseen}"
        ),
        fix=(
            "Hold the task until it is done: tasks.add(task);"
            " task.add_done_callback(tasks.discard)."
        ),
        severity=Severity.MEDIUM if name or safe else None,
        confidence=confidence,
    )


def _starts_task(call: Call, where: Where) -> Confidence | None:
    if "spawn" in where.roles(call):
        return where.confidence(call)
    if where.path(call).endswith(_LOOP_ATTRIBUTE):
        return Confidence.PROBABLE
    unknown = not where.site(call).things
    return Confidence.POSSIBLE if unknown and _SOUNDS_LIKE_A_LOOP.search(call.func) else None


def _handles_failures(started: Call, where: Where) -> bool:
    targets = where.targets(started)
    return bool(targets) and all(keeps_to_itself(target, where) for target in targets)


def _ends_at_once(started: Call, where: Where) -> bool:
    """Tell whether the coroutine only binds names: the loop holds a task up to its first step."""
    targets = where.targets(started)
    return bool(targets) and all(_only_binds(target, where) for target in targets)


def _only_binds(target: FunctionId, where: Where) -> bool:
    function, view = where.program.function(target), where.sibling(target[0])
    if function is None or not function.is_async or suspends(function.block, view):
        return False
    # A body without any binding is a hook, which other classes fill in.
    return any(view.function_id(assign.block) == target for assign in view.file.assigns) and all(
        call.use == "assigned" and view.effect(call) is None
        for call in view.calls_in(function.block)
    )


def _lost_name(call: Call, where: Where) -> str:
    """Return the local name that the task is bound to when nothing reads it, else ``""``."""
    function = where.function(call.block)
    result = f"@{call.number}"
    targets = [assign.target for assign in where.file.assigns if assign.value.ref == result]
    if function is None or len(targets) != 1 or "." in targets[0]:
        return ""
    name = targets[0]
    return "" if name in function.shared or name in _names_read(function, where) else name


def _names_read(function: Function, where: Where) -> set[str]:
    """Return the names that a function and the functions nested in it read."""
    file, first, last = where.file, function.place[0], function.end_line
    names: set[str] = set()
    for call in file.calls:
        if first <= call.place[0] <= last:
            names.update(call.names)
    for assign in file.assigns:
        if first <= assign.place[0] <= last:
            names.update(assign.value.names)
            names.add(assign.target.partition(".")[0] if "." in assign.target else "")
    for block in file.blocks:
        if block.value is not None and first <= block.place[0] <= last:
            names.update(block.value.names)
    for jump in file.jumps:
        if jump.value is not None and first <= jump.place[0] <= last:
            names.update(jump.value.names)
    for entry in file.awaits:
        if first <= entry.place[0] <= last:
            names.update(entry.value.names)
    names.update(read.ref.partition(".")[0] for read in file.reads)
    return names
