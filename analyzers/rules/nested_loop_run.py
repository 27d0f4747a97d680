"""PS110: an event loop inside an event loop, or a new one for every item."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.coroutines import in_coroutine
from perfscan.analyzers.facts import Call
from perfscan.analyzers.keeping import used_for_long
from perfscan.analyzers.model import Confidence, Severity, TraceStep
from perfscan.analyzers.project import FunctionId, SiteId
from perfscan.analyzers.registry import Hit, rule

_RUNNERS = frozenset({"run", "run_until_complete", "run_forever"})
_LOOKS = frozenset({"get_running_loop", "is_running", "current_task", "apply", "_get_running_loop"})
"""Calls by which a helper finds out whether a loop runs already; ``nest_asyncio.apply``."""

_DEPTH = 3


@rule("PS110", "nested-loop-run", Severity.HIGH, on=Call, calls=_RUNNERS)
def nested_loop_run(call: Call, where: Where) -> Iterator[Hit]:
    """Report event loops that are started inside a running one, or once for each item.

    What it does:
        Finds `asyncio.run` and `loop.run_until_complete` in coroutines and in helpers that
        coroutines call, and `asyncio.run` in loops and in handlers that run again and again.

    Why it costs a bot:
        Inside a running loop the call raises RuntimeError. Once per item it builds a loop, a
        selector and a thread pool and takes them down again, no connection survives from one item
        to the next, and nothing runs side by side.

    Example:
        import asyncio

        async def fetch(url):
            return url

        def fetch_all(urls):
            return [asyncio.run(fetch(url)) for url in urls]

    Use instead:
        import asyncio

        async def fetch(url):
            return url

        async def fetch_all(urls):
            return await asyncio.gather(*[fetch(url) for url in urls])

        def main(urls):
            return asyncio.run(fetch_all(urls))

    When it is fine:
        One `asyncio.run(main())` for the whole program, or one for the life of a thread.
    """
    method = call.func.rpartition(".")[2]
    if "runs_loop" not in where.roles(call):
        return
    name = where.path(call).replace("().", ".")
    if in_coroutine(call.block, where) is not None:
        yield Hit(
            call.place,
            call.block,
            message=(
                f"{name}() in the coroutine {where.name(call.block)} raises RuntimeError, because"
                " a loop is running already"
            ),
            fix="Await the coroutine.",
            confidence=where.confidence(call),
        )
        return
    path = _way_from_coroutine(call, where)
    if path:
        yield _below_a_coroutine(call, name, path, where)
    elif method == "run" and not _runs_for_long(call, where):
        yield from _repeated(call, name, where)


def _runs_for_long(call: Call, where: Where) -> bool:
    """Tell whether the coroutine is the bot itself, which starts again when it has crashed."""
    started = where.call_of(call.args[0]) if call.args else None
    for file, function in where.targets(started) if started is not None else ():
        view = where.sibling(file)
        if used_for_long(view.file.functions[function].block, view):
            return True
    return False


def _below_a_coroutine(call: Call, name: str, path: list[SiteId], where: Where) -> Hit:
    steps: list[TraceStep] = [where.step(site) for site in path]
    steps.append(where.step((where.index, call.number)))
    return Hit(
        call.place,
        call.block,
        message=(
            f"{name}() in {where.name(call.block)} raises RuntimeError when {steps[0].symbol}"
            f" ({steps[0].path}:{steps[0].line}) calls it, because a loop is running there"
        ),
        fix=f"Make {where.name(call.block)} a coroutine and await it.",
        confidence=Confidence.PROBABLE,
        trace=tuple(steps),
    )


def _way_from_coroutine(call: Call, where: Where) -> list[SiteId]:
    """Return the calls that lead from a coroutine to the function of ``call``, outermost first."""
    program = where.program
    function: FunctionId = where.function_id(call.block)
    path: list[SiteId] = []
    while len(path) < _DEPTH and not _is_prepared(function, where):
        if function in program.thread_parents:
            return []
        step = program.loop_parents.get(function)
        if step is None:
            return []
        path.append(step)
        function = program.function_of(step)
        facts = program.function(function)
        if facts is not None and facts.is_async:
            return path[::-1]
    return []


def _is_prepared(function: FunctionId, where: Where) -> bool:
    """Tell whether a helper looks for a running loop, so that it knows what to do."""
    return any(
        site.call.func.rpartition(".")[2] in _LOOKS for site in where.program.sites_of(function)
    )


def _repeated(call: Call, name: str, where: Where) -> Iterator[Hit]:
    """Yield a finding when a loop or handler starts an event loop again and again."""
    loops = where.data_loops(call.block)
    turns = [loop for loop in loops if loop.kind != "while"]
    turns += [loop for loop in loops if (where.index, loop.number) in where.hot_regions.loops]
    heat = where.hot(call.block)
    often = not turns and heat is not None and not heat.via and heat.kind != "offload"
    if not turns and not often:
        return
    what = "in every turn of a loop" if turns or heat is None else f"for the {heat.label}"
    if next(where.around(call.block, "except"), None) is not None:
        return
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{name}() in {where.name(call.block)} builds an event loop and takes it down again"
            f" {what}"
        ),
        fix="Move the loop into one coroutine and run that with a single asyncio.run.",
        severity=None if turns else Severity.MEDIUM,
        confidence=where.confidence(call),
    )
