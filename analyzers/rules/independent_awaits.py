"""PS202: several requests in a row, none of which needs another."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.coroutines import spoken
from perfscan.analyzers.facts import Call, FileFacts
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.network_reads import network_read
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.remote import is_stream

_ROW = 3
"""Two are soon written and rarely worth a gather."""

_GAP = 2
"""Lines from the end of one request to the start of the next: a blank line or a comment fits."""


@rule("PS202", "independent-awaits", Severity.LOW, on=FileFacts)
def independent_awaits(file: FileFacts, where: Where) -> Iterator[Hit]:
    """Report three or more requests in a row that do not need each other's answers.

    What it does:
        Finds consecutive network reads whose answers go to names, into a list or into a literal,
        when no later one uses what an earlier one brought.

    Why it costs a bot:
        The answers take the sum of all round trips. Gathered, they take the longest one: with
        three exchange calls of 200 ms each, 0.2 s instead of 0.6 s before every decision.

    Example:
        import ccxt.async_support as ccxt

        exchange = ccxt.binance()

        async def state(symbol):
            ticker = await exchange.fetch_ticker(symbol)
            book = await exchange.fetch_order_book(symbol)
            balance = await exchange.fetch_balance()
            return ticker, book, balance

    Use instead:
        import asyncio
        import ccxt.async_support as ccxt

        exchange = ccxt.binance()

        async def state(symbol):
            return await asyncio.gather(
                exchange.fetch_ticker(symbol),
                exchange.fetch_order_book(symbol),
                exchange.fetch_balance(),
            )

    When it is fine:
        Where the order matters, where the calls share one connection that answers in turn (a
        database session, a WebSocket), and where a limit allows one at a time.
    """
    requests: list[tuple[Call, Confidence]] = []
    for call in file.calls:
        if call.awaited and _is_kept(call, file):
            sure = network_read(call, where)
            effect = where.effect(call)
            if sure is not None and not (effect is not None and is_stream(effect, where)):
                requests.append((call, sure))
    for row in _rows(requests, where):
        yield _hit(row, where)


def _is_kept(call: Call, file: FileFacts) -> bool:
    """Tell whether the answer goes to a name, into a list or into a literal."""
    if call.owner < 0:
        return call.use in {"assigned", "element"}
    collector = file.calls[call.owner]
    return (
        call.use == "argument"
        and collector.use == "statement"
        and collector.func.endswith(".append")
        and not collector.func.startswith("@")
    )


def _rows(
    requests: list[tuple[Call, Confidence]], where: Where
) -> Iterator[list[tuple[Call, Confidence]]]:
    """Yield the longest runs of consecutive requests that do not need each other."""
    row: list[tuple[Call, Confidence]] = []
    for call, sure in requests:
        if row and not _follows(call, [before for before, _ in row], where):
            if len(row) >= _ROW:
                yield row
            row = []
        row.append((call, sure))
    if len(row) >= _ROW:
        yield row


def _follows(call: Call, row: list[Call], where: Where) -> bool:
    """Tell whether a request stands right behind the row and needs nothing of it."""
    last = row[-1]
    if call.block != last.block or call.place[0] - last.place[2] > _GAP:
        return False
    brought = _brought(row, where)
    attributes = {target for target in brought if "." in target and "[]" not in target}
    if attributes and where.targets(call):
        return False  # a method may read the attribute that an earlier answer went to
    return not (brought - attributes) & set(call.names)


def _brought(row: list[Call], where: Where) -> set[str]:
    """Return what the row's answers go to: targets, those of unpacked answers too, and lists."""
    first, last = row[0].place[0], row[-1].place[2]
    collectors = {
        where.file.calls[call.owner].func.rpartition(".")[0] for call in row if call.owner >= 0
    }
    return collectors | {
        assign.target
        for assign in where.file.assigns
        if assign.block == row[0].block and first <= assign.place[0] <= last
    }


def _hit(row: list[tuple[Call, Confidence]], where: Where) -> Hit:
    names = [f"{spoken(call, where)}()" for call, _ in row]
    first = row[0][0]
    sure = [confidence for _, confidence in row]
    weakest = next(
        (c for c in (Confidence.POSSIBLE, Confidence.PROBABLE) if c in sure), Confidence.DEFINITE
    )
    return Hit(
        first.place,
        first.block,
        message=(
            f"{', '.join(names[:-1])} and {names[-1]} are awaited one after another in"
            f" {where.name(first.block)}, though none needs another's answer"
        ),
        fix="Await them together with asyncio.gather.",
        confidence=weakest,
    )
