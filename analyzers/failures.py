"""Where an exception goes: which ``try`` takes it, which calls let one of the network through."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.model import Confidence
from perfscan.analyzers.project import FunctionId, SiteId
from perfscan.analyzers.remote import is_stream
from perfscan.analyzers.retries import is_broad

_OTHER = frozenset(
    {
        "KeyError", "IndexError", "LookupError", "AttributeError", "TypeError", "StopIteration",
        "StopAsyncIteration", "KeyboardInterrupt", "SystemExit", "CancelledError", "GeneratorExit",
        "ImportError", "NotImplementedError", "ZeroDivisionError", "UnicodeDecodeError",
    }
)  # fmt: skip
"""What a request does not raise when the network or the server fails."""

_PLAIN = frozenset(
    {"staticmethod", "classmethod", "abstractmethod", "override", "property", "final"}
)
"""Decorators that leave exceptions alone; any other may retry or swallow them."""

_DEPTH = 4


def is_caught(block: int, where: Where, top: int = -1) -> bool:
    """Tell whether a failure of the network in ``block`` stays inside its function.

    With ``top``, whether it stays inside that block.
    """
    for around in where.around(block):
        if around.number == top:
            return False
        if around.kind == "try" and any(_takes(h, where) for h in _handlers(around, where)):
            return True
        if around.kind == "with" and _suppresses(around, where):
            return True
    return False


def _handlers(guarded: Block, where: Where) -> Iterator[Block]:
    """Yield the ``except`` blocks of a ``try``: those that directly follow it."""
    for block in where.file.blocks[guarded.number + 1 :]:
        if block.parent == guarded.parent:
            if block.kind != "except":
                return
            yield block
        elif block.parent < guarded.parent:
            return


def _takes(handler: Block, where: Where) -> bool:
    """Tell whether a handler takes failures of the network and does not pass them on."""
    caught = handler.value
    names = (
        [value.ref.rpartition(".")[2] for value in (caught.items or (caught,))] if caught else []
    )
    if names and all(name in _OTHER for name in names):
        return False
    return not any(
        jump.kind == "raise" and jump.block == handler.number for jump in where.file.jumps
    )


def _suppresses(block: Block, where: Where) -> bool:
    entered = where.call_of(block.value)
    return entered is not None and entered.func.rpartition(".")[2] == "suppress"


def keeps_to_itself(function: FunctionId, where: Where) -> bool:
    """Tell whether a coroutine deals with everything that its awaits raise."""
    view = where.sibling(function[0])
    blocks = [e.block for e in view.file.awaits if view.function_id(e.block) == function]
    return bool(blocks) and all(_is_held(block, view) for block in blocks)


def _is_held(block: int, where: Where) -> bool:
    """Tell whether any exception of ``block`` stays inside its function."""
    for around in where.around(block, "try", "with"):
        if around.kind == "try":
            handlers = _handlers(around, where)
            if any(is_broad(handler) and _takes(handler, where) for handler in handlers):
                return True
        elif _suppresses(around, where):
            entered = where.call_of(around.value)
            if entered is not None and "Exception" in {value.ref for value in entered.args}:
                return True
    return False


def lets_through(call: Call, where: Where) -> tuple[SiteId, Confidence] | None:
    """Return the network call whose failure comes out of ``call``, None when none is in sight.

    Retries and other decorators are taken to handle what is raised below them.
    """
    return _lets_through((where.index, call.number), where, set(), 0)


def comes_out_of(function: FunctionId, where: Where) -> tuple[SiteId, Confidence] | None:
    """Return the network call whose failure comes out of a scanned function."""
    return _comes_out_of(function, where, set(), 0)


def _lets_through(
    at: SiteId, where: Where, seen: set[FunctionId], depth: int
) -> tuple[SiteId, Confidence] | None:
    program = where.program
    site = program.site(at)
    effect = site.effect
    if effect is not None:
        goes_out = effect.cost == "network" and not is_stream(effect, where)
        sure = site.confidence is not Confidence.POSSIBLE
        return (at, site.confidence) if goes_out and sure else None
    for target in site.targets:
        facts = program.function(target)
        runs = facts is not None and (site.call.awaited or not facts.is_async)
        if runs and target not in seen and depth < _DEPTH:
            found = _comes_out_of(target, where, seen, depth + 1)
            if found is not None:
                return found
    return None


def _comes_out_of(
    function: FunctionId, where: Where, seen: set[FunctionId], depth: int
) -> tuple[SiteId, Confidence] | None:
    seen.add(function)
    facts = where.program.function(function)
    if facts is None or any(d.ref.rpartition(".")[2] not in _PLAIN for d in facts.decorators):
        return None
    view = where if function[0] == where.index else where.sibling(function[0])
    for site in where.program.sites_of(function):
        block = site.call.block
        if next(view.around(block, "except"), None) is not None or is_caught(block, view):
            continue
        found = _lets_through((site.file, site.call.number), where, seen, depth)
        if found is not None:
            return found
    return None
