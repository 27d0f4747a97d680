"""PS101: a synchronous network call on the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import EffectCall, Hit, rule


@rule("PS101", "blocking-network-call", Severity.CRITICAL, on=EffectCall, fixable="unsafe")
def blocking_network_call(call: Call, where: Where) -> Iterator[Hit]:
    """Report a synchronous network call that runs on the event loop.

    What it does:
        Looks for calls such as `requests.get` or `urllib.request.urlopen` inside `async def`, and
        inside callbacks that the event loop runs. The name must lead back to the library through
        the imports of the file.

    Why it costs a bot:
        While the call waits for the network, the event loop stands still: no message is received,
        no other chat is answered and no heartbeat is sent until the reply is there.

    Example:
        import requests

        async def price(symbol):
            return requests.get(f"https://api.example.org/{symbol}", timeout=5).json()

    Use instead:
        import aiohttp

        async def price(session: aiohttp.ClientSession, symbol):
            async with session.get(f"https://api.example.org/{symbol}") as response:
                return await response.json()

    When it is fine:
        In a function that runs in a worker thread (`asyncio.to_thread`, `run_in_executor`), and in
        a script that has no event loop. A call that runs once, before the first endless loop and
        before any task, delays nobody but the start: it is reported as info.
    """
    effect = where.effect(call)
    if effect is None or effect.is_async or effect.on_instance or effect.cost != "network":
        return
    if not where.on_loop(call.block):
        return
    name = where.name(call.block)
    function = where.function(call.block)
    thread = f"await asyncio.to_thread({effect.readable}, ...)"
    yield Hit(
        call.place,
        call.block,
        message=f"{effect.readable}() blocks the event loop in {name} until the network answers",
        fix=(
            f"Use {effect.replacement}; as a stopgap, {thread}."
            if effect.replacement
            else f"Write {thread}."
        ),
        severity=where.weight(call, Severity.CRITICAL),
        confidence=where.confidence(call),
        fixable="unsafe" if function is not None and function.is_async else "no",
    )
