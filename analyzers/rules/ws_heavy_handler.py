"""PS403: slow work between two messages of a WebSocket."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.project import Site
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.remote import Reach, asks_server, is_stream, reaches, steps

_RECEIVE = "websocket_receive"
_STEPS = re.compile(
    r"_*(re|ensure_|refresh_)?(subscribe|unsubscribe|login|log_in|auth|token|validate|connect|ping|pong|heartbeat|keepalive|close"
    r"|stop|start|shutdown|cancel|sleep|wait)",
    re.IGNORECASE,
)
"""What a stream itself asks for now and then; it is not the work of a message."""

_DEPTH = 4


@rule("PS403", "ws-heavy-handler", Severity.HIGH, on=Block)
def ws_heavy_handler(loop: Block, where: Where) -> Iterator[Hit]:
    """Report receive loops of a WebSocket that await HTTP requests or queries for each message.

    What it does:
        Finds loops on the event loop that receive from a WebSocket or a subscription and, before
        they receive again, await something that reaches a server: a request, a query, directly or
        in a helper. Blocking calls there are PS101's.

    Why it costs a bot:
        Messages wait in the socket while the answer is awaited. With 200 ms a message the bot
        keeps up with five a second; behind that, prices grow old, the buffers fill, pings go
        unanswered, and the server closes the connection.

    Example:
        import aiohttp
        import websockets

        async def listen(session: aiohttp.ClientSession):
            async with websockets.connect("wss://stream.example.org") as ws:
                async for message in ws:
                    await session.post("https://api.example.org/alerts", data=message)

    Use instead:
        import asyncio
        import aiohttp
        import websockets

        async def listen(jobs: asyncio.Queue):
            async with websockets.connect("wss://stream.example.org") as ws:
                async for message in ws:
                    jobs.put_nowait(message)

        async def work(jobs: asyncio.Queue, session: aiohttp.ClientSession):
            while True:
                message = await jobs.get()
                await session.post("https://api.example.org/alerts", data=message)

    When it is fine:
        A stream of a few messages a minute, whose order matters more than their age.
    """
    heat = where.hot_regions.loops.get((where.index, loop.number))
    if heat is None or heat.kind != "receive" or not where.on_loop(loop.number):
        return
    if not _receives(loop, where):
        return
    for call in where.calls_in(loop.number):
        if not call.awaited or not _each_message(call, loop, where):
            continue
        for reach in reaches(where, [call], lambda site: _is_slow(site, where), _DEPTH):
            if not _is_step(reach, where):
                yield _hit(call, reach, heat, where)
                return


def _is_step(reach: Reach, where: Where) -> bool:
    """Tell whether the way leads through a login, a new token or the like: now and then at most."""
    funcs = [where.program.site(site).call.func for site in reach.path]
    return any(_STEPS.match(func.rpartition(".")[2]) for func in funcs)


def _receives(loop: Block, where: Where) -> bool:
    """Tell whether the loop is known to take messages from a connection, whatever it is called."""
    if any(_RECEIVE in where.roles(call) for call in where.calls_in(loop.number)):
        return True
    if loop.value is None or not loop.is_async:
        return False
    roles = where.knowledge.roles
    return any(
        _RECEIVE in roles(f"{thing.path}{method}")
        for thing in where.things(loop.value, loop.parent)
        if thing.kind == "external"
        for method in (".recv", ".receive", "")
    )


def _each_message(call: Call, loop: Block, where: Where) -> bool:
    """Tell whether a call belongs to the ordinary work of this very loop."""
    if where.loops(call.block)[0].number != loop.number and _in_endless(call, loop, where):
        return False
    return next(where.around(call.block, "except", "finally"), None) is None


def _in_endless(call: Call, loop: Block, where: Where) -> bool:
    """Tell whether another endless loop inside this one drives the call."""
    endless = where.hot_regions.loops
    return any(
        inner.number != loop.number and (where.index, inner.number) in endless
        for inner in where.loops(call.block)
    )


def _is_slow(site: Site, where: Where) -> bool:
    effect = site.effect
    if effect is None or not effect.is_async or not asks_server(site):
        return False
    return not is_stream(effect, where)


def _hit(call: Call, reach: Reach, heat: Heat, where: Where) -> Hit:
    site = where.program.site(reach.sink)
    effect = site.effect
    assert effect is not None
    direct = len(reach.path) == 1
    return Hit(
        call.place,
        call.block,
        message=(
            f"the {heat.label} (line {heat.line}) takes no message until {effect.readable}() has "
            "answered"
        ),
        fix=(
            "Put the message on a bounded asyncio.Queue and let a few worker tasks do the work; "
            "the receive loop only parses and hands on."
        ),
        severity=Severity.MEDIUM if effect.cost == "database" else None,
        confidence=site.confidence if direct else Confidence.PROBABLE,
        trace=steps(where, reach),
    )
