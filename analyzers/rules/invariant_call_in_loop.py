"""PS504: the same result worked out in every turn of a loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Value
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, rule

_LAST = frozenset(
    {"compile", "getenv", "get", "Decimal", "loads", "strptime", "contract", "fromisoformat"}
)
"""Last words of the calls that the knowledge base tags, to leave out all others at once."""


@rule("PS504", "invariant-call-in-loop", Severity.LOW, on=Call, calls=_LAST)
def invariant_call_in_loop(call: Call, where: Where) -> Iterator[Hit]:
    """Report calls in a loop that give the same result in every turn.

    What it does:
        Looks, in loops over data, for `re.compile`, `os.getenv`, `json.loads` of a constant,
        `datetime.strptime` of fixed text and `web3.eth.contract` when none of their arguments
        changes from turn to turn; for `Decimal("0.1")` in loops within loops.

    Why it costs a bot:
        Parsing an ABI takes milliseconds, the others microseconds; the loop pays for each item
        what one line above it would cost once.

    Example:
        import json

        def decode(logs):
            rows = []
            for log in logs:
                schema = json.loads('{"pool": "string", "mint": "string"}')
                rows.append({name: log[name] for name in schema})
            return rows

    Use instead:
        import json

        SCHEMA = json.loads('{"pool": "string", "mint": "string"}')

        def decode(logs):
            return [{name: log[name] for name in SCHEMA} for log in logs]

    When it is fine:
        When an argument depends on the turn, in loops over a few constants, and in endless loops
        that wait, where one call a turn does not show.
    """
    loops = [loop for loop in where.data_loops(call.block) if loop.kind != "while"]
    roles = where.roles(call) if loops else frozenset()
    if not ("invariant" in roles or ("invariant_cheap" in roles and len(loops) > 1)):
        return
    loop = loops[0]
    if not _is_fixed(call, loop, where):
        return
    name = where.path(call).replace("().", ".")
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{name}() gives the same result in every turn of the loop at line {loop.place[0]}"
        ),
        fix="Call it once above the loop, or once for the module.",
        severity=None if "invariant" in roles else Severity.INFO,
        confidence=where.confidence(call),
    )


def _is_fixed(call: Call, loop: Block, where: Where) -> bool:
    """Tell whether every argument keeps its value from turn to turn."""
    inside = where.below(loop.number)
    bound = set(loop.targets)
    for number in inside:
        bound.update(where.block(number).targets)
    bound.update(assign.target for assign in where.file.assigns if assign.block in inside)
    values = (*call.args, *[value for _, value in call.keywords])
    return (
        bool(values)
        and not bound.intersection(call.names)
        and all(_is_plain(value, bound) for value in values)
        and not any(jump.block in inside and jump.kind in _LEAVING for jump in where.file.jumps)
    )


_LEAVING = frozenset({"break", "return"})


def _is_plain(value: Value, bound: set[str]) -> bool:
    """Tell whether a value is made of constants and names alone."""
    if value.kind == "ref":
        return not value.ref.startswith(("@", "?")) and value.ref not in bound
    if value.kind in {"fstring", "binary", "tuple", "list"}:
        return all(_is_plain(item, bound) for item in value.items)
    return value.kind == "const"
