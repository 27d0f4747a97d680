"""Coroutines made from data: what starts them, over which items, what they do, what holds back."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Value
from perfscan.analyzers.project import FunctionId, Site
from perfscan.analyzers.things import Thing, Things

Work = Literal["network", "unknown", "none"]
"""Whether each coroutine goes to a server: surely, perhaps, or as far as can be seen not."""

TOGETHER = frozenset(
    {"asyncio.gather", "asyncio.wait", "asyncio.as_completed", "asyncio.staggered_race"}
)
_GATHERERS = frozenset({path.rpartition(".")[2] for path in TOGETHER})
_GROUPS = frozenset(
    {
        "asyncio.TaskGroup().create_task",
        "anyio.create_task_group().start_soon",
        "trio.open_nursery().start_soon",
    }
)
_STARTERS = frozenset({"create_task", "ensure_future", "start_soon"})
_LIMITS = re.compile(
    r"asyncio\.(Bounded)?Semaphore\(\)|asyncio\.Lock\(\)|aiolimiter\..*|anyio\.(CapacityLimiter|"
    r"Semaphore)\(\)|asyncio_throttle\..*|limiter\..*|pyrate_limiter\..*"
)
_LIMIT_NAMES = re.compile(
    r"(^|_)(sem|semaphore|limit|limiter|throttle|throttler|slots?|gate)s?($|_)"
)
_HARMLESS = frozenset({"asyncio.sleep", "asyncio.to_thread"})
"""What starts no I/O of its own, or queues for the few threads of the default executor."""

_DEPTH = 3


class Crowd(NamedTuple):
    """Coroutines made from data."""

    iterable: Value
    outside: int
    """The block in which the iterable stands."""
    func: str
    """The reference that is called for each item."""
    things: Things
    """What that may be."""
    names: tuple[str, ...]
    """The names that each call reads."""

    @property
    def functions(self) -> list[FunctionId]:
        """The scanned functions that are started."""
        return [(t.file, t.number) for t in self.things if t.kind == "function"]


def _crowd(loop: Block, started: Call, where: Where) -> Crowd | None:
    if loop.value is None:
        return None
    things = where.site(started).things
    return Crowd(loop.value, loop.parent, started.func, things, started.names)


def _mapped(value: Value, where: Where) -> Crowd | None:
    """Return what ``map(function, items)`` starts."""
    made = where.call_of(value)
    if made is None or made.func != "map" or len(made.args) < 2:
        return None
    function, items = made.args[0], made.args[1]
    things = where.things(function, made.block, made.number)
    return Crowd(items, made.block, function.ref, things, made.names)


def spawns(call: Call, where: Where) -> bool:
    """Tell whether a call starts a coroutine as a task."""
    if call.func.rpartition(".")[2] not in _STARTERS:
        return False
    return where.path(call) in _GROUPS or "spawn" in where.roles(call)


def crowd_of(call: Call, where: Where) -> Crowd | None:
    """Return the coroutines that a call starts side by side, one for each item of something."""
    if call.func.rpartition(".")[2] in _GATHERERS and where.path(call) in TOGETHER:
        return _gathered(call, where)
    return _spawned(call, where) if spawns(call, where) else None


def _gathered(call: Call, where: Where) -> Crowd | None:
    """Return what a ``gather(*...)`` collects, when that is made from data right here."""
    for argument in call.args:
        value = argument.items[0] if argument.kind == "star" else argument
        if argument.kind == "star" or where.path(call) != "asyncio.gather":
            crowd = _collected(value, call, where)
            if crowd is not None:
                return crowd
    return None


def _collected(value: Value, call: Call, where: Where) -> Crowd | None:
    if value.kind == "comp":
        started = where.call_of(value.items[0])
        if started is None or spawns(started, where):
            return None  # the task is reported where it is created
        return _crowd(where.block(value.block), started, where)
    if value.kind != "ref" or "." in value.ref:
        return None
    if value.ref.startswith("@"):
        return _mapped(value, where)
    return _listed(value.ref, call, where)


def _listed(name: str, call: Call, where: Where) -> Crowd | None:
    """Find how the list ``name`` was filled: by a comprehension or by append in a loop."""
    function = where.file.blocks[call.block].function
    for assign in where.file.assigns:
        home = where.file.blocks[assign.block].function
        if assign.target == name and home == function and assign.value.kind == "comp":
            return _collected(assign.value, call, where)
    for other in where.file.calls:
        home = where.file.blocks[other.block].function
        if other.func == f"{name}.append" and home == function and other.args:
            started = where.call_of(other.args[0])
            loop = next(iter(where.around(other.block, "for", "while")), None)
            if started is None or loop is None or loop.kind == "while":
                continue
            if not spawns(started, where):
                return _crowd(loop, started, where)
    return None


def _spawned(call: Call, where: Where) -> Crowd | None:
    """Return the loop over data in which a task is created."""
    loop = next(iter(where.loops(call.block)), None)
    if loop is None or loop.kind == "while" or loop.is_async or _leaves(call, where):
        return None
    started = where.call_of(call.args[0]) if call.args else None
    return _crowd(loop, started, where) if started is not None else None


def _leaves(call: Call, where: Where) -> bool:
    """Tell whether the loop ends with the turn that starts the task."""
    return any(
        jump.block == call.block and jump.kind in {"break", "return"} and jump.place > call.place
        for jump in where.file.jumps
    )


def work_of(crowd: Crowd, where: Where) -> Work:
    """Return whether each coroutine goes to a server, by the worst of what it may be."""
    found = {_work(thing, where) for thing in crowd.things} or {"unknown"}
    return "network" if "network" in found else "unknown" if "unknown" in found else "none"


def _work(thing: Thing, where: Where) -> Work:
    if thing.kind == "external":
        effect = where.knowledge.effect(thing.path)
        if effect is None:
            return "unknown"
        return "network" if effect.cost == "network" else "none"
    function = (thing.file, thing.number)
    if function in where.program.awaited_io or function in where.program.blocking:
        return "network"
    sites = where.program.sites_of(function) if thing.kind == "function" else []
    return "unknown" if any(map(_awaits_unknown, sites)) else "none"


def _awaits_unknown(site: Site) -> bool:
    own = bool(site.targets) or any(thing.path.startswith("asyncio.") for thing in site.things)
    return site.call.awaited and site.effect is None and not own


def starts_later(crowd: Crowd, where: Where) -> bool:
    """Tell whether each coroutine first sleeps for a time of its own: they come one by one."""
    for function in crowd.functions:
        awaited = [site for site in where.program.sites_of(function) if site.call.awaited]
        first = awaited[0] if awaited else None
        if first is None or not any("sleep" in where.knowledge.roles(t.path) for t in first.things):
            return False
        if not first.call.args or first.call.args[0].kind == "const":
            return False
    return bool(crowd.functions)


def is_limited(crowd: Crowd, where: Where) -> bool:
    """Tell whether a limiter is in sight: in what is started, below it, or handed to it."""
    if any(_LIMIT_NAMES.search(name.lower()) for name in crowd.names):
        return True
    if any(_LIMIT_NAMES.search(part) for part in crowd.func.lower().split(".")):
        return True
    if any(thing.path in _HARMLESS for thing in crowd.things):
        return True
    return any(
        _holds_back(target, where, _DEPTH) or _only_in_threads(target, where)
        for target in crowd.functions
    )


def _only_in_threads(function: FunctionId, where: Where) -> bool:
    """Tell whether a coroutine does its work in an executor, whose threads are few."""
    if function in where.program.awaited_io:
        return False
    return any(
        site.call.awaited
        and (site.call.func.endswith("run_in_executor") or site.call.func.endswith("to_thread"))
        for site in where.program.sites_of(function)
    )


def _holds_back(function: FunctionId, where: Where, depth: int) -> bool:
    view = where.sibling(function[0])
    body = view.file.functions[function[1]].block
    blocks = [view.block(number) for number in view.below(body)]
    if any(b.kind == "with" and b.is_async and _is_limiter(b, view) for b in blocks):
        return True
    for site in where.program.sites_of(function):
        method = site.call.func.lower().rpartition(".")[2]
        if method in {"acquire", "throttle", "wait_for_token"}:
            return True
        if depth and any(_holds_back(t, where, depth - 1) for t in site.targets if t != function):
            return True
    return False


def _is_limiter(block: Block, view: Where) -> bool:
    if block.value is None:
        return False
    made = view.call_of(block.value)
    words = (made.func if made is not None else block.value.ref).lower().split(".")
    if any(_LIMIT_NAMES.search(word) for word in words):
        return True
    limits = [t.path for t in view.things(block.value, block.parent) if _LIMITS.match(t.path)]
    return any(path != "asyncio.Lock()" for path in limits) or (
        bool(limits) and not _is_keyed(block.value, block.parent, view)
    )


def _is_keyed(lock: Value, block: int, view: Where) -> bool:
    """Tell whether there is one lock for each key: that holds back no other key."""
    if "[]" in lock.ref:
        return True
    made = view.call_of(lock)
    if made is not None:
        return made.func.rpartition(".")[2] in {"setdefault", "get"}
    here = view.block(block).function
    return any(
        assign.target == lock.ref and _is_keyed(assign.value, assign.block, view)
        for assign in view.file.assigns
        if assign.op == "=" and view.block(assign.block).function == here
    )
