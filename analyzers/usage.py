"""Who uses the names of a module: which functions, or the module's own code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, FileFacts, Function, Value

Users = Mapping[str, frozenset[int]]
"""Name to the functions that read it; -1 is code that runs on import."""


def users(where: Where) -> Users:
    """Return who reads each name of a file. Annotations do not count: nothing runs for them.

    Nor do the settings that a module makes for a library: they can move with its import.
    """
    found: dict[str, set[int]] = defaultdict(set)
    settings = {call.number for call in where.file.calls if _sets_up(call, where)}
    for block, names in _readings(where.file, settings):
        function = where.file.blocks[block].function
        for name in names:
            found[name].add(function)
    return {name: frozenset(functions) for name, functions in found.items()}


def _sets_up(call: Call, where: Where) -> bool:
    """Tell whether a call that runs on import only tells a library how to work."""
    return (
        call.block == 0
        and call.use == "statement"
        and "." in call.func
        and "sets_up" in where.roles(call)
    )


def _readings(file: FileFacts, settings: Container[int]) -> Iterator[tuple[int, Iterable[str]]]:
    """Yield the names that each fact reads, with the block in which it stands."""
    for call in file.calls:
        if call.number in settings:
            continue
        yield call.block, call.names
        yield call.block, [call.func.partition(".")[0]]
    for assign in file.assigns:
        yield assign.block, [assign.target.partition(".")[0], *assign.value.names]
    for read in file.reads:
        yield read.block, [read.ref.partition(".")[0]]
    for subscript in file.subscripts:
        yield subscript.block, [subscript.ref.partition(".")[0]]
    for comparison in file.comparisons:
        yield comparison.block, [*comparison.left.names, *comparison.right.names]
    for jump in file.jumps:
        yield jump.block, jump.value.names if jump.value else ()
    for wait in file.awaits:
        yield wait.block, wait.value.names
    for block in file.blocks:
        yield max(block.parent, 0), block.value.names if block.value else ()
    for cls in file.classes:
        yield cls.outer, _names((*cls.bases, *cls.decorators))
    for function in file.functions:
        yield function.outer, _names(_of_definition(function))


def _of_definition(function: Function) -> Iterator[Value]:
    yield from function.decorators
    yield from (param.default for param in function.params if param.default is not None)


def _names(values: Iterable[Value]) -> list[str]:
    return [name for value in values for name in value.names]
