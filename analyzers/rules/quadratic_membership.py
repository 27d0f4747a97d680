"""PS701: a list searched from the front in every turn of a loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Comparison, Value
from perfscan.analyzers.key_counts import FEW
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.sequences import (
    is_few_written,
    is_long,
    is_made_inside,
    outlives_turn,
    sort_of_name,
)

_SEARCHES = (".index", ".count")


@rule("PS701", "quadratic-membership", Severity.MEDIUM, on=(Comparison, Call), fixable="unsafe")
def quadratic_membership(fact: Comparison | Call, where: Where) -> Iterator[Hit]:
    """Report `in`, `index` and `count` on a list inside a loop over data.

    What it does:
        Looks for `x in values` (and `not in`, `values.index(x)`, `values.count(x)`) in loops whose
        turns each look for something else, when all that binds `values` makes it a list, and the
        loop does not build it anew.

    Why it costs a bot:
        A list is searched element by element: with 5,000 known signatures, each new one costs 5,000
        comparisons, and twice as many items take four times as long. A set answers at once.

    Example:
        def fresh(signatures, rows):
            known = [row["signature"] for row in rows]
            return [item for item in signatures if item not in known]

    Use instead:
        def fresh(signatures, rows):
            known = {row["signature"] for row in rows}
            return [item for item in signatures if item not in known]

    When it is fine:
        On lists of a few written-down values, on sets and dictionaries, for items that cannot be
        hashed. Reported as low: lists of unknown length (parameters), lists that a handler makes
        and drops, values of few kinds (modes, markets), code that no loop or handler runs.
    """
    found = _in_comparison(fact) if isinstance(fact, Comparison) else _in_call(fact)
    if found is None:
        return
    wanted, ref, how = found
    loop = _loop(wanted, fact.block, where)
    if loop is None or is_made_inside(ref, loop.number, where):
        return
    if sort_of_name(ref, fact.block, where) != "list" or is_few_written(ref, fact.block, where):
        return
    heavy = is_long(ref, fact.block, where) and outlives_turn(ref, fact.block, where)
    yield Hit(
        fact.place,
        fact.block,
        message=(
            f"{how} goes through the list {ref} in every turn of a loop in {where.name(fact.block)}"
        ),
        fix=f"Make {ref} a set, or a dict from item to position, before the loop.",
        severity=None if heavy and not _are_few(ref, wanted) else Severity.LOW,
        confidence=Confidence.PROBABLE,
    )


def _are_few(ref: str, wanted: Value) -> bool:
    """Tell from the names whether what is looked for has few values: modes, types, languages."""
    last = wanted.ref.rpartition(".")[2] if wanted.kind == "ref" else ""
    return any(FEW.search(name) for name in (ref.rpartition(".")[2], last))


def _in_comparison(fact: Comparison) -> tuple[Value, str, str] | None:
    ref = fact.right.ref
    if fact.op not in {"In", "NotIn"} or fact.right.kind != "ref" or not _is_name(ref):
        return None
    return fact.left, ref, "in" if fact.op == "In" else "not in"


def _in_call(fact: Call) -> tuple[Value, str, str] | None:
    if not fact.func.endswith(_SEARCHES) or len(fact.args) != 1:
        return None
    ref, _, verb = fact.func.rpartition(".")
    return (fact.args[0], ref, f"{verb}()") if _is_name(ref) else None


def _is_name(ref: str) -> bool:
    """Tell whether a reference is a plain name or an attribute of self."""
    return ref.removeprefix("self.").isidentifier()


def _loop(wanted: Value, block: int, where: Where) -> Block | None:
    """Return the innermost loop over data whose turns look for different things."""
    for loop in where.loops(block):
        if not set(wanted.names).isdisjoint(_varying(loop, where)):
            return None if where.is_constant(loop) else loop
    return None


def _varying(loop: Block, where: Where) -> set[str]:
    inside = where.below(loop.number)
    bound = {assign.target for assign in where.file.assigns if assign.block in inside}
    return bound | set(loop.targets)
