"""Code that runs the first time only: behind a test that something has no value yet."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Value

_EMPTY = frozenset({"Is", "Eq"})
_LOADS = ("load", "init", "connect")
"""Beginnings of methods whose object keeps what they bring: ``exchange.load_markets()``."""

_MAKERS = frozenset({"__init__", "__new__"})


def only_first_time(call: Call, where: Where) -> bool:
    """Tell whether a call is skipped once what it brings is kept: ``if self.x is None: ...``.

    What is kept must outlive the function, be filled in this file, and never be emptied again.
    """
    guards = [block for block in where.around(call.block, "if") if _outlasts(block, where)]
    names = [name for guard in guards if guard.value for name in _missing(guard.value, where)]
    return any(
        "." in name and "@" not in name and "[]" not in name and _stays(name, call, where)
        for name in names
    )


def _outlasts(guard: Block, where: Where) -> bool:
    """Tell whether no endless loop turns inside the guard, so that the call is soon over."""
    loops = where.hot_regions.loops
    return not any((where.index, inner) in loops for inner in where.below(guard.number))


def _missing(test: Value, where: Where) -> Iterator[str]:
    """Yield what has no value, or is empty, whenever a condition holds."""
    if test.kind == "compare" and test.ref in _EMPTY and len(test.items) == 2:
        left, right = test.items
        measured = where.call_of(left)
        if right.kind == "const" and not right.const:
            yield measured.args[0].ref if measured and measured.func == "len" else left.ref
    elif test.kind == "binary" and test.ref == "Not":
        yield test.items[0].ref
    elif test.kind == "boolean":
        parts = [set(_missing(item, where)) for item in test.items]
        yield from set.union(*parts) if test.ref == "And" else set.intersection(*parts)


def _stays(name: str, call: Call, where: Where) -> bool:
    """Tell whether a value is kept under a name for good, by this file or by the call itself."""
    owner = name.rpartition(".")[0]
    filled = call.func.startswith(tuple([f"{owner}.{verb}" for verb in _LOADS]))
    for assign in where.file.assigns:
        if assign.target != name or assign.op == ":" or _makes(assign.block, where):
            continue
        if assign.op == "del" or (assign.value.kind == "const" and not assign.value.const):
            return False
        filled = True
    return filled


def _makes(block: int, where: Where) -> bool:
    function = where.function(block)
    return function is None or function.name in _MAKERS
