"""PS805: copies of tables that nobody changes."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Call, Value
from perfscan.analyzers.frames import TABLES, in_words, shape_of
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_NEW = (".copy", ".dropna", ".reset_index", ".sort_values", ".fillna", ".merge", ".drop", ".astype")
"""Methods that give a table of its own: copying that once more is work for nothing."""


@rule("PS805", "redundant-copy", Severity.INFO, on=Call, calls=("copy",))
def redundant_copy(call: Call, where: Where) -> Iterator[Hit]:
    """Report copies of DataFrames that nothing changes afterwards, and copies of copies.

    What it does:
        Looks for `df.copy()` in a loop when the copy is only read, and for `.copy()` of what
        another method has just made (`df.dropna().copy()`).

    Why it costs a bot:
        A copy moves every value of the table: 10,000 candles with 20 columns are 1.6 MB each time,
        and as much again in the memory's peak.

    Example:
        import pandas as pd

        def means(df: pd.DataFrame, names):
            found = []
            for name in names:
                part = df.copy()
                found.append(part[name].mean())
            return found

    Use instead:
        import pandas as pd

        def means(df: pd.DataFrame, names):
            return [df[name].mean() for name in names]

    When it is fine:
        Before a change, when the original must stay as it is.
    """
    if "." not in call.func or call.args:
        return
    table = call.func.removesuffix(".copy")
    made = _made_by(table, where)
    looped = bool(where.data_loops(call.block))
    if not made and not looped:
        return
    if shape_of(table, call.block, call.number, where) not in TABLES:
        return
    if made:
        message = f"{where.name(call.block)} copies what {made}() has just made"
    elif _is_only_read(call, where) and not _is_snapshot(table, call, where):
        message = (
            f"{where.name(call.block)} copies {in_words(table)} in every turn and only reads it"
        )
    else:
        return
    yield Hit(
        call.place,
        call.block,
        message=message,
        fix="Leave out the copy.",
        confidence=Confidence.PROBABLE,
    )


def _made_by(table: str, where: Where) -> str:
    if not table.startswith("@") or not table[1:].isdigit():
        return ""
    func = where.file.calls[int(table[1:])].func
    return func.rpartition(".")[2] if func.endswith(_NEW) else ""


def _is_only_read(call: Call, where: Where) -> bool:
    """Tell whether the copy has a name that nothing is assigned through and nobody is given."""
    result = f"@{call.number}"
    names = [
        assign.target
        for assign in where.file.assigns
        if assign.value.ref == result and assign.op == "=" and "." not in assign.target
    ]
    if len(names) != 1 or call.use != "assigned":
        return False
    function = where.file.blocks[call.block].function
    return not any(_changes(fact, names[0], where) for fact in _facts_of(function, where))


def _is_snapshot(table: str, call: Call, where: Where) -> bool:
    """Tell whether the original is changed after it was copied."""
    base = table.partition(".")[0] if not table.startswith("self.") else table
    function = where.file.blocks[call.block].function
    return any(
        assign.order > call.number
        and (assign.target == base or assign.target.startswith(f"{base}."))
        and where.file.blocks[assign.block].function == function
        for assign in where.file.assigns
    )


def _facts_of(function: int, where: Where) -> Iterator[Assign | Call | Value]:
    blocks = where.file.blocks
    for assign in where.file.assigns:
        if blocks[assign.block].function == function:
            yield assign
    for call in where.file.calls:
        if blocks[call.block].function == function:
            yield call
    for jump in where.file.jumps:
        if blocks[jump.block].function == function and jump.value is not None:
            yield jump.value


def _changes(fact: Assign | Call | Value, name: str, where: Where) -> bool:
    """Tell whether a fact writes to the table, or passes it on to somebody who may."""
    if isinstance(fact, Assign):
        return fact.target.startswith(f"{name}.") or _is(fact.value, name)
    if isinstance(fact, Call):
        own = fact.func.startswith(f"{name}.")
        in_place = own and (dict(fact.keywords).get("inplace") is not None or _alters(fact))
        given = (*fact.args, *[value for _, value in fact.keywords])
        return in_place or any(_is(value, name) for value in given)
    return _is(fact, name)


def _alters(call: Call) -> bool:
    return call.func.endswith((".insert", ".pop", ".update"))


def _is(value: Value, name: str) -> bool:
    return value.ref == name or any(_is(item, name) for item in value.items)
