"""PS508: a remote call made directly although the program has a cache in front of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Function, Value
from perfscan.analyzers.keeping import bound_to, is_cached, remembers
from perfscan.analyzers.model import Confidence, Severity, TraceStep
from perfscan.analyzers.network_reads import is_ordered
from perfscan.analyzers.project import FunctionId, Site
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.survey import survey

_RENEWING = re.compile(
    r"refresh|reload|renew|updat|forc|invalidat|warm|fresh|init|load|sync|preload|verif|confirm"
    r"|reconcil|recover|login|test|check_connection|__",
    re.IGNORECASE,
)
"""Functions that go past the cache because they are to bring it up to date."""

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


class _Accessor(NamedTuple):
    """A function that answers from a cache and asks only when it has to."""

    function: FunctionId
    name: str
    line: int


@rule("PS508", "bypassed-cache", Severity.MEDIUM, on=Call)
def bypassed_cache(call: Call, where: Where) -> Iterator[Hit]:
    """Report remote reads that go past a cache which the program has for them.

    What it does:
        Finds functions that keep the answers of a remote call (a decorator, or a dictionary that
        they look into first) and other code, in loops and handlers, that makes the same call
        without them: the same scanned function, or the same method of a client. Also a branch of
        such a function that asks again and throws the fresh answer away.

    Why it costs a bot:
        The cache is there, was paid for, and does not help: each direct call is a round trip more
        and counts against the rate limit, and the hit rate that the bot reports says nothing.

    Example:
        import time
        import requests

        class Orders:
            def __init__(self):
                self.known = {}

            def fetch_orders(self, symbol):
                return requests.get(f"https://api.example.org/{symbol}", timeout=5).json()

            def orders(self, symbol):
                if symbol in self.known:
                    return self.known[symbol]
                self.known[symbol] = self.fetch_orders(symbol)
                return self.known[symbol]

            def track(self, symbol):
                while True:
                    print(self.fetch_orders(symbol))
                    time.sleep(5)

    Use instead:
        import time
        import requests

        class Orders:
            def __init__(self):
                self.known = {}

            def fetch_orders(self, symbol):
                return requests.get(f"https://api.example.org/{symbol}", timeout=5).json()

            def orders(self, symbol):
                if symbol in self.known:
                    return self.known[symbol]
                self.known[symbol] = self.fetch_orders(symbol)
                return self.known[symbol]

            def track(self, symbol):
                while True:
                    print(self.orders(symbol))
                    time.sleep(5)

    When it is fine:
        Where the answer has to be of this moment (before an order is placed), and in code that
        brings the cache up to date.
    """
    verb = call.func.rpartition(".")[2]
    function = where.function(call.block)
    if function is None or call.use == "statement" or is_ordered(verb):
        return
    if _RENEWING.search(function.name):
        return
    accessor = _in_front_of(call, where)
    if accessor is None or where.hot(call.block) is None:
        return
    if any("." in target for target in bound_to(call, where)):
        return  # it is kept here, in another place
    here = (where.index, function.number)
    if accessor.function == here:
        if _goes_past_own(call, function, where):
            yield _past_own(call, function, where)
        return
    if _accessors_of(function, where) or _serves_only(here, accessor, where):
        return
    path = where.program.files[accessor.function[0]].path
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{verb}() asks the server although {accessor.name}() ({path}:{accessor.line}) keeps "
            "its answers"
        ),
        fix=f"Ask {accessor.name}() here, with a shorter time to live where that is too old.",
        confidence=Confidence.PROBABLE,
        trace=(TraceStep(path, accessor.line, where.symbol(*_start(accessor, where))),),
    )


def _goes_past_own(call: Call, function: Function, where: Where) -> bool:
    """Tell whether a function with a cache asks for the same thing elsewhere, and forgets it."""
    if _stores(call, function, where) or next(where.around(call.block, "except"), None):
        return False
    tests = [block.value for block in where.around(call.block, "if") if block.value is not None]
    if not tests or any(_RENEWING.search(word) for test in tests for word in _said(test)):
        return False
    blocks = where.file.blocks
    return any(
        other.number != call.number
        and (other.func, other.args, other.keywords) == (call.func, call.args, call.keywords)
        and blocks[other.block].function == function.number
        and _stores(other, function, where)
        for other in where.file.calls
    )


def _said(value: Value) -> Iterator[str]:
    """Yield the words of a condition: names, attributes, texts."""
    yield from (value.ref, str(value.const))
    for item in value.items:
        yield from _said(item)


def _past_own(call: Call, function: Function, where: Where) -> Hit:
    verb = call.func.rpartition(".")[2]
    return Hit(
        call.place,
        call.block,
        message=(
            f"{verb}() asks the server past the cache that {function.qualname}() keeps, "
            "and the fresh answer is not kept either"
        ),
        fix="Put this answer into the cache, and look there first with a shorter time to live.",
        confidence=Confidence.PROBABLE,
    )


def _start(accessor: _Accessor, where: Where) -> tuple[int, int]:
    facts = where.program.function(accessor.function)
    return accessor.function[0], facts.block if facts is not None else 0


def _in_front_of(call: Call, where: Where) -> _Accessor | None:
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


def _serves_only(function: FunctionId, accessor: _Accessor, where: Where) -> bool:
    """Tell whether only the cache calls a function: then it is a part of the way to the server."""
    program = where.program
    callers = [program.function_of(site) for site in program.callers.get(function, ())]
    return bool(callers) and all(caller == accessor.function for caller in callers)


# What keeps answers.


def _first_of_each(parts: Sequence[Sequence[tuple[_Key, _Accessor]]]) -> Mapping[_Key, _Accessor]:
    found: dict[_Key, _Accessor] = {}
    for part in parts:
        for key, accessor in part:
            found.setdefault(key, accessor)
    return found


@survey(_first_of_each)
def _accessors(where: Where) -> tuple[tuple[_Key, _Accessor], ...]:
    """Return what a file keeps the answers of, and where."""
    return tuple([pair for f in where.file.functions for pair in _accessors_of(f, where)])


def _accessors_of(function: Function, where: Where) -> list[tuple[_Key, _Accessor]]:
    """Return the remote calls whose answers one function keeps."""
    here = (where.index, function.number)
    decorated = bool(function.decorators) and is_cached(here, where)
    accessor = _Accessor(here, function.qualname, function.place[0])
    return [
        (key, accessor)
        for site in where.program.sites_of(here)
        for key in _asked(site.call, where)
        if (
            _returns(site.call, function, where)
            if decorated
            else _stores(site.call, function, where) and remembers(site.call, where)
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


def _stores(call: Call, function: Function, where: Where) -> bool:
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
