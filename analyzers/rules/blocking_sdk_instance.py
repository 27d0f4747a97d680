"""PS103: a method of a synchronous client, called on the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Read
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import EffectCall, Hit, rule


@rule("PS103", "blocking-sdk-instance", Severity.CRITICAL, on=(EffectCall, Read))
def blocking_sdk_instance(use: Call | Read, where: Where) -> Iterator[Hit]:
    """Report a blocking method of a synchronous client, called on the event loop.

    What it does:
        Follows instances of known synchronous clients (exchange, chat, cloud and web sessions)
        through locals, attributes, globals, factories, annotations and `with`, and reports the
        methods that talk to the network when a coroutine calls them.

    Why it costs a bot:
        The method waits for the network inside the event loop: nothing else of the bot moves until
        the reply is there, however many coroutines are ready.

    Example:
        import ccxt

        class Trader:
            def __init__(self):
                self.exchange = ccxt.binance()

            async def tick(self, symbol):
                return self.exchange.fetch_ticker(symbol)

    Use instead:
        import ccxt.async_support

        class Trader:
            def __init__(self):
                self.exchange = ccxt.async_support.binance()

            async def tick(self, symbol):
                return await self.exchange.fetch_ticker(symbol)

    When it is fine:
        For methods that only compute (`milliseconds`, `price_to_precision`), and in worker threads.
    """
    if isinstance(use, Call):
        effect, action = where.effect(use), "call"
        confidence = where.confidence(use)
    else:
        effect, action = where.property_effect(use), "attribute"
        confidence = Confidence.PROBABLE
    if effect is None or effect.is_async or not effect.on_instance:
        return
    if effect.cost != "network" or not where.on_loop(use.block):
        return
    what = f"{effect.readable}()" if action == "call" else f"reading {effect.readable}"
    instead = f"Use {effect.replacement}" if effect.replacement else "There is no async client"
    yield Hit(
        use.place,
        use.block,
        message=f"{what} is synchronous and blocks the event loop in {where.name(use.block)}",
        fix=f"{instead}; as a stopgap, await asyncio.to_thread(...) around the {action}.",
        severity=where.weight(use, Severity.CRITICAL),
        confidence=confidence,
    )
