"""PS806: an indicator computed one element at a time in Python."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Block, Call, FileFacts, Subscript, Value
from perfscan.analyzers.frames import in_words, shape_of
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.row_loops import (
    counted_loop,
    is_compiled,
    parts,
    row_loops,
    waits_per_row,
)

_ELEMENTS = frozenset({"series", "column", "array"})
_COMPUTING = frozenset({"binary", "compare"})


@rule("PS806", "python-loop-over-array", Severity.MEDIUM, on=FileFacts)
def python_loop_over_array(file: FileFacts, where: Where) -> Iterator[Hit]:
    """Report loops that compute with the elements of an array or Series one by one.

    What it does:
        Looks for loops that read or write `values[i]` of a NumPy array, a Series or `df[...].values`
        at a counted position, or that run over such a value, and compute in their body.

    Why it costs a bot:
        Each element is unpacked into a Python number and packed again, 50 to 200 nanoseconds a
        piece and more for a Series: a hundred times the cost of the same operation on the whole
        array. A StochRSI over 10,000 candles takes a tenth of a second, for each symbol and tick.

    Example:
        import numpy as np

        def ema(prices, alpha):
            values = np.asarray(prices)
            out = np.zeros(len(values))
            for i in range(1, len(values)):
                out[i] = alpha * values[i] + (1 - alpha) * out[i - 1]
            return out

    Use instead:
        import numpy as np
        from numba import njit

        @njit(cache=True)
        def _ema(values, alpha):
            out = np.zeros(len(values))
            for i in range(1, len(values)):
                out[i] = alpha * values[i] + (1 - alpha) * out[i - 1]
            return out

        def ema(prices, alpha):
            return _ema(np.asarray(prices), alpha)

    When it is fine:
        In functions that Numba or Cython compiles, on a few elements, over plain lists, and when
        each element leads to a request. `zip` over several columns is not reported either.
    """
    if not file.subscripts and not any(block.kind == "for" for block in file.blocks):
        return
    reported = set(row_loops(where))  # these are PS801's
    for loop, name in _loops(where):
        if loop.number in reported or is_compiled(loop.number, where):
            continue
        reported.add(loop.number)
        if _computes(loop, where) and not waits_per_row(loop, where):
            yield _hit(loop, name, where)


def _hit(loop: Block, name: str, where: Where) -> Hit:
    return Hit(
        loop.place,
        loop.number,
        message=f"{where.name(loop.number)} computes with {name} one element at a time",
        fix="Work on the whole array, or compile the loop with numba.njit(cache=True).",
        confidence=Confidence.PROBABLE,
    )


def _loops(where: Where) -> Iterator[tuple[Block, str]]:
    """Yield the loops that go through an array or Series, and what that is called."""
    for item in (*where.file.subscripts, *where.file.assigns):
        if not isinstance(item, Subscript) and item.key is None:
            continue
        ref, key = parts(item)
        if key is None or not key.names or key.kind not in {"ref", "binary", "tuple"}:
            continue
        loop = counted_loop(key, item.block, where)
        if loop is not None and loop.kind == "for" and _is_array(ref, item, where):
            yield loop, in_words(ref)
    for block in where.file.blocks:
        if block.kind == "for" and block.value is not None and not block.is_async:
            value = _iterated(block.value, where)
            if shape_of(value.ref, block.parent, 1 << 30, where) in _ELEMENTS:
                yield block, in_words(value.ref)


def _is_array(ref: str, item: Subscript | Assign, where: Where) -> bool:
    return shape_of(ref, item.block, item.order, where) in _ELEMENTS


def _iterated(value: Value, where: Where) -> Value:
    """Look through ``enumerate(values)``."""
    call = where.call_of(value)
    if call is not None and call.func == "enumerate" and call.args:
        return call.args[0]
    return value


def _computes(loop: Block, where: Where) -> bool:
    """Tell whether the body does arithmetic and keeps the result."""
    inside = where.below(loop.number)
    for assign in where.file.assigns:
        if assign.block in inside and assign.op != "for" and _is_arithmetic(assign, where):
            return True
    return any(
        _appends(call) and any(_mentions(value, loop) for value in call.args)
        for call in where.calls_in(loop.number)
    )


def _is_arithmetic(assign: Assign, where: Where) -> bool:
    counting = assign.op in {"Add=", "Sub="} and isinstance(assign.value.const, int)
    if assign.op.endswith("=") and assign.op not in {"=", ":="} and not counting:
        return True
    value = assign.value
    if value.kind == "conditional":
        return any(item.kind in _COMPUTING for item in value.items)
    call = where.call_of(value)
    if call is not None:
        return call.func in {"max", "min", "abs", "sum"} or call.func.endswith(
            (".max", ".min", ".mean", ".std", ".sum", ".sqrt")
        )
    return value.kind == "binary"


def _appends(call: Call) -> bool:
    return call.func.endswith(".append")


def _mentions(value: Value, loop: Block) -> bool:
    return value.kind == "binary" and bool(set(value.names) & set(loop.targets))
