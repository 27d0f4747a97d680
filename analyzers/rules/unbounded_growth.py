"""PS1001: a list or set that only ever grows."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.containers import Growth, growths, is_far, is_short_lived
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import FileFacts
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.key_counts import is_few, is_few_by_name
from perfscan.analyzers.model import Confidence, Severity, TraceStep
from perfscan.analyzers.registry import Hit, rule

_ROTATING = frozenset(
    {
        "remove",
        "unlink",
        "rename",
        "replace",
        "truncate",
        "move",
        "rotate",
        "doRollover",
        "strftime",
    }
)
"""Calls by which a program keeps its files small, or starts a new one each day."""


@rule("PS1001", "unbounded-growth", Severity.HIGH, on=FileFacts, fixable="unsafe")
def unbounded_growth(file: FileFacts, where: Where) -> Iterator[Hit]:
    """Report lists and sets that a running bot adds to and never trims.

    What it does:
        Follows containers that outlive a call: module globals, attributes of objects that live as
        long as the bot, locals in front of an endless loop. Reports one that a handler or endless
        loop adds to when nothing in the program removes from it, replaces it, looks at its length
        or hands it to other code. Files that such code appends to count as well.

    Why it costs a bot:
        Memory climbs until the process is killed, usually at night. Long before that, `x in
        seen_list` slows down with every message, because it compares with all that came before.

    Example:
        seen = []

        def handle(message):
            if message["id"] not in seen:
                seen.append(message["id"])

        def main(stream):
            while True:
                handle(stream.receive())

    Use instead:
        from collections import deque

        seen = deque(maxlen=10_000)

        def handle(message):
            if message["id"] not in seen:
                seen.append(message["id"])

        def main(stream):
            while True:
                handle(stream.receive())

    When it is fine:
        When something trims it, when it is drained or replaced each round, when its items come
        from a fixed collection, and in programs that exit.
    """
    if where.index not in where.hot_regions.files:
        return
    reported = set()
    for growth in growths(where):
        container = growth.container
        if container in reported or (container.kind == "dict" and "[]" in growth.verb):
            continue
        heat = where.hot(growth.block)
        if heat is None or is_short_lived(growth, heat, where) or growth.verb == "setdefault":
            continue
        if is_few(growth.key, growth, where) or _starts_inside(growth, heat, where):
            continue
        reported.add(container)
        yield _hit(growth, heat, where)
    yield from _files(file, where)


def _files(file: FileFacts, where: Where) -> Iterator[Hit]:
    """Report files that hot code appends to when nothing here ever rotates or empties them."""
    if any(call.func.rpartition(".")[2] in _ROTATING for call in file.calls):
        return
    for call in file.calls:
        mode = where.argument(call, 1, "mode") if call.args else None
        if mode is None or where.path(call) != "builtins.open":
            continue
        heat = where.hot(call.block)
        name = call.args[0]
        fixed = name.kind == "const" or (name.kind == "ref" and not name.ref.startswith("@"))
        if heat is None or "a" not in str(mode.const) or not fixed:
            continue
        yield Hit(
            call.place,
            call.block,
            message=f"the file {name.ref or name.const} grows with each run of the {heat.label}",
            fix="Write through logging.handlers.RotatingFileHandler, or rotate the file.",
            severity=Severity.MEDIUM,
            confidence=Confidence.POSSIBLE if is_far(heat) else Confidence.PROBABLE,
            trace=tuple(where.step(site) for site in heat.via),
        )


def _starts_inside(growth: Growth, heat: Heat, where: Where) -> bool:
    """Tell whether a local container is made anew in each turn or call."""
    container = growth.container
    if container.function < 0:
        return False
    around = {block.number for block in where.around(growth.block)}
    if heat.file != where.index or heat.block not in around:
        return True  # the function is called again and again, with a new local each time
    loop = where.block(heat.block)
    inside = where.below(loop.number)
    if loop.kind != "while" or any(
        jump.kind in {"break", "return"} and jump.block in inside for jump in where.file.jumps
    ):
        return True  # the loop may end, and the list was collected for what comes after
    return loop.place[0] <= container.place[0] <= loop.end_line


def _hit(growth: Growth, heat: Heat, where: Where) -> Hit:
    container = growth.container
    few = container.kind != "list" and is_few_by_name(growth, where)
    limit = "collections.deque(maxlen=...)" if container.kind == "list" else "a bounded cache"
    steps = [where.step(site) for site in heat.via]
    here = TraceStep(where.file.path, growth.place[0], where.symbol(where.index, growth.block))
    return Hit(
        growth.place,
        growth.block,
        message=f"{container.name} grows with each run of the {heat.label} and is never trimmed",
        fix=f"Use {limit}, or remove what is no longer needed.",
        confidence=Confidence.POSSIBLE if few or is_far(heat) else Confidence.PROBABLE,
        trace=(*steps, here) if steps else (),
    )
