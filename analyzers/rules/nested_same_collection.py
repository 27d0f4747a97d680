"""PS704: two collections joined by comparing everything with everything."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Comparison, Value
from perfscan.analyzers.key_counts import FEW
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_COUNTING = frozenset({"range", "enumerate", "zip", "reversed"})


@rule("PS704", "nested-same-collection", Severity.MEDIUM, on=Comparison)
def nested_same_collection(comparison: Comparison, where: Where) -> Iterator[Hit]:
    """Report a loop within a loop that only looks for the item with an equal key.

    What it does:
        Looks for `a.key == b.key` where `a` comes from one loop over data and `b` from a loop
        inside it over a collection that does not depend on `a`.

    Why it costs a bot:
        Everything is compared with everything: 1,000 orders against 1,000 positions are a million
        comparisons per cycle, some 50 ms in which nothing else runs. A dictionary takes 2,000.

    Example:
        def match(orders, positions):
            pairs = []
            for order in orders:
                for position in positions:
                    if order["symbol"] == position["symbol"]:
                        pairs.append((order, position))
            return pairs

    Use instead:
        def match(orders, positions):
            by_symbol = {position["symbol"]: position for position in positions}
            return [(order, by_symbol[order["symbol"]]) for order in orders]

    When it is fine:
        On grids and matrices, with few items on one side, and where the inner collection belongs to
        the outer item. Low for a handful of outer keys (markets, timeframes) and in code that no
        loop or handler of the bot runs.
    """
    if comparison.op != "Eq" or not comparison.left.names or not comparison.right.names:
        return
    loops = [loop for loop in where.loops(comparison.block) if loop.kind != "while"]
    if len(loops) < 2:
        return
    inner, outer = loops[0], loops[1]
    if not _joins(comparison, inner, outer) or not _is_apart(inner, outer, where):
        return
    if any(_is_short(loop, where) for loop in (inner, outer)):
        return
    sides = (comparison.left, comparison.right)
    item, far = next((name, side) for side in sides for name in side.names if name in outer.targets)
    few = far.ref == item and FEW.search(item)
    yield Hit(
        inner.place,
        inner.number,
        message=(
            f"{where.name(inner.number)} goes through {_name(inner.value)} for each"
            f" {item} to find equal ones"
        ),
        fix=f"Build a dict from key to {inner.targets[0]} before the outer loop and look it up.",
        severity=Severity.LOW if few or where.is_cold(inner.number) else None,
        confidence=Confidence.PROBABLE,
    )


def _joins(comparison: Comparison, inner: Block, outer: Block) -> bool:
    """Tell whether one side comes from the inner loop alone, the other from the outer one alone."""
    if comparison.left.kind != "ref" or comparison.right.kind != "ref":
        return False
    sides = [set(comparison.left.names), set(comparison.right.names)]
    for near, far in (sides, sides[::-1]):
        if near & set(inner.targets) and far & set(outer.targets):
            return not near & set(outer.targets) and not far & set(inner.targets)
    return False


def _is_apart(inner: Block, outer: Block, where: Where) -> bool:
    """Tell whether the inner collection is the same in every turn of the outer loop."""
    if inner.value is None:
        return False
    inside = where.below(outer.number)
    bound = {
        assign.target.partition(".")[0] for assign in where.file.assigns if assign.block in inside
    }
    return not (bound | set(outer.targets)) & set(inner.value.names)


def _is_short(loop: Block, where: Where) -> bool:
    """Tell whether a loop runs over written-down values, an enumeration, or positions."""
    call = where.call_of(loop.value)
    if where.is_constant(loop) or (call is not None and call.func in _COUNTING):
        return True
    value = loop.value
    return value is not None and any(
        thing.kind == "class" for thing in where.things(value, loop.parent)
    )


def _name(value: Value | None) -> str:
    if value is None or value.kind != "ref" or value.ref.startswith("@"):
        return "the same collection"
    return value.ref.replace(".[]", "[...]")
