"""PS201: independent requests awaited one after another in a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from perfscan.analyzers.amounts import is_handful
from perfscan.analyzers.context import Where
from perfscan.analyzers.coroutines import in_coroutine
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.network_reads import (
    ends_something,
    named,
    network_read,
    pretended_read,
    reaches_network,
)
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.turns import depends_on_earlier_turn, ends_early, is_paced, varies

_AWAITED = "Await them together: asyncio.gather over the items, each inside an asyncio.Semaphore."
_BLOCKING = (
    "Let threads make the requests (asyncio.to_thread, or an asynchronous client), then await them "
    "together: asyncio.gather, each inside an asyncio.Semaphore."
)


@rule("PS201", "sequential-await", Severity.MEDIUM, on=Block, fixable="unsafe")
def sequential_await(loop: Block, where: Where) -> Iterator[Hit]:
    """Report requests that do not depend on each other and are awaited one by one in a loop.

    What it does:
        Looks at `for` loops over data in coroutines that await network reads, when no turn uses
        what an earlier turn brought, nothing ends the loop early and nothing paces it. Reads that a
        thread does (`await asyncio.to_thread(requests.get, ...)`) count as well, and so do
        coroutines that make a blocking request; closing positions and cancelling orders one by one
        is reported as low.

    Why it costs a bot:
        The loop takes the sum of all round trips. Side by side, within a limit, it takes little
        more than the slowest one. Collecting the results in a comprehension changes nothing.

    Example:
        import ccxt.async_support as ccxt

        async def tickers(symbols):
            exchange = ccxt.binance()
            result = []
            for symbol in symbols:
                result.append(await exchange.fetch_ticker(symbol))
            return result

    Use instead:
        import asyncio
        import ccxt.async_support as ccxt

        async def tickers(symbols):
            exchange = ccxt.binance()
            limit = asyncio.Semaphore(10)

            async def ticker(symbol):
                async with limit:
                    return await exchange.fetch_ticker(symbol)

            return await asyncio.gather(*[ticker(symbol) for symbol in symbols])

    When it is fine:
        When a turn needs the one before (cursors, nonces), when the loop is paced on purpose, when
        order matters (orders, messages to one chat), and over a handful of fixed items.
    """
    if loop.kind not in {"for", "comp"} or loop.is_async or is_handful(loop, where):
        return
    if in_coroutine(loop.number, where) is None:
        return
    calls = where.calls_in(loop.number)
    own = [call for call in calls if where.loops(call.block)[0] == loop]
    requests = _pick(own, where, network_read)
    severity = None
    if not requests:
        requests = _pick([call for call in own if ends_something(call)], where, reaches_network)
        severity = Severity.LOW
    if not requests or _takes_turns(loop, calls, where) or ends_early(loop, where):
        return
    if any(depends_on_earlier_turn(call, loop, where) for call, _ in requests):
        return
    varying = [(call, sure) for call, sure in requests if varies(call, loop, where)]
    if not varying or _is_chosen(varying[0][0], where):
        return
    call, confidence = varying[0]
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{named(call, where)} is awaited for one item after another"
            f" in {where.name(loop.number)}, so the loop takes the sum of all round trips"
        ),
        fix=_BLOCKING if pretended_read(call, where) is not None else _AWAITED,
        severity=severity,
        confidence=confidence,
    )


def _pick(
    calls: list[Call], where: Where, surely: Callable[[Call, Where], Confidence | None]
) -> list[tuple[Call, Confidence]]:
    found = [(call, surely(call, where)) for call in calls]
    return [(call, confidence) for call, confidence in found if confidence is not None]


def _takes_turns(loop: Block, calls: list[Call], where: Where) -> bool:
    """Tell whether the body sleeps, waits for its turn or holds a lock."""
    if is_paced(calls, where):
        return True
    for number in where.below(loop.number):
        block = where.block(number)
        if block.kind == "with" and block.is_async and block.value is not None:
            entered = where.call_of(block.value)
            if entered is None or network_read(entered, where) is None:
                return True
    return False


def _is_chosen(call: Call, where: Where) -> bool:
    """Tell whether the same function also starts such calls side by side: here it chose not to."""
    here = where.block(call.block).function
    return any(
        other.func == call.func
        and not other.awaited
        and other.use in {"element", "argument"}
        and where.block(other.block).function == here
        for other in where.file.calls
    )
