"""PS1004: the garbage collector called by hand, again and again."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.containers import is_far
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, rule

_RARELY = frozenset({"Mod", "Gt", "GtE", "Lt", "LtE"})
"""Comparisons and operators by which a program does something now and then."""


@rule("PS1004", "gc-in-loop", Severity.LOW, on=Call, calls=("collect",))
def gc_in_loop(call: Call, where: Where) -> Iterator[Hit]:
    """Report `gc.collect()` in loops and handlers.

    What it does:
        Looks for `gc.collect()` in loops over data and in code that a loop or handler of the bot
        runs each time.

    Why it costs a bot:
        A full collection looks at every object of the process, tens to hundreds of milliseconds in
        a bot that holds caches and tables, and nothing else runs meanwhile. Memory of objects that
        are no longer used is returned without it.

    Example:
        import gc

        def run(stream):
            while True:
                print(stream.receive())
                gc.collect()

    Use instead:
        import gc

        def run(stream):
            gc.freeze()
            while True:
                print(stream.receive())

    When it is fine:
        Every few minutes, after a failure, or when memory is known to be short: a call behind a
        count, a time or a measurement is not reported.
    """
    if where.path(call) != "gc.collect":
        return
    heat, loops = where.hot(call.block), where.data_loops(call.block)
    if not loops and (heat is None or is_far(heat)):
        return
    if _now_and_then(call, where):
        return
    label = heat.label if heat is not None else f"loop at line {loops[0].place[0]}"
    yield Hit(
        call.place,
        call.block,
        message=f"gc.collect() goes over all objects in each run of the {label}",
        fix="Drop the call; call gc.freeze() after start-up when collections take long.",
        confidence=where.confidence(call),
        trace=tuple(where.step(site) for site in heat.via) if heat else (),
    )


def _now_and_then(call: Call, where: Where) -> bool:
    for block in where.around(call.block, "if", "else", "except", "finally"):
        if block.kind in {"except", "finally"}:
            return True
        stack = [block.value] if block.value is not None else []
        while stack:
            value = stack.pop()
            if value.ref in _RARELY:
                return True
            stack.extend(value.items)
    return False
