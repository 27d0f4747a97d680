"""How long a sleep that blocks its thread takes, where that is written down."""

from __future__ import annotations

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.literals import number

_SHORT_S = 0.05
"""No more than a garbage collection or the parsing of a large message."""


def is_short(call: Call, where: Where) -> bool:
    """Tell whether a sleep ends within some hundredths of a second."""
    value = where.argument(call, 0, "secs")
    if value is None:
        return False
    seconds = number(value, where, call.block)
    if seconds is not None:
        return seconds <= _SHORT_S
    return value.kind == "binary" and value.ref == "Mult" and _counts_up(value, call, where)


def _counts_up(product: Value, call: Call, where: Where) -> bool:
    """Tell whether a short time grows with the few attempts of a loop: ``0.01 * (attempt + 1)``."""
    times = [number(item, where, call.block) for item in product.items]
    known = [seconds for seconds in times if seconds is not None]
    counters = {
        name for loop in where.loops(call.block) if where.is_constant(loop) for name in loop.targets
    }
    return (
        bool(known)
        and max(known) <= _SHORT_S
        and all(
            set(item.names) <= counters and bool(item.names)
            for item, seconds in zip(product.items, times, strict=True)
            if seconds is None
        )
    )
