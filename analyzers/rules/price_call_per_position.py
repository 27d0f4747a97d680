"""PS506: the same remote answer fetched for each item that shares it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Value
from perfscan.analyzers.keeping import is_cached, remembers
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.network_reads import is_ordered, network_read
from perfscan.analyzers.project import FunctionId
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.remote import asks_server, reaches
from perfscan.analyzers.sites import argument_of

_MANY = re.compile(
    r"(^|_)(position|order|trade|holding|bet|alert|signal|fill|subscription|monitor|deal|transfer"
    r"|watch|notification|reminder|swap|transaction)(s|es|_list|_rows)?$",
    re.IGNORECASE,
)
"""What there are many of for one market, user or token."""

_SHARED = re.compile(
    r"(^|_)(market|symbol|ticker|token|mint|pair|coin|asset|currency|instrument|condition|stock"
    r"|pool|base|quote|product|contract|event|chain|exchange|asin|url|wallet|user|trader|account)"
    r"(_?(id|name|address|slug|key|symbol))?$",
    re.IGNORECASE,
)
"""What many of those have in common."""

_DEPTH = 2


@rule("PS506", "price-call-per-position", Severity.MEDIUM, on=Call)
def price_call_per_position(call: Call, where: Where) -> Iterator[Hit]:
    """Report remote reads made for each item of a list, with a key that many items share.

    What it does:
        Looks at loops over positions, orders, trades, alerts and the like that ask a server about
        the market, symbol or token of each, when no cache, map or check keeps the answer.

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
    if loop is None or where.is_constant(loop) or not _is_crowd(loop, where):
        return
    item = _Item(loop.targets, _made_in(loop.number, where), loop.number)
    if _is_asked_for(call, item, where):
        yield _hit(call, item, loop, where)
        return
    for target, name in _handed_to(call, item, where):
        view = where.sibling(target[0])
        facts = view.file.functions[target[1]]
        inside = _Item((name,), _made_in(facts.block, view), facts.block)
        for inner in view.calls_in(facts.block):
            if _is_asked_for(inner, inside, view):
                yield _hit_below(inner, inside, call, loop, view, where)


class _Item(NamedTuple):
    """One of many, in the code that deals with it."""

    names: tuple[str, ...]
    own: dict[str, Value]
    """What that code binds."""
    block: int


def _is_asked_for(call: Call, item: _Item, where: Where) -> bool:
    """Tell whether a call asks a server about what the item shares with others."""
    keys = _shared_keys(call, item)
    if not keys or any(_is_looked_up(key, item, where) for key in keys):
        return False
    return _reads_remotely(call, where) is not None


def _hit(call: Call, item: _Item, loop: Block, where: Where) -> Hit:
    shared = " and ".join(_last(key) for key in _shared_keys(call, item))
    return Hit(
        call.place,
        call.block,
        message=(
            f"{_spoken(call)}() is asked again for each item of {_crowd_name(loop, where)}, "
            f"though many share the same {shared}"
        ),
        fix=f"Collect the distinct values of {shared}, ask once for each, and look it up.",
        severity=Severity.LOW if where.is_cold(call.block) else None,
        confidence=_reads_remotely(call, where) or Confidence.PROBABLE,
    )


def _hit_below(inner: Call, item: _Item, call: Call, loop: Block, view: Where, where: Where) -> Hit:
    """Return the hit at a request that a helper makes for the item it was given."""
    shared = " and ".join(_last(key) for key in _shared_keys(inner, item))
    return Hit(
        inner.place,
        inner.block,
        message=(
            f"{_spoken(inner)}() is asked again for each item of {_crowd_name(loop, where)} "
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


def _handed_to(call: Call, item: _Item, where: Where) -> Iterator[tuple[FunctionId, str]]:
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


# The loop and its key.


def _crowd_name(loop: Block, where: Where) -> str:
    """Return what a loop runs over, as the code calls it."""
    value = loop.value
    made = where.call_of(value)
    if made is not None and made.func.endswith((".values", ".items", ".copy")):
        return made.func.rpartition(".")[0]
    if made is not None and made.args and made.func in {"list", "tuple", "sorted", "enumerate"}:
        value = made.args[0]
        made = where.call_of(value)
    if made is not None:
        return made.func.lstrip("@?0123456789.")
    return value.ref if value is not None else ""


def _is_crowd(loop: Block, where: Where) -> bool:
    names = (*loop.targets, _crowd_name(loop, where).rpartition(".")[2])
    return any(_MANY.search(name) for name in names)


def _shared_keys(call: Call, item: _Item) -> list[Value]:
    """Return the arguments that come from the item, if others may share every one of them."""
    found: list[Value] = []
    for value in (*call.args, *[value for _, value in call.keywords]):
        origin = item.own.get(value.ref, value) if value.kind == "ref" else value
        mentioned = {*value.names, *origin.names}
        if item.own.keys().isdisjoint(mentioned) and not _mentions(origin, item):
            continue  # the same in every turn
        if not _of_item(origin, item) or not _SHARED.search(_last(origin)):
            return []
        found.append(origin)
    receiver = call.func.partition(".")[0]
    return [] if receiver in item.names or receiver in item.own else found


def _mentions(value: Value, item: _Item) -> bool:
    return not set(item.names).isdisjoint((*value.names, value.ref))


def _made_in(block: int, where: Where) -> dict[str, Value]:
    """Return the names that a body binds, each with its value."""
    inside = where.below(block)
    return {
        assign.target: assign.value
        for assign in where.file.assigns
        if assign.block in inside and "." not in assign.target
    }


def _of_item(value: Value, item: _Item) -> bool:
    """Tell whether a value is an attribute or entry of the item: ``position["market"]``."""
    base, _, rest = value.ref.partition(".")
    return value.kind == "ref" and base in item.names and bool(rest) and rest.count(".") == 0


def _last(key: Value) -> str:
    """Return the name under which the item holds the key."""
    name = key.ref.rpartition(".")[2]
    entry = key.items[0].const if name == "[]" and key.items else None
    return entry if isinstance(entry, str) else name


def _is_looked_up(key: Value, item: _Item, where: Where) -> bool:
    """Tell whether the body looks the key up somewhere first: ``if market not in prices``."""
    inside = where.below(item.block)
    if any(
        comparison.block in inside
        and comparison.op in {"In", "NotIn"}
        and comparison.right.ref.rpartition(".")[2] != "[]"
        and _speaks_of(comparison.left, key, item)
        for comparison in where.file.comparisons
    ):
        return True
    return any(
        other.func.endswith((".get", ".setdefault")) and _speaks_of(other.args[0], key, item)
        for other in where.calls_in(item.block)
        if other.args
    )


def _speaks_of(value: Value, key: Value, item: _Item) -> bool:
    """Tell whether an expression is the key, or made from it."""
    if _same(item.own.get(value.ref, value), key):
        return True
    return any(_speaks_of(part, key, item) for part in value.items)


def _same(one: Value, other: Value) -> bool:
    return (one.kind, one.ref, one.items) == (other.kind, other.ref, other.items)


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
