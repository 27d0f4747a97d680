"""Loops that go through tables and arrays one element at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Block, Subscript, Value
from perfscan.analyzers.frames import ROW_ACCESS, TABLES, in_words, shape_of

_COMPILED = ("jit", "njit", "vectorize", "guvectorize", "stencil", "compile", "cfunc", "cython")
_READS = tuple([f".{access}" for access in ROW_ACCESS])
_WRITES = tuple([f".{access}.[]" for access in ROW_ACCESS])
_LABELLED = frozenset({"loc", "at"})


@dataclass(frozen=True, slots=True)
class RowLoop:
    """A loop, and how it first reads or writes an element."""

    loop: Block
    table: str
    """As written: ``df``, ``self.candles``."""
    access: str
    """``df.iloc[...]``."""


def row_loops(where: Where) -> dict[int, RowLoop]:
    """Return, by loop, those that reach rows of a DataFrame or Series by ``.iloc`` and the like."""
    found: dict[int, RowLoop] = {}
    for item in _row_accesses(where):
        ref, key = parts(item)
        table, _, access = ref.rpartition(".")
        if key is None or not table:
            continue
        if key.kind == "tuple" and key.items:
            key = key.items[0]  # rows come first, columns second
        loop = counted_loop(key, item.block, where)
        if loop is None or loop.number in found:
            continue
        if access in _LABELLED and not _runs_over_rows(loop, table, where):
            continue
        if shape_of(table, item.block, item.order, where) in TABLES:
            name = in_words(table)
            found[loop.number] = RowLoop(loop, name, f"{name}.{access}[...]")
    return found


def _row_accesses(where: Where) -> Iterator[Subscript | Assign]:
    for subscript in where.file.subscripts:
        if subscript.ref.endswith(_READS):
            yield subscript
    for assign in where.file.assigns:
        if assign.target.endswith(_WRITES):
            yield assign


def parts(item: Subscript | Assign) -> tuple[str, Value | None]:
    """Return what a subscript is taken of, and its key; the key is None for other bindings."""
    if isinstance(item, Subscript):
        return item.ref, item.key
    return item.target.removesuffix(".[]"), item.key


def counted_loop(key: Value, block: int, where: Where) -> Block | None:
    """Return the loop over data whose counter the key is made of."""
    if not key.names:
        return None
    for loop in where.loops(block):
        if any(_is_counter(name, loop, where) for name in key.names):
            return None if where.is_constant(loop) or not _counts(loop, where) else loop
    return None


def _is_counter(name: str, loop: Block, where: Where) -> bool:
    """Tell whether a name is the target of a ``for``, or what a ``while`` tests and counts up."""
    if loop.kind != "while" or loop.value is None:
        return name in loop.targets
    if name not in loop.value.names:
        return False
    inside = where.below(loop.number)
    return any(
        assign.target == name and assign.op in {"Add=", "Sub="} and assign.block in inside
        for assign in where.file.assigns
    )


def _counts(loop: Block, where: Where) -> bool:
    """Tell whether a loop counts positions: ``range``, an index, ``enumerate`` or a ``while``."""
    call = where.call_of(loop.value)
    if call is not None:
        verb = call.func.rpartition(".")[2]
        by_one = len(call.args) < 3 or call.args[2].const in (1, -1)  # else it takes chunks
        return verb == "enumerate" or (verb in {"range", "prange", "trange"} and by_one)
    return loop.kind == "while" or (loop.value is not None and loop.value.ref.endswith(".index"))


def _runs_over_rows(loop: Block, table: str, where: Where) -> bool:
    """Tell whether the labels are those of the table itself, one after another."""
    call = where.call_of(loop.value)
    if call is None:
        return loop.value is not None and loop.value.ref.endswith(".index")
    lengths = [where.call_of(argument) for argument in call.args]
    return call.func == "range" and any(made and made.func == "len" for made in lengths)


def is_compiled(block: int, where: Where) -> bool:
    """Tell whether Numba or the like turns the function into machine code."""
    function = where.function(block)
    if function is None:
        return False
    calls = where.file.calls
    refs = [decorator.ref for decorator in function.decorators]
    names = [calls[int(ref[1:])].func if ref[1:].isdigit() else ref for ref in refs]
    return any(name.rpartition(".")[2] in _COMPILED for name in names)


def waits_per_row(loop: Block, where: Where) -> bool:
    """Tell whether each turn does I/O: beside that, reading the row costs nothing."""
    for call in where.calls_in(loop.number):
        effect = where.effect(call)
        if call.awaited or (effect is not None and effect.cost not in {"cpu", "file"}):
            return True
        if any(where.blocking(target) for target in where.targets(call)):
            return True
    return False
