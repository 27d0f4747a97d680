"""PS803: a Python function called once for every row of a table."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.frames import TABLES, in_words, shape_of
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule


@rule("PS803", "apply-axis1", Severity.MEDIUM, on=Call, calls=("apply",))
def apply_axis1(call: Call, where: Where) -> Iterator[Hit]:
    """Report `df.apply(..., axis=1)`.

    What it does:
        Looks for `apply` with `axis=1` (or `"columns"`) on a DataFrame: it builds a Series out of
        each row and calls a Python function with it.

    Why it costs a bot:
        It is a loop over the rows in disguise, no faster than `iterrows()`, and it holds the
        interpreter's lock: 10,000 candles take a tenth of a second, each time a signal is computed.

    Example:
        import pandas as pd

        def spread(path):
            df = pd.read_csv(path)
            return df.apply(lambda row: row["ask"] - row["bid"], axis=1)

    Use instead:
        import pandas as pd

        def spread(path):
            df = pd.read_csv(path)
            return df["ask"] - df["bid"]

    When it is fine:
        On a handful of rows, for text that no vectorised method can make, and with `raw=True` and a
        NumPy function (not reported). `groupby().apply`, `Series.apply` and `axis=0` are not meant.
    """
    if "." not in call.func or not _by_row(where.argument(call, 1, "axis")):
        return
    if (raw := dict(call.keywords).get("raw")) is not None and raw.const is True:
        return
    table = call.func.removesuffix(".apply")
    if shape_of(table, call.block, call.number, where) not in TABLES:
        return
    name = in_words(table)
    yield Hit(
        call.place,
        call.block,
        message=f"{where.name(call.block)} calls a Python function for each row of {name}",
        fix="Compute on whole columns; for a choice between values use numpy.where or select.",
        confidence=Confidence.PROBABLE,
    )


def _by_row(axis: Value | None) -> bool:
    return axis is not None and axis.kind == "const" and axis.const in (1, "columns")
