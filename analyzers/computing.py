"""Calls that compute for long: hashing, images, models, serialising a whole state."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.model import Confidence
from perfscan.analyzers.project import FunctionId, Program
from perfscan.analyzers.sites import SiteId
from perfscan.analyzers.survey import survey

_DEPTH = 3
"""Calls between a coroutine and the computing; further away, whether it comes to it is a guess."""


class Computing(NamedTuple):
    """One call that keeps a processor busy."""

    site: SiteId
    function: int
    what: str
    """The library function, for people."""
    confidence: Confidence
    kind: str
    """``heavy`` by design, ``state`` as large as what the bot holds, ``document`` mostly small."""


class Way(NamedTuple):
    """How a synchronous function comes to a call that computes for long."""

    computing: Computing
    path: tuple[SiteId, ...]
    """From the function down to the call itself."""


def computing(call: Call, where: Where) -> Computing | None:
    """Return what a call computes for long, None for all others."""
    site = where.site(call)
    if not site.things or site.confidence is Confidence.POSSIBLE:
        return None
    kind = _kind(call, where)
    if not kind:
        return None
    readable = site.effect.readable if site.effect is not None else where.path(call)
    function = where.block(call.block).function
    return Computing((where.index, call.number), function, readable, site.confidence, kind)


def _kind(call: Call, where: Where) -> str:
    effect, roles = where.effect(call), where.roles(call)
    if "computing_state" in roles:
        to_file = call.func.rpartition(".")[2] in {"load", "dump"}
        return "state" if to_file or (call.args and _is_state(call.args[0])) else ""
    if "computing_document" in roles:
        return "document"
    if "computing_brief" in roles:
        return ""
    return "heavy" if effect is not None and effect.cost == "cpu" and not effect.is_async else ""


def _is_state(value: Value) -> bool:
    """Tell whether a value is something that the bot holds for long, rather than one message."""
    owner, _, name = value.ref.rpartition(".")
    return value.kind == "ref" and (owner in {"self", "cls"} or name.isupper())


def way_to_computing(function: FunctionId, where: Where) -> Way | None:
    """Return how a synchronous scanned function comes to computing, None when it does not."""
    return where.program.once(_ways).get(function)


def _together(parts: Sequence[Sequence[Computing]]) -> Sequence[Computing]:
    return [one for part in parts for one in part]


@survey(_together)
def _all_computing(where: Where) -> tuple[Computing, ...]:
    found = [computing(call, where) for call in where.file.calls]
    return tuple([one for one in found if one is not None and one.kind != "document"])


def _ways(program: Program) -> Mapping[FunctionId, Way]:
    """Climb from each such call to the functions that lead there, the nearest call first."""
    if not program.paths:
        return {}
    found: dict[FunctionId, Way] = {}
    queue = deque(
        ((one.site[0], one.function), Way(one, (one.site,)))
        for one in _all_computing(Where(program, 0))
    )
    while queue:
        function, way = queue.popleft()
        if function[1] < 0 or function in found or function in program.asynchronous:
            continue
        found[function] = way
        if len(way.path) < _DEPTH:
            for site in program.callers.get(function, ()):
                queue.append((program.function_of(site), Way(way.computing, (site, *way.path))))
    return found
