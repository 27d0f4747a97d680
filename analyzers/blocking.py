"""What blocks below a function, and which coroutine reaches the network."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from perfscan.analyzers.knowledge import Effect
from perfscan.analyzers.model import Confidence
from perfscan.analyzers.sites import FunctionId, Site, SiteId

if TYPE_CHECKING:
    from perfscan.analyzers.links import Edge, Sink

COST_RANK = {"network": 0, "sleep": 1, "subprocess": 2, "socket": 3, "database": 4}
"""What blocks long enough to be followed through helpers, worst first."""

Incoming = Mapping[FunctionId, Sequence["Edge"]]
"""The calls of each function."""


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
    return site.effect is not None and is_blocking(site.effect, site.confidence)


def is_blocking(effect: Effect, confidence: Confidence) -> bool:
    """Tell whether what has this effect blocks its thread for long."""
    return (
        not effect.is_async
        and effect.cost in COST_RANK
        and confidence is not Confidence.POSSIBLE
        # Raw sockets are often set to non-blocking somewhere else.
        and not (effect.cost == "socket" and effect.on_instance)
    )


def is_awaited_io(site: Site) -> bool:
    """Tell whether the call itself awaits the network."""
    effect = site.effect
    return effect is not None and effect.is_async and effect.cost == "network"


def find_blocking(
    sinks: Iterable[Sink], incoming: Incoming, asynchronous: Container[FunctionId]
) -> dict[FunctionId, Blocking]:
    """Find, for each synchronous function, the worst blocking call in or below it."""
    by_site = {sink.site: sink for sink in sinks}
    queue: list[tuple[int, int, SiteId, SiteId, FunctionId]] = [
        (COST_RANK[sink.effect.cost], 0, site, site, (site[0], sink.function))
        for site, sink in by_site.items()
    ]
    heapq.heapify(queue)
    found: dict[FunctionId, Blocking] = {}
    while queue:
        rank, depth, site, step, function = heapq.heappop(queue)
        if function in found or function[1] < 0 or function in asynchronous:
            continue
        sink = by_site[site]
        found[function] = Blocking(sink.effect, sink.confidence, site, step, depth)
        for edge in incoming.get(function, ()):
            # Whoever hands a function over runs it (targets.py), not everyone who calls there.
            if edge.caller not in found and not edge.stored:
                heapq.heappush(queue, (rank, depth + 1, site, edge.site, edge.caller))
    return found


def find_awaited_io(awaited: Iterable[Sink], incoming: Incoming) -> dict[FunctionId, AwaitedIO]:
    """Find, for each coroutine, the nearest awaited network call in or below it."""
    found: dict[FunctionId, AwaitedIO] = {}
    queue = deque([((sink.site[0], sink.function), AwaitedIO(sink.site, 0)) for sink in awaited])
    while queue:
        function, io = queue.popleft()
        if function[1] >= 0 and function not in found:
            found[function] = io
            above = AwaitedIO(io.sink, io.depth + 1)
            queue.extend((edge.caller, above) for edge in incoming.get(function, ()))
    return found
