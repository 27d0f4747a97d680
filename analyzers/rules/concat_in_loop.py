"""PS802: a table or array that is copied whole for every row it gains."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.containers import is_far
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Call, Value
from perfscan.analyzers.frames import TABLES, in_words, shape_of
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_CONCATENATE = frozenset(
    {
        "pandas.concat", "numpy.append", "numpy.concatenate", "numpy.vstack", "numpy.hstack",
        "polars.concat",
    }
)  # fmt: skip


@rule("PS802", "concat-in-loop", Severity.HIGH, on=Assign, fixable="unsafe")
def concat_in_loop(assign: Assign, where: Where) -> Iterator[Hit]:
    """Report tables and arrays that grow by a copy of themselves in every turn.

    What it does:
        Looks for `df = pd.concat([df, row])`, `df = df.append(row)`, `df.loc[len(df)] = row` and
        `array = np.append(array, value)` in loops over data, and in what runs for each message or
        tick, when the table is its own input.

    Why it costs a bot:
        Each turn copies everything collected so far into a new block of memory. A thousand rows
        cost half a million row copies, ten thousand cost fifty million: minutes for what takes
        milliseconds at once, with twice the memory.

    Example:
        import pandas as pd

        def load(exchange, pages):
            df = pd.DataFrame()
            for page in pages:
                df = pd.concat([df, pd.DataFrame(page)])
            return df

    Use instead:
        import pandas as pd

        def load(exchange, pages):
            parts = [pd.DataFrame(page) for page in pages]
            return pd.concat(parts)

    When it is fine:
        For a handful of parts, and when the table is cut to a fixed length in the same step: then a
        tick costs one copy of that length (reported as medium).
    """
    if assign.op != "=":
        return
    way, confidence = _grows_itself(assign, where)
    if not way or _starts_anew(assign, where):
        return
    loops = [loop for loop in where.data_loops(assign.block) if loop.kind != "comp"]
    heat = where.hot(assign.block)
    if not loops and (heat is None or is_far(heat) or not _outlives(assign, where)):
        return
    ticking = _ticks(heat, [loop.number for loop in loops], where)
    yield Hit(
        assign.place,
        assign.block,
        message=(
            f"{way} copies all of {in_words(_owner(assign))} "
            + (f"with each run of the {heat.label}" if ticking and heat else "in every turn")
        ),
        fix=_fix(way.startswith("numpy."), ticking),
        severity=Severity.MEDIUM if ticking else None,
        confidence=confidence,
    )


def _outlives(assign: Assign, where: Where) -> bool:
    """Tell whether the table is there before the call and after it."""
    function = where.function(assign.block)
    owner = _owner(assign)
    return "." in owner or (function is not None and owner in function.shared)


def _ticks(heat: Heat | None, loops: list[int], where: Where) -> bool:
    """Tell whether a turn is a tick of the bot, and not one of many that are made at once."""
    if not loops:
        return True
    return heat is not None and heat.file == where.index and heat.block == loops[0]


def _fix(array: bool, ticking: bool) -> str:
    if ticking:
        return "Collect new rows in a deque(maxlen=...) and build the table when it is needed."
    if array:
        return "Append to a list and call np.array() once after the loop, or allocate in advance."
    return "Append the parts to a list and call pd.concat() once after the loop."


def _owner(assign: Assign) -> str:
    return assign.target.removesuffix(".loc.[]")


def _grows_itself(assign: Assign, where: Where) -> tuple[str, Confidence]:
    """Return how a table is made of itself and something more, "" when it is not."""
    if assign.target.endswith(".loc.[]"):
        return _sets_next_row(assign, where), Confidence.PROBABLE
    call = where.call_of(assign.value)
    if call is None:
        return "", Confidence.POSSIBLE
    call = _untrimmed(call, where)
    if call.func == f"{assign.target}.append":
        known = shape_of(assign.target, call.block, call.number, where) in TABLES
        return (f"{call.func}()" if known else ""), Confidence.PROBABLE
    path = where.path(call)
    if path in _CONCATENATE and call.args and _is_part(assign.target, call.args, where):
        return f"{path}()", Confidence.DEFINITE
    return "", Confidence.POSSIBLE


def _untrimmed(call: Call, where: Where) -> Call:
    """Look through ``pd.concat(...).reset_index(drop=True)`` to the call that concatenates."""
    while call.func.startswith("@"):
        number = call.func[1:].partition(".")[0]
        call = where.file.calls[int(number)]
    return call


def _is_part(target: str, args: tuple[Value, ...], where: Where) -> bool:
    first = args[0]
    parts = first.items if first.kind in {"list", "tuple"} else args[:1]
    for part in parts:
        call = where.call_of(part)
        ref = call.func if call is not None else part.ref
        if ref == target or (call is not None and ref.startswith(f"{target}.")):
            return True
    return False


def _sets_next_row(assign: Assign, where: Where) -> str:
    """Return ``df.loc[len(df)] = ...``, which pandas carries out as a copy and one more row."""
    table = _owner(assign)
    key = assign.key.items[0] if assign.key and assign.key.kind == "tuple" else assign.key
    values = (key, *key.items) if key is not None else ()
    made = [where.call_of(value) for value in values]
    measured = any(
        call is not None
        and call.func == "len"
        and call.args
        and call.args[0].ref.removesuffix(".index") == table
        for call in made
    )
    if not measured or shape_of(table, assign.block, assign.order, where) not in TABLES:
        return ""
    return f"{table}.loc[len({table})] = ..."


def _starts_anew(assign: Assign, where: Where) -> bool:
    """Tell whether the table never gets long: made, picked or completed in the same turn."""
    loop = next(where.around(assign.block, "for", "while"), None)
    if loop is None:
        return False
    if assign.key is not None and set(assign.key.names) & set(loop.targets):
        return True  # another table in every turn
    turn = {block.number for block in where.around(assign.block) if block.number > loop.number}
    turn.add(loop.number)
    made = any(
        other.target == assign.target and other.op == "=" and other.order < assign.order
        for other in where.file.assigns
        if other.block in turn and _owner(assign) not in other.value.names
    )
    return made or any(
        jump.block in turn and jump.block != loop.number and jump.kind in {"break", "return"}
        for jump in where.file.jumps
        if jump.place > assign.place
    )
