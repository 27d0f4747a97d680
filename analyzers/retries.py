"""How a loop meets failure: its handlers, whether they give up, and what waits before the next."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Value
from perfscan.analyzers.model import Confidence
from perfscan.analyzers.project import Site
from perfscan.analyzers.remote import Reach, asks_server, reaches

_BROAD = ("Exception", "BaseException")
_LEAVES = frozenset({"raise", "return", "break"})


def handlers(loop: Block, where: Where) -> Iterator[Block]:
    """Yield the ``except`` blocks that stand in the loop itself, not in a loop inside it."""
    for number in sorted(where.below(loop.number)):
        block = where.block(number)
        if block.kind == "except" and nearest_loop(block, where) is loop:
            yield block


def nearest_loop(block: Block, where: Where) -> Block | None:
    """Return the innermost loop around a block."""
    loops = where.loops(block.number)
    return loops[0] if loops else None


def tried(handler: Block, where: Where) -> Block:
    """Return the ``try`` block that a handler guards."""
    before = where.file.blocks[: handler.number]
    return [b for b in before if b.kind == "try" and b.parent == handler.parent][-1]


def is_broad(handler: Block) -> bool:
    """Tell whether a handler takes every error: bare, ``Exception``, ``BaseException``."""
    caught = handler.value
    return caught is None or any(
        value.ref.rpartition(".")[2] in _BROAD for value in (caught, *caught.items)
    )


def catches(handler: Block) -> tuple[Value, ...]:
    """Return the error classes that a handler names."""
    caught = handler.value
    return () if caught is None else caught.items or (caught,)


def gives_up(handler: Block, where: Where) -> bool:
    """Tell whether a handler leaves the loop, at least on some condition."""
    return _leaves(where.below(handler.number), where)


def always_gives_up(handler: Block, where: Where) -> bool:
    """Tell whether a handler leaves the loop, whatever has happened."""
    return _leaves({handler.number}, where)


def _leaves(inside: set[int], where: Where) -> bool:
    return any(jump.kind in _LEAVES and jump.block in inside for jump in where.file.jumps)


def work(handler: Block, where: Where) -> list[Call]:
    """Return the calls of the ``try`` block that a handler guards, without inner failure paths."""
    body = tried(handler, where).number
    inside = where.below(body)
    return [
        call
        for call in where.calls_in(body)
        if not any(b.number in inside for b in where.around(call.block, "except"))
    ]


def after_failure(handler: Block, loop: Block, where: Where) -> list[Call]:
    """Return the calls that a turn still makes when it has failed, and those at its top.

    An ``else`` after the handlers counts as well: the facts do not tell it apart.
    """
    guarded = tried(handler, where)
    failed = where.below(handler.number)
    skipped = where.below(guarded.number)
    for other in handlers(loop, where):
        if other.number != handler.number and tried(other, where).number == guarded.number:
            skipped |= where.below(other.number)
    jumps = where.file.jumps
    onward = any(jump.kind == "continue" and jump.block == handler.number for jump in jumps)
    return [
        call
        for call in where.calls_in(loop.number)
        if call.block not in skipped
        and not (onward and call.block not in failed and call.place[0] > handler.place[0])
    ]


def does_io(loop: Block, where: Where) -> bool:
    """Tell whether a loop asks a server, itself or through helpers."""
    calls = where.calls_in(loop.number)
    return next(reaches(where, calls, asks_server), None) is not None


def reconnects(loop: Block, where: Where) -> Reach | None:
    """Return the way to a WebSocket that the loop opens, itself or through helpers."""

    def opens(site: Site) -> bool:
        roles = where.knowledge.roles
        return site.confidence is not Confidence.POSSIBLE and any(
            "websocket_connect" in roles(t.path) for t in site.things if t.kind == "external"
        )

    return next(reaches(where, where.calls_in(loop.number), opens, 3), None)


def swallowed(reach: Reach, where: Where) -> bool:
    """Tell whether a helper on the way catches every error, so that none gets back to the loop."""
    for file, number in reach.path[1:]:
        view = where.sibling(file)
        for guarded in view.around(view.file.calls[number].block, "try"):
            if any(_holds_back(handler, guarded, view) for handler in view.file.blocks):
                return True
    return False


def _holds_back(handler: Block, guarded: Block, where: Where) -> bool:
    if handler.kind != "except" or handler.parent != guarded.parent or not is_broad(handler):
        return False
    inside = where.below(handler.number)
    raises = any(jump.kind == "raise" and jump.block in inside for jump in where.file.jumps)
    return not raises and tried(handler, where).number == guarded.number


def is_constant(value: Value, loop: Block, where: Where, depth: int = 0) -> bool:
    """Tell whether a delay has one length, above zero, as long as the loop turns."""
    if value.kind == "const":
        return isinstance(value.const, int | float) and value.const > 0
    if value.kind == "binary":
        return value.ref not in {"Pow", "LShift"} and all(
            is_constant(item, loop, where, depth) for item in value.items
        )
    if value.kind != "ref" or value.ref.startswith("@") or "[]" in value.ref or depth > 2:
        return False
    return _never_changes(value.ref, loop, where, depth)


def _never_changes(name: str, loop: Block, where: Where, depth: int) -> bool:
    """Tell whether a name holds one value while the loop turns."""
    if name in loop.targets:
        return False
    if name.rpartition(".")[2].isupper():
        return True
    function = where.function(loop.number)
    if function is not None and any(param.name == name for param in function.params):
        homes = {function.number}
    else:
        homes = {function.number if function else -1, -1}
    blocks = where.file.blocks
    assigns = [
        a
        for a in where.file.assigns
        if a.target == name and ("." in name or blocks[a.block].function in homes)
    ]
    inside = where.below(loop.number)
    if any(a.op not in {"=", ":"} or a.block in inside for a in assigns):
        return False
    if assigns:
        return "." in name or all(is_constant(a.value, loop, where, depth + 1) for a in assigns)
    return len(homes) == 1 and "." not in name
