"""Which servers a piece of code asks, itself or through the scanned functions that it calls."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import LOOPS, Block, Call, FileFacts
from perfscan.analyzers.knowledge import Effect
from perfscan.analyzers.model import Confidence, TraceStep
from perfscan.analyzers.project import FunctionId, Site, SiteId

_DEPTH = 5
_MOST = 50
"""So many functions are looked through for a pause."""

_SERVERS = frozenset({"network", "socket", "database"})

_LIMITING = re.compile(
    r"limit(?!_order|s$|_price|ed$)|throttl|semaphore|bucket|quota|backoff|cooldown|rate_?gate",
    re.IGNORECASE,
)
"""What bots call the things that make a caller wait its turn."""


class Reach(NamedTuple):
    """A library call that a piece of code comes to."""

    sink: SiteId
    path: tuple[SiteId, ...]
    """The calls that lead there, the sink last."""
    repeated: bool
    """A loop over data below the start repeats it."""


def reaches(
    where: Where, starts: Iterable[Call], wanted: Callable[[Site], bool], depth: int = _DEPTH
) -> Iterator[Reach]:
    """Yield the wanted library calls at or below ``starts``, nearest first, each once.

    Failure paths are left out: what happens in an ``except`` is not the way of the work.
    """
    program = where.program
    seen: set[FunctionId] = set()
    queue: deque[tuple[SiteId, tuple[SiteId, ...], bool]] = deque(
        ((where.index, call.number), (), False) for call in starts
    )
    while queue:
        at, before, repeated = queue.popleft()
        site, path = program.site(at), (*before, at)
        if wanted(site):
            yield Reach(at, path, repeated)
        if len(path) > depth:
            continue
        for target in site.targets:
            if target in seen:
                continue
            seen.add(target)
            view = where if target[0] == where.index else where.sibling(target[0])
            for inner in program.sites_of(target):
                if next(view.around(inner.call.block, "except"), None) is None:
                    again = repeated or bool(_loops_over_data(view, inner.call.block))
                    queue.append(((inner.file, inner.call.number), path, again))


def _loops_over_data(view: Where, block: int) -> list[Block]:
    return [loop for loop in view.data_loops(block) if loop.kind != "while"]


def asks_server(site: Site) -> bool:
    """Tell whether a call is known to wait for a server."""
    effect = site.effect
    return (
        effect is not None
        and effect.cost in _SERVERS
        and site.confidence is not Confidence.POSSIBLE
    )


def is_stream(effect: Effect, where: Where) -> bool:
    """Tell whether a call belongs to a WebSocket or subscription: it is meant to wait."""
    if effect.library in where.knowledge.libraries_with("websocket_connect"):
        roles = where.knowledge.roles(effect.path)
        http = effect.library == "aiohttp" and "ClientWebSocketResponse" not in effect.path
        return not http or any(role.startswith("websocket_") for role in roles)
    return "PubSub" in effect.path


def steps(where: Where, reach: Reach) -> tuple[TraceStep, ...]:
    """Return the way to a call for people; nothing when it stands right there."""
    return tuple(where.step(site) for site in reach.path) if len(reach.path) > 1 else ()


# What makes a caller wait its turn.


def pauses(call: Call, where: Where) -> bool:
    """Tell whether a call sleeps or waits for a limiter, itself or in what it calls."""
    if is_pause(call, where.roles(call)):
        return True
    seen: set[FunctionId] = set()
    return any(_pauses_below(target, where, seen) for target in where.targets(call))


def _pauses_below(function: FunctionId, where: Where, seen: set[FunctionId]) -> bool:
    """Tell whether a scanned function sleeps or waits for a limiter when all goes well."""
    if function in seen or len(seen) > _MOST:
        return False
    seen.add(function)
    view = where.sibling(function[0])
    facts = where.program.function(function)
    if facts is not None and any(
        is_limiter(block, view)
        for block in map(view.block, view.below(facts.block))
        if block.kind == "with"
    ):
        return True
    calls = [site.call for site in where.program.sites_of(function)]
    usual = [call for call in calls if not _is_exceptional(view.file, call)]
    return any(is_pause(call, view.roles(call)) for call in usual) or any(
        _pauses_below(target, view, seen) for call in usual for target in view.targets(call)
    )


def is_pause(call: Call, roles: frozenset[str]) -> bool:
    """Tell whether a call itself sleeps (``sleep(0)`` does not) or asks a limiter."""
    if "sleep" in roles:
        return not (call.args and call.args[0].const == 0)
    receiver, _, method = call.func.rpartition(".")
    return _LIMITING.search(receiver.rpartition(".")[2]) is not None or (
        _LIMITING.search(method) is not None and not method[:1].isupper()
    )


def is_limiter(block: Block, where: Where) -> bool:
    """Tell whether a ``with`` waits for a limiter: ``async with self.throttle:``."""
    value = block.value
    if value is None:
        return False
    call = where.call_of(value)
    name = call.func if call is not None else value.ref
    return any(_LIMITING.search(part) for part in name.split("."))


def _is_exceptional(facts: FileFacts, call: Call) -> bool:
    """Tell whether a call is left out when all goes well: a handler, or a loop left before it."""
    blocks, block = facts.blocks, call.block
    while block >= 0 and blocks[block].kind not in {"function", "module", "class"}:
        if blocks[block].kind == "except":
            return True
        if blocks[block].kind in LOOPS and _is_left_before(facts, block, call):
            return True
        block = blocks[block].parent
    return False


def _is_left_before(facts: FileFacts, loop: int, call: Call) -> bool:
    """Tell whether a loop returns its result above the call: what follows is for another try."""
    start, end = facts.blocks[loop].place[0], call.place[0]
    return any(
        jump.kind == "return"
        and start < jump.place[0] < end
        and facts.blocks[jump.block].kind != "except"
        and facts.blocks[jump.block].function == facts.blocks[loop].function
        for jump in facts.jumps
    )
