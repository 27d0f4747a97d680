"""What becomes of a value that a call makes: kept, handed out, used for long, or thrown away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.first_time import only_first_time
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.model import TraceStep
from perfscan.analyzers.project import FunctionId, Site

Fate = Literal["kept", "returned", "local"]

_COLLECTING = (".append", ".add", ".put", ".put_nowait", ".setdefault", ".update", ".insert")
_ENDLESS_CALLS = frozenset(
    {
        "run_forever", "serve_forever", "start_polling", "run_polling", "infinity_polling",
        "polling", "run_until_disconnected", "idle", "wait_closed", "run_until_complete",
        "start_consuming", "loop_forever",
    }
)  # fmt: skip
"""Library calls that return when the connection ends, whatever object they belong to."""

_SET_UP = re.compile(
    r"_*(start|setup|set_up|init|connect|reconnect|login|authenticate|auth_|assume_role|install"
    r"|download|(a?close|re_?open|open)(?!_(ticket|issue|order|position|trade|deal|channel|chat))"
    r"|stop|shutdown|restart|(refresh|renew|update)_?token|get_\w*token$"
    r"|(validate|verify|test)_\w*(key|token|credential|connection))",
    re.IGNORECASE,
)
"""Steps that a bot takes when it starts or recovers, even inside its main loop."""

_CACHES = ("cache", "lru_cache", "cached", "cached_property", "alru_cache", "fixture", "singleton")
_MAX_DEPTH = 3


def fate(call: Call, where: Where) -> Fate:
    """Return where the result goes: into an object or global, to the caller, or nowhere."""
    if call.use in {"returned", "yielded"}:
        return "returned"
    if call.owner >= 0 and call.use in {"argument", "element"}:
        return "kept"  # handed to somebody who may keep it
    if call.use == "element":
        return "kept"  # part of a collection that is being built
    if call.block == 0 or where.function(call.block) is None:
        return "kept"  # module level runs once
    for target in bound_to(call, where):
        if _outlives(target, call, where):
            return "kept"
        found = _fate_of_name(target, call, where)
        if found != "local":
            return found
    return "local"


def bound_to(call: Call, where: Where) -> list[str]:
    """Return the targets that the result of ``call`` is bound to, ``with ... as`` included."""
    result = f"@{call.number}"
    return [
        assign.target
        for assign in where.file.assigns
        if assign.value.ref == result or result in [item.ref for item in assign.value.items]
    ]


def _outlives(target: str, call: Call, where: Where) -> bool:
    function = where.function(call.block)
    return "." in target or (function is not None and target in function.shared)


def _fate_of_name(name: str, call: Call, where: Where) -> Fate:
    blocks = where.file.blocks
    function = blocks[call.block].function
    for assign in where.file.assigns:
        here = blocks[assign.block].function == function
        if here and assign.value.ref == name and _outlives(assign.target, call, where):
            return "kept"
    for jump in where.file.jumps:
        here = blocks[jump.block].function == function and jump.kind in {"return", "yield"}
        if here and jump.value is not None and _holds(jump.value, name):
            return "returned"
    for other in where.file.calls:
        here = blocks[other.block].function == function
        if here and (other.func.endswith(_COLLECTING) or _builds_scanned(where.site(other))):
            given = (*other.args, *dict(other.keywords).values())
            if any(_holds(value, name) for value in given):
                return "kept"
    return "local"


def _holds(value: Value, name: str) -> bool:
    return value.ref == name or any(_holds(item, name) for item in value.items)


def _builds_scanned(site: Site) -> bool:
    return any(thing.kind == "class" for thing in site.things)


def mentions(value: Value | None, reference: str) -> bool:
    """Tell whether an expression reads ``reference`` (``self.session``) itself."""
    if value is None:
        return False
    return value.ref == reference or any(mentions(item, reference) for item in value.items)


def is_cached(function: FunctionId, where: Where) -> bool:
    """Tell whether a decorator keeps the results, or a test framework calls the function."""
    facts = where.program.function(function)
    if facts is None:
        return False
    calls = where.program.files[function[0]].calls
    for decorator in facts.decorators:
        ref = decorator.ref
        if ref.startswith("@") and ref[1:].isdigit():
            ref = calls[int(ref[1:])].func
        if any(name in ref.rpartition(".")[2].lower() for name in _CACHES):
            return True
    return False


def used_for_long(block: int, where: Where) -> bool:
    """Tell whether ``block`` holds work without an end: then what it opens lives as long."""
    loops = where.hot_regions.loops
    if any((where.index, inner) in loops for inner in where.below(block)):
        return True
    return any(_endless(where.site(call), where, 0) for call in where.calls_in(block))


def _endless(site: Site, where: Where, depth: int) -> bool:
    if site.call.func.rpartition(".")[2] in _ENDLESS_CALLS:
        return True
    if depth == _MAX_DEPTH:
        return False
    for target in site.targets:
        if target in where.hot_regions.looping:
            return True
        below = where.program.sites_of(target)
        if any(_endless(inner, where, depth + 1) for inner in below):
            return True
    return False


def callers(function: FunctionId, where: Where) -> Iterator[tuple[Where, Call]]:
    """Yield the calls of a function, each with the view of its own file."""
    for file, index in where.program.callers.get(function, ()):
        view = where if file == where.index else where.sibling(file)
        yield view, view.file.calls[index]


def is_exceptional(heat: Heat, where: Where) -> bool:
    """Tell whether the way from the loop leads through a failure path or through start-up code.

    Checks of a key and logins count as that: a person asks for them, or they are needed seldom.
    So does what is made when it is first needed, and kept.
    """
    for site in heat.via:
        view = where.sibling(site[0])
        call = view.file.calls[site[1]]
        if next(view.around(call.block, "except"), None) is not None:
            return True
        if _SET_UP.match(call.func.rpartition(".")[2]) or only_first_time(call, view):
            return True
    return False


def remembers(call: Call, where: Where) -> bool:
    """Tell whether the function returns something it has kept before it gets to ``call``."""
    blocks = where.file.blocks
    function = blocks[call.block].function
    return any(
        jump.kind == "return"
        and jump.place[0] < call.place[0]
        and blocks[jump.block].function == function
        and jump.value is not None
        and (_is_kept(jump.value) or _is_looked_up(jump.value, call, where))
        for jump in where.file.jumps
    )


def _is_looked_up(value: Value, call: Call, where: Where) -> bool:
    """Tell whether a local was taken out of something that outlives the function."""
    blocks = where.file.blocks
    for assign in where.file.assigns:
        here = blocks[assign.block].function == blocks[call.block].function
        if not here or assign.target != value.ref or assign.order > call.number:
            continue
        made = where.call_of(assign.value)
        holder, _, verb = made.func.rpartition(".") if made is not None else ("", "", "")
        if verb == "get" and holder and _is_kept(Value("ref", holder)):
            return True
        if assign.value.ref.endswith(".[]") and _is_kept(assign.value):
            return assign.value.ref.startswith(("self.", "cls.", "_"))
    return False


def _is_kept(value: Value) -> bool:
    last = value.ref.rpartition(".")[2]
    return value.kind == "ref" and (
        value.ref.startswith(("self.", "cls.", "_")) or "[]" in value.ref or last.isupper()
    )


def way_to(call: Call, where: Where, heat: Heat) -> tuple[TraceStep, ...]:
    """Return the steps from the loop or handler that drives ``call`` to the call itself."""
    if not heat.via:
        return ()
    steps = [where.step(site) for site in heat.via]
    return (*steps, where.step((where.index, call.number)))
