"""PS104: a synchronous helper that blocks, called on the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Severity, TraceStep
from perfscan.analyzers.project import Blocking, FunctionId
from perfscan.analyzers.registry import Hit, rule

_SEVERITY = {
    "network": Severity.CRITICAL,
    "sleep": Severity.CRITICAL,
    "subprocess": Severity.HIGH,
    "socket": Severity.HIGH,
    "database": Severity.HIGH,
}


@rule("PS104", "blocking-via-helper", Severity.CRITICAL, on=Call)
def blocking_via_helper(call: Call, where: Where) -> Iterator[Hit]:
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
    if not call.awaited and where.on_loop(call.block):
        found = _worst(call, where)
        if found is not None:
            target, blocking = found
            yield _hit(call, where, target, blocking)


def _worst(call: Call, where: Where) -> tuple[FunctionId, Blocking] | None:
    candidates = [
        (target, blocking)
        for target in where.targets(call)
        if (blocking := where.blocking(target)) is not None
    ]
    return min(candidates, key=lambda pair: pair[1].depth) if candidates else None


def _hit(call: Call, where: Where, target: FunctionId, blocking: Blocking) -> Hit:
    helper = where.program.function(target)
    name = helper.qualname if helper else "the helper"
    chain = where.chain(target)
    sink = chain[-1]
    here = TraceStep(where.file.path, call.place[0], where.symbol(where.index, call.block))
    return Hit(
        call.place,
        call.block,
        message=(
            f"{name}() blocks the event loop: it leads to {blocking.effect.readable}() "
            f"at {sink.path}:{sink.line}"
        ),
        fix=f"Call it as await asyncio.to_thread({name.rpartition('.')[2]}, ...) or make it async.",
        severity=_SEVERITY[blocking.effect.cost],
        confidence=blocking.confidence,
        trace=(here, *chain),
    )
