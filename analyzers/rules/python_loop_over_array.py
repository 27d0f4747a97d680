"""PS806: an indicator computed one element at a time in Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Block, FileFacts, Subscript, Value
from perfscan.analyzers.frames import in_words, shape_of
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.retries import catches
from perfscan.analyzers.row_loops import counted_loop, is_compiled, row_loops, waits_per_row

_ARRAYS = frozenset({"series", "column", "array"})
_REDUCING = frozenset(
    {"max", "min", "mean", "sum", "std", "var", "median", "argmax", "argmin", "prod", "dot"}
)
_NUMERIC = _REDUCING | {
    "abs",
    "float",
    "round",
    "sqrt",
    "exp",
    "log",
    "log2",
    "power",
    "maximum",
    "minimum",
    "fabs",
}
"""Functions that take a number or an array and give a number."""


@dataclass(slots=True)
class _Pass:
    """A loop that goes through arrays, and what it calls their elements."""

    loop: Block
    array: str
    elements: set[str] = field(default_factory=set)
    """References: ``close.[]``, or the name of a target."""
    windows: set[str] = field(default_factory=set)
    """What is sliced by the counter."""


@rule("PS806", "python-loop-over-array", Severity.MEDIUM, on=FileFacts)
def python_loop_over_array(file: FileFacts, where: Where) -> Iterator[Hit]:
    """Report loops that compute with the elements of an array or Series one by one.

    What it does:
        Looks for loops that read `values[i]` or a window `values[i - 14:i]` of a NumPy array or
        Series at a counted position, or that run over one, and compute with what they read.

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
        each element leads to a request. `zip` over several columns is not reported either, and what
        stands in for a package that cannot be imported weighs low.
    """
    if not file.subscripts and not any(block.kind == "for" for block in file.blocks):
        return
    elsewhere = row_loops(where)  # these are PS801's
    for found in _passes(where):
        loop = found.loop
        if loop.number in elsewhere or is_compiled(loop.number, where):
            continue
        if _computes(found, where) and not waits_per_row(loop, where):
            yield Hit(
                loop.place,
                loop.number,
                message=f"{where.name(loop.number)} computes with {found.array} element by element",
                fix="Work on the whole array, or compile the loop with numba.njit(cache=True).",
                severity=Severity.LOW if _is_substitute(loop, where) else None,
                confidence=Confidence.PROBABLE,
            )


def _is_substitute(loop: Block, where: Where) -> bool:
    """Tell whether the loop only runs where a compiled package is missing."""
    function = where.function(loop.number)
    if function is None or _after_import_error(loop.number, where):
        return function is not None
    calls = [call for call in where.file.calls if call.func == function.name]
    return bool(calls) and all(_after_import_error(call.block, where) for call in calls)


def _after_import_error(block: int, where: Where) -> bool:
    return any(
        value.ref in {"ImportError", "ModuleNotFoundError"}
        for handler in where.around(block, "except")
        for value in catches(handler)
    )


def _passes(where: Where) -> list[_Pass]:
    found: dict[int, _Pass] = {}
    for subscript in where.file.subscripts:
        key = _position(subscript.key)
        loop = counted_loop(key, subscript.block, where) if key is not None else None
        if loop is None or loop.kind != "for" or not _is_array(subscript, where):
            continue
        entry = found.setdefault(loop.number, _Pass(loop, in_words(subscript.ref)))
        if subscript.key.ref == ":":
            entry.windows.add(subscript.ref)
        else:
            entry.elements.add(f"{subscript.ref}.[]")
    for loop, value in _direct_loops(where):
        entry = found.setdefault(loop.number, _Pass(loop, in_words(value.ref)))
        entry.elements.add(loop.targets[-1])
    return list(found.values())


def _position(key: Value) -> Value | None:
    """Return the part of a subscript that counts: ``i`` of ``[i - 1]``, ``[i, 2]``, ``[i:j]``."""
    if key.kind == "tuple" and key.items:
        rest = key.items[1:]
        return key.items[0] if all(item.kind == "const" for item in rest) else None
    return key if key.names and (key.kind in {"ref", "binary"} or key.ref == ":") else None


def _is_array(subscript: Subscript, where: Where) -> bool:
    return shape_of(subscript.ref, subscript.block, subscript.order, where) in _ARRAYS


def _direct_loops(where: Where) -> Iterator[tuple[Block, Value]]:
    """Yield loops over an array or Series itself, ``enumerate`` looked through."""
    for block in where.file.blocks:
        if block.kind != "for" or block.value is None or block.is_async or not block.targets:
            continue
        call, value = where.call_of(block.value), block.value
        if call is not None and call.func == "enumerate" and call.args:
            value = call.args[0]
        if value.kind == "ref" and shape_of(value.ref, block.parent, 1 << 30, where) in _ARRAYS:
            yield block, value


def _computes(found: _Pass, where: Where) -> bool:
    """Tell whether the body does arithmetic on elements and keeps the result."""
    inside = where.below(found.loop.number)
    for assign in where.file.assigns:
        if assign.block in inside and assign.op != "for":
            if _is_element(assign.value, found):
                found.elements.add(assign.target)  # another name for it
            if _kept(assign, found, where):
                return True
    return any(
        _is_arithmetic(value, found, where)
        for call in where.calls_in(found.loop.number)
        if call.func.endswith(".append")
        for value in call.args
    )


def _kept(assign: Assign, found: _Pass, where: Where) -> bool:
    if assign.op not in {"=", ":=", "del", "with", ":"} and _is_element(assign.value, found):
        return True  # total += values[i]
    return _is_arithmetic(assign.value, found, where)


def _is_arithmetic(value: Value, found: _Pass, where: Where) -> bool:
    """Tell whether an expression computes with an element, or reduces a window to a number."""
    if value.kind in {"binary", "conditional"}:
        return any(
            _is_element(item, found) or _is_arithmetic(item, found, where) for item in value.items
        )
    call = where.call_of(value)
    if call is None:
        return False
    receiver, _, verb = call.func.rpartition(".")
    if verb in _REDUCING and {receiver, *[item.ref for item in call.args[:1]]} & found.windows:
        return True
    if verb not in _NUMERIC:
        return False
    numbers = sum(_is_element(item, found) for item in call.args)
    return numbers > 1 or any(_is_arithmetic(item, found, where) for item in call.args)


def _is_element(value: Value, found: _Pass) -> bool:
    return value.kind == "ref" and value.ref in found.elements
