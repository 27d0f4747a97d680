"""PS506: the same remote answer fetched for each item that shares it."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.keeping import is_cached, remembers
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.network_reads import is_ordered, network_read
from perfscan.analyzers.project import FunctionId
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.remote import asks_server, reaches
from perfscan.analyzers.shared_keys import (
    Item,
    crowd_name,
    is_crowd,
    is_looked_up,
    last,
    made_in,
    shared_keys,
)
from perfscan.analyzers.sites import argument_of

_DEPTH = 2


@rule("PS506", "price-call-per-position", Severity.MEDIUM, on=Call)
def price_call_per_position(call: Call, where: Where) -> Iterator[Hit]:
    """Report remote reads made for each item of a list, with a key that many items share.

    What it does:
        Looks at loops over positions, orders, trades, alerts and the like that ask a server about
        the market, symbol or token of each, when no cache, map or check keeps the answer: in the
        loop itself, or in a helper that gets the whole item.

    Why it costs a bot:
        Two hundred positions in fifty markets need fifty prices, or a single call for all of them,
        not two hundred: four times the time, and four times as near to the rate limit.

    Example:
        import requests

        def price(market):
            return requests.get(f"https://api.example.org/{market}", timeout=5).json()

        def manage(positions):
            for position in positions:
                print(position["id"], price(position["market"]))

    Use instead:
        import requests

        def price(market):
            return requests.get(f"https://api.example.org/{market}", timeout=5).json()

        def manage(positions):
            markets = {position["market"] for position in positions}
            prices = {market: price(market) for market in markets}
            for position in positions:
                print(position["id"], prices[position["market"]])

    When it is fine:
        When each key occurs once, when the answer depends on the item itself, and when a cache
        keeps it for the length of the loop.
    """
    if not (call.args or call.keywords):
        return
    loop = next((b for b in where.loops(call.block) if b.kind in {"for", "comp"}), None)
    if loop is None or where.is_constant(loop) or not is_crowd(loop, where):
        return
    item = Item(loop.targets, made_in(loop.number, where), loop.number)
    if _is_asked_for(call, item, where):
        yield _hit(call, item, loop, where)
        return
    for target, name in _handed_to(call, item, where):
        view = where.sibling(target[0])
        facts = view.file.functions[target[1]]
        inside = Item((name,), made_in(facts.block, view), facts.block)
        for inner in view.calls_in(facts.block):
            if _is_asked_for(inner, inside, view):
                yield _hit_below(inner, inside, call, loop, view, where)


def _is_asked_for(call: Call, item: Item, where: Where) -> bool:
    """Tell whether a call asks a server about what the item shares with others."""
    keys = shared_keys(call, item)
    if not keys or any(is_looked_up(key, item, where) for key in keys):
        return False
    return _reads_remotely(call, where) is not None


def _hit(call: Call, item: Item, loop: Block, where: Where) -> Hit:
    shared = " and ".join(last(key) for key in shared_keys(call, item))
    return Hit(
        call.place,
        call.block,
        message=(
            f"{_spoken(call)}() is asked again for each item of {crowd_name(loop, where)}, "
            f"though many share the same {shared}"
        ),
        fix=f"Collect the distinct values of {shared}, ask once for each, and look it up.",
        severity=Severity.LOW if where.is_cold(call.block) else None,
        confidence=_reads_remotely(call, where) or Confidence.PROBABLE,
    )


def _hit_below(inner: Call, item: Item, call: Call, loop: Block, view: Where, where: Where) -> Hit:
    """Return the hit at a request that a helper makes for the item it was given."""
    shared = " and ".join(last(key) for key in shared_keys(inner, item))
    return Hit(
        inner.place,
        inner.block,
        message=(
            f"{_spoken(inner)}() is asked again for each item of {crowd_name(loop, where)} "
            f"({where.file.path}:{call.place[0]}), though many share the same {shared}"
        ),
        fix=f"Collect the distinct values of {shared}, ask once for each, and look it up.",
        severity=Severity.LOW if where.is_cold(call.block) else None,
        confidence=Confidence.PROBABLE,
        trace=(
            where.step((where.index, call.number)),
            view.step((view.index, inner.number)),
        ),
        file=view.index,
    )


def _spoken(call: Call) -> str:
    return call.func.lstrip("@?0123456789.").removeprefix("self.")


def _handed_to(call: Call, item: Item, where: Where) -> Iterator[tuple[FunctionId, str]]:
    """Yield the functions that get the whole item, each with their own name for it."""
    if not any(value.ref in item.names for value in (*call.args, *dict(call.keywords).values())):
        return
    for target in where.targets(call):
        facts = where.program.function(target)
        params = facts.params if facts is not None else ()
        if facts is None or is_ordered(facts.name) or _keeps(target, where):
            continue
        for position, param in enumerate(params):
            given = argument_of(call, facts, position, param.name)
            if given is not None and given.kind == "ref" and given.ref in item.names:
                yield target, param.name


# The remote read.


def _reads_remotely(call: Call, where: Where) -> Confidence | None:
    """Return how surely a call asks a server each time, for something that it only reads."""
    if is_ordered(call.func.rpartition(".")[2]):
        return None
    targets = where.targets(call)
    if any(_keeps(target, where) for target in targets):
        return None
    if call.awaited:
        return network_read(call, where)
    site = where.site(call)
    if asks_server(site) and site.effect is not None and site.effect.cost == "network":
        return None if site.effect.is_async else site.confidence
    blocking = [where.blocking(target) for target in targets]
    found = [one for one in blocking if one is not None and one.effect.cost == "network"]
    return found[0].confidence if found and found[0].depth <= _DEPTH else None


def _keeps(function: FunctionId, where: Where) -> bool:
    """Tell whether a helper returns what it has kept rather than ask again."""
    if is_cached(function, where):
        return True
    view = where.sibling(function[0])
    starts = [site.call for site in where.program.sites_of(function)]
    return any(
        remembers(view.file.calls[reach.path[0][1]], view)
        for reach in reaches(view, starts, asks_server, _DEPTH)
    )
