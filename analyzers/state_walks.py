"""Helpers that go through all of a state that was read from a file: it may be large."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from perfscan.analyzers.computing import computing, way_to_computing
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Function
from perfscan.analyzers.project import FunctionId
from perfscan.analyzers.sites import argument_of

_READING = (".load", ".loads")


class Walk(NamedTuple):
    """A helper's loops over all that it was given."""

    state: str
    """What the caller calls it."""
    path: str
    line: int
    """Where the outer loop stands."""


def walk_of(call: Call, where: Where) -> Walk | None:
    """Return how a call has a helper go through a whole state, item by item of each item."""
    if not where.targets(call):
        return None
    states = _states(call, where)
    if states.isdisjoint(call.names):
        return None
    for target in where.targets(call):
        view = where.sibling(target[0])
        helper = view.file.functions[target[1]]
        for state, name in _given(call, helper, states):
            loop = None if helper.is_async else _whole(helper, name, view)
            if loop is not None:
                return Walk(state, view.file.path, loop.line)
    return None


def _given(call: Call, helper: Function, states: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the states that a call passes, each with the helper's name for it."""
    for position, param in enumerate(helper.params):
        value = argument_of(call, helper, position, param.name)
        if value is not None and value.kind == "ref" and value.ref in states:
            yield value.ref, param.name


def _states(call: Call, where: Where) -> frozenset[str]:
    """Return the locals that hold what was unpickled, or parts of it, before the call."""
    blocks = where.file.blocks
    function = blocks[call.block].function
    found: set[str] = set()
    for assign in where.file.assigns:
        if blocks[assign.block].function != function or assign.order > call.number:
            continue
        made = where.call_of(assign.value)
        part = assign.value.kind == "ref" and assign.value.ref.partition(".")[0] in found
        if part or (made is not None and _reads_state(made, where)):
            found.add(assign.target)
    return frozenset(found)


def _reads_state(call: Call, where: Where) -> bool:
    own = computing(call, where)
    ways = [way_to_computing(target, where) for target in where.targets(call)]
    computed = [own, *[way.computing for way in ways if way is not None]]
    return any(
        one is not None and one.kind == "state" and one.what.endswith(_READING) for one in computed
    )


def _whole(helper: Function, name: str, view: Where) -> Block | None:
    """Return the loop of a helper that takes each item apart in turn, None without one."""
    parts = _made_from(name, helper, view)
    for number in sorted(view.below(helper.block)):
        block = view.block(number)
        if block.kind not in {"for", "comp"} or view.is_constant(block) or block.value is None:
            continue
        if parts.isdisjoint(block.value.names):
            continue
        inside = view.below(number) - {number}
        nested = [view.block(inner) for inner in inside]
        if any(b.kind in {"for", "comp"} and not view.is_constant(b) for b in nested):
            return block
        if any(
            _is_recursive(t, view) for call in view.calls_in(number) for t in view.targets(call)
        ):
            return block
    return None


def _made_from(name: str, helper: Function, view: Where) -> set[str]:
    """Return a parameter and the locals that hold parts of it."""
    found = {name}
    for assign in view.file.assigns:
        here = view.block(assign.block).function == helper.number
        if here and not found.isdisjoint(assign.value.names):
            found.add(assign.target.partition(".")[0])
    return found


def _is_recursive(function: FunctionId, view: Where) -> bool:
    """Tell whether a function calls itself for each part of what it gets."""
    other = view.sibling(function[0])
    return any(
        function in site.targets and other.loops(site.call.block)
        for site in view.program.sites_of(function)
    )
