"""Functions that a loop takes out of a table: each row of it, however long it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from perfscan.analyzers.facts import Call, FileFacts, Value
from perfscan.analyzers.scopes import Binding, FileScopes

_DEPTH = 4
_ROWS = frozenset({"list", "tuple", "set"})
_WHOLE = frozenset({"items", "values"})
"""Methods of a dictionary that go through all of it."""


class Cell(NamedTuple):
    """One entry of a table, and where it is written."""

    value: Value
    block: int
    order: int


class _View(NamedTuple):
    facts: FileFacts
    scopes: FileScopes


def cells(value: Value, call: Call, facts: FileFacts, scopes: FileScopes) -> list[Cell]:
    """Return what ``value`` stands for in turn when a loop takes it out of a written-down table.

    ``for name, handler in HANDLERS.items(): add(name, handler)`` gives every handler. An empty list
    when the value comes from elsewhere.
    """
    if value.kind != "ref" or value.ref.startswith("@"):
        return []
    view = _View(facts, scopes)
    return list(_reached(Cell(value, call.block, call.number), view, 0))


def _reached(cell: Cell, view: _View, depth: int) -> Iterator[Cell]:
    """Yield the entries behind a loop's variable, or behind a subscript of it."""
    value = cell.value
    if depth > _DEPTH:
        return
    if value.kind == "element":
        yield from _rows(Cell(value.items[0], cell.block, cell.order), view, depth)
    elif value.kind == "part" and isinstance(value.const, int):
        for row in _reached(Cell(value.items[0], cell.block, cell.order), view, depth + 1):
            yield from _column(row, value.const)
    elif value.kind == "ref" and value.ref.endswith(".[]") and value.items:
        row_of = Value("ref", value.ref.removesuffix(".[]"))
        position = value.items[0].const
        for row in _reached(Cell(row_of, cell.block, cell.order), view, depth + 1):
            if isinstance(position, int):
                yield from _column(row, position)
    elif value.kind == "ref":
        bound = _loop_variable(value.ref, cell, view)
        if bound is not None:
            yield from _reached(bound, view, depth + 1)


def _column(row: Cell, position: int) -> Iterator[Cell]:
    items = row.value.items
    if row.value.kind in _ROWS and -len(items) <= position < len(items):
        yield Cell(items[position], row.block, row.order)


def _loop_variable(name: str, cell: Cell, view: _View) -> Cell | None:
    """Return what the loop around the cell binds to ``name``."""
    found: Cell | None = None
    for binding in _bindings(name, cell.block, view):
        if binding.kind != "assign":
            return None
        assign = view.facts.assigns[binding.number]
        if assign.op == "for" and _is_around(assign.block, cell.block, view.facts):
            found = Cell(assign.value, assign.block, assign.order)
    return found


def _is_around(block: int, inner: int, facts: FileFacts) -> bool:
    while inner >= 0:
        if inner == block:
            return True
        inner = facts.blocks[inner].parent
    return False


def _rows(cell: Cell, view: _View, depth: int) -> Iterator[Cell]:
    """Yield the rows of a table: of a literal, of a name for one, of ``table.items()``."""
    value = cell.value
    if depth > _DEPTH:
        return
    if value.kind in _ROWS:
        yield from (Cell(item, cell.block, cell.order) for item in value.items)
    elif value.ref.startswith("@") and value.ref[1:].isdigit():
        call = view.facts.calls[int(value.ref[1:])]
        table, _, method = call.func.rpartition(".")
        if table and method in _WHOLE and not call.args:
            named = Cell(Value("ref", table), call.block, call.number)
            yield from _entries(_written(named, view), method)
    elif value.kind == "ref":
        written = _written(cell, view)
        if written is not None and written.value.kind in _ROWS:
            yield from _rows(written, view, depth + 1)


def _entries(table: Cell | None, method: str) -> Iterator[Cell]:
    """Yield what going through a dictionary's items or values gives."""
    if table is None or table.value.kind != "dict":
        return
    value = table.value
    for key, item in zip(value.keys, value.items, strict=False):
        entry = Value("tuple", items=(key, item)) if method == "items" else item
        yield Cell(entry, table.block, table.order)


def _written(cell: Cell, view: _View) -> Cell | None:
    """Return the one literal that a plain name stands for."""
    bindings = _bindings(cell.value.ref, cell.block, view)
    if len(bindings) != 1 or bindings[0].kind != "assign":
        return None
    assign = view.facts.assigns[bindings[0].number]
    return Cell(assign.value, assign.block, assign.order) if assign.op in {"=", ":"} else None


def _bindings(name: str, block: int, view: _View) -> list[Binding]:
    scope = view.scopes.scope_of(block, name)
    return view.scopes.table[scope][name] if scope >= 0 else []
