"""PS203: as many coroutines at once as there is data."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.amounts import amount, is_part
from perfscan.analyzers.context import Where
from perfscan.analyzers.crowds import Crowd, crowd_of, is_limited, starts_later, work_of
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.survey import survey

_LIMIT_WORDS = frozenset({"limit", "limit_per_host", "max_connections"})
_SERVICE = re.compile(
    r"(run|start|stop|close|aclose|shutdown|cancel|connect|disconnect|listen|serve|worker|consume"
    r"|consumer|main|loop|poll|monitor|watch|setup|cleanup)(_.*)?|.*_(loop|worker|forever|task)"
)

_SEVERITIES = {
    (True, "network"): Severity.HIGH,
    (True, "unknown"): Severity.MEDIUM,
    (True, "none"): Severity.LOW,
    (False, "network"): Severity.MEDIUM,
    (False, "unknown"): Severity.LOW,
    (False, "none"): Severity.LOW,
}
"""By whether something speaks for many items, and by what each coroutine does."""


@rule("PS203", "unbounded-gather", Severity.HIGH, on=Call)
def unbounded_gather(call: Call, where: Where) -> Iterator[Hit]:
    """Report coroutines started at once for every item of a collection, without a limit.

    What it does:
        Looks for `asyncio.gather` over a comprehension or a list built from data, and for tasks
        created in a loop over data, when neither a semaphore, nor batches, nor a connector's limit
        holds them back. High where each goes to the network and the items are many by their name or
        because a server, database or file brings them; lower where that is not known.

    Why it costs a bot:
        A thousand items mean a thousand requests at the same moment: rate limits answer with 429,
        sockets and memory run out, and every request is slower than it would be in a queue.

    Example:
        import asyncio
        import aiohttp

        async def fetch(session, url):
            async with session.get(url) as response:
                return await response.json()

        async def fetch_all(urls):
            async with aiohttp.ClientSession() as session:
                return await asyncio.gather(*[fetch(session, url) for url in urls])

    Use instead:
        import asyncio
        import aiohttp

        async def fetch(session, limit, url):
            async with limit, session.get(url) as response:
                return await response.json()

        async def fetch_all(urls):
            limit = asyncio.Semaphore(10)
            async with aiohttp.ClientSession() as session:
                return await asyncio.gather(*[fetch(session, limit, url) for url in urls])

    When it is fine:
        For a fixed handful of coroutines, for batches of a fixed size, and for a fixed number of
        workers that share a queue.
    """
    crowd = crowd_of(call, where)
    if crowd is None or _is_service(crowd, where):
        return
    if is_part(crowd.iterable, crowd.outside, where):
        return
    if is_limited(crowd, where) or _limits_connections(where):
        return
    size = amount(crowd.iterable, crowd.outside, where)
    if size == "few" or starts_later(crowd, where):
        return
    path = where.path(call)
    source = crowd.iterable.ref if "@" not in crowd.iterable.ref else ""
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{path.replace('().', '.')}() starts {crowd.func.lstrip('@0123456789.')}()"
            f" for every item{f' of {source}' if source else ''} at once, without a limit"
        ),
        fix="Hold each item inside an asyncio.Semaphore, or share a queue among workers.",
        severity=_SEVERITIES[size == "many", work_of(crowd, where)],
        confidence=Confidence.DEFINITE if crowd.things else Confidence.PROBABLE,
    )


def _is_service(crowd: Crowd, where: Where) -> bool:
    """Tell whether what is started are the parts of the bot, which run for ever, or their ends."""
    if _SERVICE.fullmatch(crowd.func.rpartition(".")[2]):
        return True
    return any(function in where.hot_regions.looping for function in crowd.functions)


@survey(any)
def _limits_connections(where: Where) -> bool:
    """Tell whether the program sets a connection limit of its own on its HTTP clients."""
    return any(
        any(name in _LIMIT_WORDS and value.const != 0 for name, value in call.keywords)
        and where.path(call) in {"aiohttp.TCPConnector", "httpx.Limits"}
        for call in where.file.calls
    )
