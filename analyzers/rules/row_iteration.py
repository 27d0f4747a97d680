"""PS801: a DataFrame that is walked row by row."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, FileFacts
from perfscan.analyzers.frames import TABLES, in_words, shape_of
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.row_loops import row_loops, waits_per_row


@rule("PS801", "row-iteration", Severity.HIGH, on=FileFacts)
def row_iteration(file: FileFacts, where: Where) -> Iterator[Hit]:
    """Report loops over the rows of a DataFrame.

    What it does:
        Looks for loops over `df.iterrows()`, and for loops that count positions and reach rows by
        `df.iloc[i]`, `df["close"].iloc[i]`, `df.at[i, "close"]` or `df.loc[i]`, when the receiver
        is known to be a pandas object.

    Why it costs a bot:
        Each step builds a new Series, or goes through all of the index machinery: some 10 to
        100 microseconds a row, where an operation on whole columns takes nanoseconds. An indicator
        over 10,000 candles takes a second instead of a millisecond, and holds the interpreter's
        lock all the while.

    Example:
        import pandas as pd

        def bands(path):
            df = pd.read_csv(path)
            upper = []
            for i in range(len(df)):
                upper.append(df["close"].iloc[i] * 1.02)
            return upper

    Use instead:
        import pandas as pd

        def bands(path):
            df = pd.read_csv(path)
            return df["close"] * 1.02

    When it is fine:
        When each row leads to a request or an order: next to that, the row costs nothing (reported
        as low). `itertuples()` and iteration over groups are not reported; neither are single rows
        such as `df.iloc[-1]`.
    """
    for block in file.blocks:
        if block.kind in {"for", "comp"} and (table := _iterrows(block, where)):
            yield _hit(block, f"{table}.iterrows()", table, where)
    for found in row_loops(where).values():
        yield _hit(found.loop, found.access, found.table, where)


def _iterrows(loop: Block, where: Where) -> str:
    """Return the table over whose rows a loop goes by ``iterrows``, "" when there is none."""
    call = where.call_of(loop.value)
    if call is not None and call.func == "enumerate" and call.args:
        call = where.call_of(call.args[0])
    if call is None or not call.func.endswith(".iterrows"):
        return ""
    table = call.func.removesuffix(".iterrows")
    if shape_of(table, call.block, call.number, where) not in TABLES:
        return ""
    return in_words(table)


def _hit(loop: Block, access: str, table: str, where: Where) -> Hit:
    waits = waits_per_row(loop, where)
    return Hit(
        loop.place,
        loop.number,
        message=f"{where.name(loop.number)} goes through {table} row by row with {access}",
        fix="Work on whole columns, or take them as NumPy arrays first; else use itertuples().",
        severity=Severity.LOW if waits else None,
        confidence=Confidence.PROBABLE,
    )
