"""PS804: an indicator over the whole history, of which only the end is used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.containers import is_far
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Call, Value
from perfscan.analyzers.frames import shape_of
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, LibraryCall, rule

_WINDOWED = frozenset({"mean", "std", "var", "sum", "min", "max", "median", "apply", "corr"})
_BACKTEST = re.compile(r"back_?test|optimi[sz]e|plot|research|train", re.IGNORECASE)


@rule("PS804", "full-indicator-recompute", Severity.MEDIUM, on=LibraryCall)
def full_indicator_recompute(call: Call, where: Where) -> Iterator[Hit]:
    """Report indicators that are computed over all candles at each tick for one last value.

    What it does:
        Looks for indicators (TA-Lib, pandas-ta, `rolling().mean()`, `ewm()`) in code that runs for
        each tick or message, when the same function then reads nothing of the result but its last
        rows: `.iloc[-1]`, `[-1]`, `.iloc[-2]`.

    Why it costs a bot:
        The work per tick grows with the history, while one new candle changes one value: 5,000
        candles and ten indicators are 50,000 steps for ten numbers, at each tick of each symbol.

    Example:
        import pandas as pd

        class Bot:
            def on_message(self, message):
                self.add(message)
                df = pd.DataFrame(self.candles)
                sma = df["close"].rolling(20).mean()
                return sma.iloc[-1]

    Use instead:
        from collections import deque

        class Bot:
            def __init__(self):
                self.window = deque(maxlen=20)

            def on_message(self, message):
                self.window.append(message["close"])
                return sum(self.window) / len(self.window)

    When it is fine:
        In backtests, where all values are used, and when the table is cut to the indicator's own
        length first.
    """
    if not _is_indicator(call, where):
        return
    heat = where.hot(call.block)
    function = where.function(call.block)
    if heat is None or function is None or is_far(heat) or "last_value" in where.roles(call):
        return
    if _BACKTEST.search(where.file.path) or _BACKTEST.search(function.qualname):
        return
    if not _only_end_is_read(call, where) or _is_cut(call, where):
        return
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{_name(call)} goes over all candles with each run of the {heat.label}, "
            "and only the last value is used"
        ),
        fix="Update the last value from the one before, or compute over the last candles only.",
        confidence=Confidence.PROBABLE,
        trace=tuple(where.step(site) for site in heat.via),
    )


def _is_indicator(call: Call, where: Where) -> bool:
    receiver, _, verb = call.func.rpartition(".")
    if verb in _WINDOWED and receiver.startswith("@"):
        return shape_of(receiver, call.block, call.number, where) == "window"
    return "indicator" in where.roles(call) and where.client(call) is None


def _name(call: Call) -> str:
    return "the window function" if call.func.startswith("@") else f"{call.func}()"


def _only_end_is_read(call: Call, where: Where) -> bool:
    """Tell whether the result, or the column that it becomes, is read at its end only."""
    result = f"@{call.number}"
    ends = _ends(result, call.block, where)
    if call.use == "receiver":
        return ends == "end"
    for assign in where.file.assigns:
        if assign.value.ref == result and assign.op == "=":
            return _read_after(assign, where) == "end"
    return False


def _read_after(assign: Assign, where: Where) -> str:
    """Return how what was assigned is read further down: end, whole, or "" for not at all."""
    if "." not in assign.target:
        return _ends(assign.target, assign.block, where)
    table = assign.target.removesuffix(".[]")
    if not assign.target.endswith(".[]") or "." in table:
        return ""  # an attribute: others may read it
    return _ends(table, assign.block, where, assign)


def _ends(ref: str, block: int, where: Where, column: Assign | None = None) -> str:
    """Return whether all reads of ``ref`` in the function take its last rows."""
    function = where.file.blocks[block].function
    found = ""
    for subscript in where.file.subscripts:
        if where.file.blocks[subscript.block].function != function:
            continue
        if _base(subscript.ref) == ref and _is_access(subscript.ref, ref, column):
            if not _is_end(subscript.key):
                return "whole"
            found = "end"
    return "whole" if _is_handed_on(ref, function, where) else found


def _base(ref: str) -> str:
    for suffix in (".iloc", ".iat", ".values", ".[]"):
        ref = ref.removesuffix(suffix)
    return ref


def _is_access(read: str, ref: str, column: Assign | None) -> bool:
    """Tell whether a subscript picks rows; ``df["sma"]`` picks a column and is looked through."""
    return column is None or read != ref


def _is_end(key: Value) -> bool:
    if key.kind == "tuple" and key.items:
        key = key.items[0]
    return isinstance(key.const, int) and key.const < 0


def _is_handed_on(ref: str, function: int, where: Where) -> bool:
    """Tell whether the whole of it leaves the function, or is looked at in another way."""
    blocks = where.file.blocks
    for jump in where.file.jumps:
        if blocks[jump.block].function == function and _holds(jump.value, ref):
            return True
    for call in where.file.calls:
        if blocks[call.block].function == function:
            given = (*call.args, *[value for _, value in call.keywords])
            if any(_holds(value, ref) for value in given) and call.func != "len":
                return True
    return any(
        blocks[assign.block].function == function and assign.value.ref == ref
        for assign in where.file.assigns
    )


def _holds(value: Value | None, ref: str) -> bool:
    if value is None:
        return False
    return value.ref == ref or any(_holds(item, ref) for item in value.items)


def _is_cut(call: Call, where: Where) -> bool:
    """Tell whether the input was cut to the last rows before."""
    names = set(call.names)
    for assign in where.file.assigns:
        made = where.call_of(assign.value)
        cut = made is not None and made.func.endswith((".tail", ".head"))
        sliced = assign.value.items and assign.value.items[0].ref == ":"
        if assign.target in names and assign.order <= call.number and (cut or sliced):
            return True
    return False
