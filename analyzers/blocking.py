"""What blocks below a function, and which coroutine reaches the network."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from perfscan.analyzers.knowledge import Effect
from perfscan.analyzers.model import Confidence
from perfscan.analyzers.sites import FunctionId, Site, SiteId

if TYPE_CHECKING:
    from perfscan.analyzers.project import Program

COST_RANK = {"network": 0, "sleep": 1, "subprocess": 2, "socket": 3, "database": 4}
"""What blocks long enough to be followed through helpers, worst first."""


class Blocking(NamedTuple):
    """Why a synchronous function blocks: the worst call below it and the way there."""

    effect: Effect
    confidence: Confidence
    sink: SiteId
    """The library call that blocks."""
    step: SiteId
    """The call in this function that leads there; the sink itself when it stands here."""
    depth: int


class AwaitedIO(NamedTuple):
    """The awaited network call nearest to a coroutine, and how many calls away it is."""

    sink: SiteId
    depth: int


def is_sink(site: Site) -> bool:
    """Tell whether the call itself blocks its thread for long."""
    effect = site.effect
    return (
        effect is not None
        and not effect.is_async
        and effect.cost in COST_RANK
        and site.confidence is not Confidence.POSSIBLE
        # Raw sockets are often set to non-blocking somewhere else.
        and not (effect.cost == "socket" and effect.on_instance)
    )


def find_blocking(program: Program) -> dict[FunctionId, Blocking]:
    """Find, for each synchronous function, the worst blocking call in or below it."""
    queue: list[tuple[int, int, SiteId, SiteId, FunctionId]] = []
    for sites in program.sites:
        for site in sites:
            if is_sink(site) and site.effect is not None:
                at = (site.file, site.call.number)
                rank = COST_RANK[site.effect.cost]
                queue.append((rank, 0, at, at, program.function_of(site)))
    heapq.heapify(queue)
    found: dict[FunctionId, Blocking] = {}
    while queue:
        rank, depth, sink, step, function = heapq.heappop(queue)
        if function in found or function[1] < 0 or function in program.asynchronous:
            continue
        site = program.site(sink)
        if site.effect is None:
            continue
        found[function] = Blocking(site.effect, site.confidence, sink, step, depth)
        for caller in program.callers.get(function, ()):
            above = program.function_of(caller)
            if above not in found:
                heapq.heappush(queue, (rank, depth + 1, sink, caller, above))
    return found


def find_awaited_io(program: Program) -> dict[FunctionId, AwaitedIO]:
    """Find, for each coroutine, the nearest awaited network call in or below it."""
    found: dict[FunctionId, AwaitedIO] = {}
    queue: deque[tuple[FunctionId, AwaitedIO]] = deque()
    for sites in program.sites:
        for site in sites:
            effect = site.effect
            if effect is not None and effect.is_async and effect.cost == "network":
                at = (site.file, site.call.number)
                queue.append((program.function_of(at), AwaitedIO(at, 0)))
    while queue:
        function, io = queue.popleft()
        if function[1] >= 0 and function not in found:
            found[function] = io
            above = AwaitedIO(io.sink, io.depth + 1)
            queue.extend((program.function_of(c), above) for c in program.callers.get(function, ()))
    return found
