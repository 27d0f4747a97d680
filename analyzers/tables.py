"""The tables of the whole program, each worked out from what every file adds to it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from perfscan.analyzers.blocking import find_awaited_io, find_blocking
from perfscan.analyzers.heat import BlockId, Heat, spread_heat
from perfscan.analyzers.links import Edge, Links
from perfscan.analyzers.sites import FunctionId, SiteId
from perfscan.analyzers.startup import find_early
from perfscan.analyzers.targets import Implicit
from perfscan.analyzers.tracing import WHOLE

Tables = Mapping[str, Mapping[Any, Any]]
"""Tables by name."""

ClassId = tuple[int, int]
_MAX_CHILDREN = 20


class Bases(NamedTuple):
    """A class with its methods and the scanned classes that it derives from."""

    cls: ClassId
    above: tuple[ClassId, ...]
    methods: tuple[str, ...]


def tables_of_bases(parts: Sequence[Sequence[Bases]]) -> Tables:
    """Return, by class and method name, the first classes below that have such a method."""
    children: dict[tuple[ClassId, str], list[ClassId]] = defaultdict(list)
    for part in parts:
        for cls, above, methods in part:
            for base in above:
                for name in ("", *methods):
                    if len(children[base, name]) < _MAX_CHILDREN:
                        children[base, name].append(cls)
    return {"children": children}


def tables_of_calls(parts: Sequence[Sequence[tuple[int, tuple[FunctionId, ...]]]]) -> Tables:
    """Return the direct callers of each function: calls whose callee needs no look at arguments."""
    callers: dict[FunctionId, list[SiteId]] = defaultdict(list)
    for file, part in enumerate(parts):
        for number, targets in part:
            for target in targets:
                callers[target].append((file, number))
    return {"direct_callers": callers}


def tables_of_implicit(parts: Sequence[Links]) -> Tables:
    """Return what blocks and may run without a call, so that its uses are looked for."""
    _, incoming = _by_ends(edge for part in parts for edge in part.edges)
    asynchronous = {(f, n) for f, part in enumerate(parts) for n in part.asynchronous}
    blocking = set(find_blocking((s for part in parts for s in part.sinks), incoming, asynchronous))
    functions = {(f, one.number): one for f, part in enumerate(parts) for one in part.implicit}
    fresh = blocking
    while fresh:
        names = {functions[f].name for f in fresh if f in functions and functions[f].is_property}
        readers = {f for f, one in functions.items() if not names.isdisjoint(one.reads)}
        fresh = _callers_of(readers - blocking, incoming, asynchronous) - blocking
        blocking |= fresh
    found = {f: functions[f] for f in sorted(blocking) if f in functions}
    methods = {f: one for f, one in found.items() if not one.is_property}
    return {
        "implicit": {
            WHOLE: Implicit(
                frozenset(one.name for one in found.values() if one.is_property),
                frozenset(methods),
                frozenset(one.name for one in methods.values()),
            )
        }
    }


def _callers_of(
    functions: set[FunctionId],
    incoming: Mapping[FunctionId, Sequence[Edge]],
    asynchronous: set[FunctionId],
) -> set[FunctionId]:
    """Return functions and, at any distance, the synchronous ones that call them."""
    found = {function for function in functions if function not in asynchronous}
    queue = deque(found)
    while queue:
        for edge in incoming.get(queue.popleft(), ()):
            caller = edge.caller
            if caller[1] >= 0 and caller not in found and caller not in asynchronous:
                found.add(caller)
                queue.append(caller)
    return found


def tables_of_links(parts: Sequence[Links]) -> Tables:
    """Return who calls, runs, heats and blocks each function."""
    edges = [edge for part in parts for edge in part.edges]
    outgoing, incoming = _by_ends(edges)
    running, run = _by_ends([*edges, *(use for part in parts for use in part.uses)])
    loops, looping = _loops(parts)
    registrations: dict[FunctionId, list[Any]] = defaultdict(list)
    for part in parts:
        for entry, _, _ in part.registrations:
            registrations[entry.function].append(entry)
    asynchronous = {(f, n): True for f, part in enumerate(parts) for n in part.asynchronous}
    sinks = (sink for part in parts for sink in part.sinks)
    awaited = (sink for part in parts for sink in part.awaited)
    coroutines = {(f, n) for f, part in enumerate(parts) for n in part.coroutines}
    hot = spread_heat(parts, loops, outgoing)
    return {
        "uses": {file: part.uses for file, part in enumerate(parts) if part.uses},
        "incoming": incoming,
        "callers": {function: [e.site for e in calls] for function, calls in incoming.items()},
        "registrations": registrations,
        "asynchronous": asynchronous,
        "blocking": find_blocking(sinks, run, asynchronous),
        "awaited_io": find_awaited_io(awaited, incoming),
        "loop_parents": _spread(_on_loop(parts, registrations), running, asynchronous),
        "thread_parents": _spread(_offloaded(coroutines, registrations), running, asynchronous),
        "loops": loops,
        "looping": looping,
        "hot": hot,
        "hot_files": {file: True for file, _ in (*hot, *loops)},
        "early": dict.fromkeys(find_early(incoming, outgoing, looping, registrations), True),
        "spawns": {(f, n): call for f, part in enumerate(parts) for n, call in part.spawns},
    }


def _by_ends(
    edges: Iterable[Edge],
) -> tuple[dict[FunctionId, list[Edge]], dict[FunctionId, list[Edge]]]:
    """Return the edges by the function that calls, and by the functions that are called."""
    outgoing: dict[FunctionId, list[Edge]] = defaultdict(list)
    incoming: dict[FunctionId, list[Edge]] = defaultdict(list)
    for edge in edges:
        outgoing[edge.caller].append(edge)
        for target in edge.targets:
            incoming[target].append(edge)
    return outgoing, incoming


def _loops(parts: Sequence[Links]) -> tuple[dict[BlockId, Heat], dict[FunctionId, int]]:
    loops: dict[BlockId, Heat] = {}
    looping: dict[FunctionId, int] = {}
    for file, part in enumerate(parts):
        for function, heat in part.loops:
            loops[file, heat.block] = heat
            looping.setdefault((file, function), heat.line)
    return loops, looping


def _on_loop(
    parts: Sequence[Links], registrations: Mapping[FunctionId, Sequence[Any]]
) -> Iterator[FunctionId]:
    for file, part in enumerate(parts):
        for number in part.coroutines:
            yield (file, number)
    for function, entries in registrations.items():
        if any(entry.callback.runs == "loop" for entry in entries):
            yield function


def _offloaded(
    coroutines: set[FunctionId], registrations: Mapping[FunctionId, Sequence[Any]]
) -> Iterator[FunctionId]:
    for function, entries in registrations.items():
        offloaded = any(entry.callback.runs in {"thread", "process", "single"} for entry in entries)
        if offloaded and function[1] >= 0 and function not in coroutines:
            yield function


def _spread(
    roots: Iterable[FunctionId],
    outgoing: Mapping[FunctionId, Sequence[Edge]],
    asynchronous: Mapping[FunctionId, bool],
) -> dict[FunctionId, SiteId | None]:
    """Follow synchronous calls from ``roots``; the value is the call that leads there."""
    parents: dict[FunctionId, SiteId | None] = dict.fromkeys(roots)
    queue = deque(parents)
    while queue:
        for edge in outgoing.get(queue.popleft(), ()):
            for target in edge.targets:
                if target not in parents and target not in asynchronous:
                    parents[target] = edge.site
                    queue.append(target)
    return parents
