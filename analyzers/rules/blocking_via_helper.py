"""PS104: a synchronous helper that blocks, called on the event loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from perfscan.analyzers.blocking import Blocking
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Confidence, Severity, TraceStep
from perfscan.analyzers.project import FunctionId, Program, SiteId
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.survey import survey

_SEVERITY = {
    "network": Severity.CRITICAL,
    "sleep": Severity.CRITICAL,
    "subprocess": Severity.HIGH,
    "socket": Severity.HIGH,
    "database": Severity.HIGH,
}


_FAR = 5
"""Calls between coroutine and blocking call from which on it is less sure that all are taken."""

_MOST = 10
"""Findings for one blocking call; the nearest ones are shown and the others counted."""


class _Way(NamedTuple):
    """A call on the event loop, and the helper that it runs."""

    depth: int
    file: int
    call: Call
    helper: FunctionId
    blocking: Blocking


@rule("PS104", "blocking-via-helper", Severity.CRITICAL, on=Program)
def blocking_via_helper(program: Program, where: Where) -> Iterator[Hit]:
    """Report a call, on the event loop, of a synchronous function that blocks somewhere below.

    What it does:
        Follows synchronous functions through any number of calls and files down to the network
        call, sleep, query or process that blocks. It reports the call inside the coroutine and
        prints the way from there.

    Why it costs a bot:
        The coroutine looks harmless, yet the event loop stands still for as long as the call at
        the end of the chain takes. Reviews miss it because nothing blocking is in sight.

    Example:
        import requests

        def fetch():
            return requests.get("https://api.example.org", timeout=5)

        async def tick():
            return fetch()

    Use instead:
        import asyncio
        import requests

        def fetch():
            return requests.get("https://api.example.org", timeout=5)

        async def tick():
            return await asyncio.to_thread(fetch)

    When it is fine:
        When the helper only runs before the event loop starts, or in a worker thread.
    """
    ways: dict[SiteId, list[_Way]] = {}
    for way in _ways(where):
        ways.setdefault(way.blocking.sink, []).append(way)
    for crowd in ways.values():
        crowd.sort(key=lambda way: (way.depth, way.file, way.call.number))
        for way in crowd[:_MOST]:
            yield _hit(way, where.sibling(way.file), len(crowd) - _MOST)


def _one_after_another(parts: Sequence[Sequence[_Way]]) -> Sequence[_Way]:
    return [way for part in parts for way in part]


@survey(_one_after_another)
def _ways(view: Where) -> tuple[_Way, ...]:
    """Return the calls of one file that block the event loop through a helper."""
    ways: list[_Way] = []
    for call in view.file.calls:
        targets = view.targets(call)
        if not targets or call.awaited or not view.on_loop(call.block):
            continue
        found = [
            _Way(blocking.depth, view.index, call, target, blocking)
            for target in targets
            if (blocking := view.blocking(target)) is not None
        ]
        if found:
            ways.append(min(found, key=lambda way: way.depth))
    return tuple(ways)


def _hit(way: _Way, where: Where, more: int) -> Hit:
    call, blocking = way.call, way.blocking
    helper = where.program.function(way.helper)
    name = helper.qualname if helper else "the helper"
    chain = where.chain(way.helper)
    sink = chain[-1]
    here = TraceStep(where.file.path, call.place[0], where.symbol(where.index, call.block))
    others = f"; {more} more calls on the event loop lead there" if more > 0 else ""
    sure = blocking.confidence is Confidence.DEFINITE and blocking.depth < _FAR
    return Hit(
        call.place,
        call.block,
        message=(
            f"{name}() blocks the event loop: it leads to {blocking.effect.readable}() "
            f"at {sink.path}:{sink.line}{others}"
        ),
        fix=f"Call it as await asyncio.to_thread({name.rpartition('.')[2]}, ...) or make it async.",
        severity=where.weight(call, _SEVERITY[blocking.effect.cost]),
        confidence=Confidence.DEFINITE if sure else Confidence.PROBABLE,
        trace=(here, *chain),
        file=way.file,
    )
