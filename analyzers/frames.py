"""Tables and arrays: what is a DataFrame, a Series or a NumPy array, and what reading it gives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import FileFacts, Value
from perfscan.analyzers.knowledge import Knowledge
from perfscan.analyzers.survey import survey

Shape = Literal["frame", "series", "column", "array", "group", "window", "rows", ""]
"""frame, series, array (NumPy's) are what they say; column: a column or a selection of a frame,
which the path alone does not tell apart; group: what ``groupby`` gives, window: what ``rolling``
gives; rows: ``.iloc`` and its like, or a slice of it, which the path does not tell apart either."""

_Name = tuple[int, int, str]
"""File, function and name."""

_SHAPES: dict[str, Shape] = {
    "pandas.DataFrame": "frame",
    "pandas.Series": "series",
    "polars.DataFrame": "frame",
    "polars.Series": "series",
    "numpy.ndarray": "array",
    "pandas.api.typing.DataFrameGroupBy": "group",
    "pandas.api.typing.Rolling": "window",
}
TABLES = frozenset({"frame", "series", "column", "rows"})
"""Shapes of pandas data, a slice of ``.iloc`` included."""

_CLASSES: dict[Shape, tuple[str, ...]] = {
    "frame": ("pandas.DataFrame",),
    "series": ("pandas.Series",),
    "column": ("pandas.Series", "pandas.DataFrame"),
    "rows": ("pandas.DataFrame",),
    "array": ("numpy.ndarray",),
}
"""Whose methods a shape has."""

_OTHER_ATTRIBUTES = frozenset(
    {"index", "columns", "str", "dt", "shape", "size", "empty", "ta", "style", "plot"}
)
ROW_ACCESS = frozenset({"iloc", "loc", "iat", "at"})
"""Attributes whose subscript reads or writes single rows and cells."""

_STEP = re.compile(r"\[\]|(\w+)(\(\))?")
_TELLING = frozenset({"iterrows", "itertuples", "set_index", "reset_index", "sort_values"})
"""Methods that nothing but a frame has, in a file that imports pandas."""


def shape(value: Value, block: int, order: int, where: Where) -> Shape:
    """Return the shape of a value, "" when it is none of these, or not known."""
    if value.kind == "binary":  # what is computed from a column is one
        found = [shape(item, block, order, where) for item in value.items]
        return next((one for one in found if one in {"frame", "series", "column", "array"}), "")
    if value.kind != "ref":
        return ""
    return shape_of(value.ref, block, order, where)


def shape_of(ref: str, block: int, order: int, where: Where) -> Shape:
    """Return the shape of what a reference means at this point."""
    things = where.program.names.resolve(where.index, ref, block, order)
    for thing in things:
        if thing.kind == "external" and (found := shape_of_path(thing.path, where.knowledge)):
            return found
    return "" if things else _by_use(ref, block, where)


def shape_of_path(path: str, knowledge: Knowledge) -> Shape:
    """Return the shape of a canonical path: ``pandas.DataFrame().[]`` is a column."""
    client, rest = knowledge.instance(path)
    found = _SHAPES.get(client.name, "") if client is not None else ""
    return _after(found, rest, knowledge)


def in_words(ref: str) -> str:
    """Return a reference as a reader would write it: ``df[...]``, "the table" for a result."""
    if ref.startswith("@"):
        return "the table"
    base = ref.removesuffix(".iloc").removesuffix(".loc")
    return base.replace(".[]", "[...]")


def _after(shape: Shape, steps: str, knowledge: Knowledge) -> Shape:
    """Return the shape after a path of attributes, subscripts and calls."""
    for step in _STEP.finditer(steps):
        if step[2]:
            shape = _result(shape, step[1], knowledge)
        elif step[1]:
            shape = _attribute(shape, step[1])
        else:
            shape = _item(shape)
    return shape


def _result(shape: Shape, method: str, knowledge: Knowledge) -> Shape:
    if shape == "window":
        return "column"
    for name in _CLASSES.get(shape, ()):
        client, rest = knowledge.instance(f"{name}().{method}()")
        if client is not None and not rest:
            found = _SHAPES.get(client.name, "")
            same = "column" if shape == "rows" else shape
            return same if found in {"frame", "series"} else found
    return ""


def _attribute(shape: Shape, name: str) -> Shape:
    if name == "T":
        return shape
    if shape not in TABLES:
        return ""
    if name in ROW_ACCESS:
        return "rows"
    if name == "values":
        return "array"
    return "column" if shape == "frame" and name not in _OTHER_ATTRIBUTES else ""


def _item(shape: Shape) -> Shape:
    if shape in {"group", "window"}:
        return shape
    return "column" if shape in {"frame", "column"} else ""


def _by_use(ref: str, block: int, where: Where) -> Shape:
    """Return what the rest of the function does with a name whose origin is out of sight."""
    base, _, rest = ref.partition(".")
    if base == "self":
        base, _, rest = rest.partition(".")
        base = f"self.{base}"
    shape = _used(where).get((*where.function_id(block), base), "")
    return _after(shape, rest, where.knowledge) if shape else ""


def _by_name(parts: Sequence[Mapping[tuple[int, str], Shape]]) -> Mapping[_Name, Shape]:
    return {(file, *key): shape for file, part in enumerate(parts) for key, shape in part.items()}


@survey(_by_name)
def _used(where: Where) -> dict[tuple[int, str], Shape]:
    """Return, by function, the names that are used as only frames and series can be."""
    facts = where.file
    found: dict[tuple[int, str], Shape] = {}
    if any(entry.module.partition(".")[0] == "pandas" for entry in facts.imports):
        for block, name, shape in _uses(facts):
            key = (facts.blocks[block].function, name)
            if found.get(key) != "frame":
                found[key] = shape
    return found


def _uses(facts: FileFacts) -> list[tuple[int, str, Shape]]:
    uses: list[tuple[int, str, Shape]] = []
    for subscript in facts.subscripts:
        owner, _, last = subscript.ref.rpartition(".")
        if last == "iloc":
            uses.append(_owner(subscript.block, owner))
    for call in facts.calls:
        owner, _, last = call.func.rpartition(".")
        if last in _TELLING:
            uses.append((call.block, owner, "frame"))
    return [use for use in uses if use[1] and "@" not in use[1] and "$" not in use[1]]


def _owner(block: int, ref: str) -> tuple[int, str, Shape]:
    """``df.[].iloc`` makes ``df`` a frame, ``df.iloc`` a frame or a series."""
    if ref.endswith(".[]"):
        return (block, ref.removesuffix(".[]"), "frame")
    return (block, ref, "column")
