"""Functions that keep the answers of remote calls: caches, and what they stand in front of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Function, Value
from perfscan.analyzers.keeping import bound_to, is_cached, remembers
from perfscan.analyzers.model import Confidence
from perfscan.analyzers.project import FunctionId, Site
from perfscan.analyzers.survey import survey

_OFFLOADS = {"to_thread": 0, "run_in_executor": 1, "run_sync": 0}
_TELLING = re.compile(r"[a-z]+(_[a-z0-9]+)+|[a-z]+([A-Z][a-z0-9]+)+")
"""Names of two words or more; get, fetch and request could be anything."""

_WORDS = re.compile(r"[a-z]+|[A-Z][a-z]*")
_SAYING_NOTHING = frozenset(
    {
        "get", "fetch", "api", "request", "call", "cached", "cache", "all", "async", "read",
        "query", "do", "load", "find", "lookup", "from", "by", "for", "the", "data", "response",
        "responses", "result", "results", "info", "http", "rest", "json", "list", "safe", "try",
        "with", "retry",
    }
)  # fmt: skip

_Key = str | FunctionId
"""What is asked: a method of a library by its name, or a scanned function."""


class Accessor(NamedTuple):
    """A function that answers from a cache and asks only when it has to."""

    function: FunctionId
    name: str
    line: int


def in_front_of(call: Call, where: Where) -> Accessor | None:
    """Return the cache in front of what is called, None without one."""
    table = _accessors(where)
    if any(_has_own_cache(target, where) for target in where.targets(call)):
        return None
    for key in _keys(call.func, where.targets(call), _asks(call, where)):
        if key in table:
            return table[key]
    return None


def _has_own_cache(function: FunctionId, where: Where) -> bool:
    """Tell whether what is called keeps its answers itself, as far as its names tell."""
    facts = where.program.function(function)
    params = [param.name for param in facts.params] if facts is not None else []
    used = [site.call.func for site in where.program.sites_of(function)]
    return is_cached(function, where) or any("cache" in name.lower() for name in (*params, *used))


def _asks(call: Call, where: Where) -> bool:
    """Tell whether the call itself is a library's remote call."""
    effect = where.effect(call)
    known = effect is not None and effect.cost == "network" and effect.on_instance
    return known and where.confidence(call) is not Confidence.POSSIBLE


def _keys(func: str, targets: Sequence[FunctionId], remote: bool) -> list[_Key]:
    verb = func.rpartition(".")[2]
    named = remote and not targets and _TELLING.fullmatch(verb)
    return [*targets, verb] if named else [*targets]


# What keeps answers.


def _first_of_each(parts: Sequence[Sequence[tuple[_Key, Accessor]]]) -> Mapping[_Key, Accessor]:
    found: dict[_Key, Accessor] = {}
    for part in parts:
        for key, accessor in part:
            found.setdefault(key, accessor)
    return found


@survey(_first_of_each)
def _accessors(where: Where) -> tuple[tuple[_Key, Accessor], ...]:
    """Return what a file keeps the answers of, and where."""
    return tuple([pair for f in where.file.functions for pair in accessors_of(f, where)])


def accessors_of(function: Function, where: Where) -> list[tuple[_Key, Accessor]]:
    """Return the remote calls whose answers one function keeps."""
    here = (where.index, function.number)
    decorated = bool(function.decorators) and is_cached(here, where)
    accessor = Accessor(here, function.qualname, function.place[0])
    return [
        (key, accessor)
        for site in where.program.sites_of(here)
        for key in _asked(site.call, where)
        if (
            _returns(site.call, function, where)
            if decorated
            else stores(site.call, function, where) and remembers(site.call, where)
        )
        and _speaks_of_same(key, function, where)
    ]


def _speaks_of_same(key: _Key, function: Function, where: Where) -> bool:
    """Tell whether the cache and what it asks are of one class, or named for the same thing.

    What any request goes through is not: it is asked for all sorts of things.
    """
    if isinstance(key, str):
        return not _words(key).isdisjoint(_words(function.name))
    facts = where.program.function(key)
    if facts is None:
        return False
    if key[0] == where.index and facts.owner == function.owner >= 0 and not _words(facts.name):
        return not _words(function.name)  # fetch() and get() of one class
    return not _words(facts.name).isdisjoint(_words(function.name))


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORDS.findall(name)} - _SAYING_NOTHING


def _asked(call: Call, where: Where) -> list[_Key]:
    """Return what a call in front of a server asks, in a thread or not."""
    verb = call.func.rpartition(".")[2]
    if verb in _OFFLOADS and len(call.args) > _OFFLOADS[verb]:
        handed = call.args[_OFFLOADS[verb]]
        things = where.things(handed, call.block, call.number)
        targets = [(thing.file, thing.number) for thing in things if thing.kind == "function"]
        return _keys(handed.ref, targets, remote=not things or _is_remote(handed, call, where))
    targets = [target for target in where.targets(call) if _reaches_server(target, where)]
    return _keys(call.func, targets, _asks(call, where))


def _is_remote(handed: Value, call: Call, where: Where) -> bool:
    effect = where.knowledge.effect(where.value_path(handed, call.block, call.number))
    return effect is not None and effect.cost == "network"


def _reaches_server(function: FunctionId, where: Where) -> bool:
    blocking, awaited = where.blocking(function), where.program.awaited_io.get(function)
    if (blocking is not None and blocking.effect.cost == "network") or awaited is not None:
        return True
    # A coroutine that makes a blocking request itself is in neither table.
    facts, sites = where.program.function(function), where.program.sites_of(function)
    return facts is not None and facts.is_async and any(map(_is_request, sites))


def _is_request(site: Site) -> bool:
    return site.effect is not None and site.effect.cost == "network"


def _returns(call: Call, function: Function, where: Where) -> bool:
    """Tell whether the function returns the answer as it is: others may take it for the call."""
    names = {f"@{call.number}", *bound_to(call, where)}
    blocks = where.file.blocks
    return any(
        jump.kind == "return"
        and jump.value is not None
        and jump.value.ref in names
        and blocks[jump.block].function == function.number
        for jump in where.file.jumps
    )


def stores(call: Call, function: Function, where: Where) -> bool:
    """Tell whether the function puts the answer into something that outlives it."""
    names = {f"@{call.number}", *bound_to(call, where)}
    blocks = where.file.blocks
    return any(
        "." in assign.target
        and blocks[assign.block].function == function.number
        and not names.isdisjoint(_references(assign.value))
        for assign in where.file.assigns
    )


def _references(value: Value) -> Iterator[str]:
    yield value.ref
    for item in value.items:
        yield from _references(item)
