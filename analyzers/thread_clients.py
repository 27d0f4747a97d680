"""Clients that many threads share, and how many connections such a client keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Call
from perfscan.analyzers.keeping import bound_to
from perfscan.analyzers.literals import number
from perfscan.analyzers.project import FunctionId, Site
from perfscan.analyzers.remote import reaches
from perfscan.analyzers.survey import survey

CONNECTIONS = 10
"""requests keeps so many to a host: the default of its adapter for urllib3's pool."""

_EXECUTORS = {
    "concurrent.futures.ThreadPoolExecutor": "max_workers",
    "concurrent.futures.thread.ThreadPoolExecutor": "max_workers",
    "multiprocessing.pool.ThreadPool": "processes",
}
_HANDING = frozenset({"submit", "map", "imap", "imap_unordered", "starmap", "apply_async"})
_DEPTH = 3


class Crush(NamedTuple):
    """More threads than the connections of the clients that they share."""

    threads: float
    connections: int
    request: str
    """What all of them call, for people."""
    path: str
    line: int


def crush(call: Call, where: Where) -> Crush | None:
    """Return the shared clients that are too few for the threads of an executor."""
    keyword = _EXECUTORS.get(where.path(call))
    threads = number(where.argument(call, 0, keyword), where, call.block) if keyword else None
    if threads is None or threads <= CONNECTIONS or _mounts(where):
        return None
    for function in _handed_over(call, where):
        view = where.sibling(function[0])
        starts = [site.call for site in where.program.sites_of(function)]
        for reach in reaches(view, starts, lambda site: _is_pooled(site, where), _DEPTH):
            home = where.sibling(reach.sink[0])
            request = home.file.calls[reach.sink[1]]
            connections = _shared(request, home) * CONNECTIONS
            if 0 < connections < threads:
                effect = home.effect(request)
                name = effect.readable if effect is not None else request.func
                return Crush(threads, connections, name, home.file.path, request.line)
    return None


def _is_pooled(site: Site, where: Where) -> bool:
    """Tell whether a call goes through the pool of ten that requests keeps for a session."""
    return any(
        "ten_connections" in where.knowledge.roles(thing.path)
        for thing in site.things
        if thing.kind == "external"
    )


@survey(any)
def _mounts(where: Where) -> bool:
    """Tell whether any adapter is replaced: somebody has thought of the size."""
    return any(call.func.endswith(".mount") for call in where.file.calls)


def _handed_over(call: Call, where: Where) -> Iterator[FunctionId]:
    """Yield the scanned functions that the threads of an executor run."""
    names = set(bound_to(call, where))
    home = where.function(call.block)
    local = home is not None and not any("." in name for name in names)
    for other in where.calls_in(home.block) if home and local else where.file.calls:
        receiver, _, verb = other.func.rpartition(".")
        position = 0 if verb in _HANDING and receiver in names else -1
        if verb == "run_in_executor" and other.args and other.args[0].ref in names:
            position = 1
        if 0 <= position < len(other.args):
            for thing in where.things(other.args[position], other.block, other.number):
                if thing.kind == "function":
                    yield (thing.file, thing.number)


def _shared(call: Call, where: Where) -> int:
    """Return how many clients the threads share at a request; 0 when each thread makes its own."""
    reference = call.func.rpartition(".")[0]
    bound = _bound(reference, call, where)
    if bound is not None:
        reference = bound.value.ref
    base, _, rest = reference.partition(".")
    if base in {"self", "cls"} and rest:
        return _count(reference, call, where)
    function = where.function(call.block)
    local = function is None or base in {param.name for param in function.params}
    if not base or base[0] in "@$" or local or _bound(base, call, where) is not None:
        return 0
    return 1


def _bound(name: str, call: Call, where: Where) -> Assign | None:
    """Return what a local was last bound to in the function of the call."""
    blocks = where.file.blocks
    function = blocks[call.block].function
    found = [
        assign
        for assign in where.file.assigns
        if assign.target == name
        and blocks[assign.block].function == function
        and assign.order <= call.number
    ]
    return found[-1] if found else None


def _count(reference: str, call: Call, where: Where) -> int:
    """Return how many clients an attribute holds: one, or those of a written-down table."""
    holder = reference.removesuffix(".[]")
    cls = where.class_of(call.block)
    if holder == reference or cls is None:
        return 1
    attributes = where.program.names.scopes[where.index].attributes.get(cls.number, {})
    made = [assign.value for assign in attributes.get(holder.partition(".")[2], ())]
    sizes = [len(value.items) for value in made if value.kind in {"dict", "list", "tuple"}]
    return max(sizes, default=0)
