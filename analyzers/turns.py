"""Turns of a loop: whether one needs another, what the item goes into, what ends the loop early."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Block, Call, Value

_MAKES = frozenset({"=", "for", "with", ":="})
"""Operators that give a name a new value; the others build on the old one."""

_LEAVES = frozenset({"break", "return", "yield"})


def ends_early(loop: Block, where: Where) -> bool:
    """Tell whether the loop looks for something, or hands out item by item."""
    inside = where.below(loop.number)
    return any(jump.kind in _LEAVES and jump.block in inside for jump in where.file.jumps)


def is_paced(calls: list[Call], where: Where) -> bool:
    """Tell whether the body sleeps (``sleep(0)`` only lets others in) or waits for its turn."""
    return any(
        call.func.rpartition(".")[2] in {"sleep", "acquire"} or "sleep" in where.roles(call)
        for call in calls
        if not (call.args and call.args[0].kind == "const" and call.args[0].const == 0)
    )


def depends_on_earlier_turn(call: Call, loop: Block, where: Where) -> bool:
    """Tell whether an argument is bound later in the body, or changed from turn to turn.

    An argument made in the body counts for everything that it was made from.
    """
    assigns = _assigns(loop, where)
    used = _used(call, assigns)
    return any(
        assign.target in used
        and (assign.op not in _MAKES or (assign.order > call.number and assign.op != "for"))
        for assign in assigns
    )


def varies(call: Call, loop: Block, where: Where, apart_from: str = "") -> bool:
    """Tell whether the call is another one in every turn: the item goes into it.

    What goes into it only by way of the name ``apart_from`` does not count.
    """
    assigns = _assigns(loop, where)
    items = {assign.target for assign in assigns if assign.op == "for"} | set(loop.targets)
    return bool(items & _used(call, assigns, apart_from))


def _assigns(loop: Block, where: Where) -> list[Assign]:
    inside = where.below(loop.number)
    return [assign for assign in where.file.assigns if assign.block in inside]


def _used(call: Call, assigns: list[Assign], apart_from: str = "") -> set[str]:
    """Return the names that a request is made from, those of the body's own values included."""
    used = {*call.names, *_references(call)} - {apart_from}
    before = -1
    while len(used) > before:
        before = len(used)
        for assign in assigns:
            if assign.target in used and assign.op in _MAKES and assign.order <= call.number:
                used.update(assign.value.names)
    return used


def _references(call: Call) -> Iterator[str]:
    stack: list[Value] = [*call.args, *[value for _, value in call.keywords]]
    while stack:
        value = stack.pop()
        if value.kind == "ref":
            yield value.ref
        stack.extend(value.items)
