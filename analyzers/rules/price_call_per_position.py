"""PS506: the same remote answer fetched for each item that shares it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Value
from perfscan.analyzers.keeping import is_cached, remembers
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.network_reads import is_ordered, network_read
from perfscan.analyzers.project import FunctionId
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.remote import asks_server, reaches

_MANY = re.compile(
    r"(^|_)(position|order|trade|holding|bet|alert|signal|fill|subscription|monitor|deal|transfer"
    r"|watch|notification|reminder|swap|transaction)(s|es|_list|_rows)?$",
    re.IGNORECASE,
)
"""What there are many of for one market, user or token."""

_SHARED = re.compile(
    r"(^|_)(market|symbol|ticker|token|mint|pair|coin|asset|currency|instrument|condition|stock"
    r"|pool|base|quote|product|contract|event|chain|exchange|asin|url|wallet|user|trader)"
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
    key = _shared_key(call, loop, where)
    if key is None or _is_looked_up(key, loop, where):
        return
    confidence = _reads_remotely(call, where)
    if confidence is None:
        return
    name = call.func.lstrip("@?0123456789.").removeprefix("self.")
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{name}() is asked again for each item of {_crowd_name(loop, where)}, "
            f"though many share the same {_last(key)}"
        ),
        fix=f"Collect the distinct values of {_last(key)}, ask once for each, and look it up.",
        severity=Severity.LOW if where.is_cold(call.block) else None,
        confidence=confidence,
    )


# The loop and its key.


def _crowd_name(loop: Block, where: Where) -> str:
    """Return what a loop runs over, as the code calls it."""
    value = loop.value
    made = where.call_of(value)
    if made is not None and made.func.endswith((".values", ".copy")):
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


def _shared_key(call: Call, loop: Block, where: Where) -> Value | None:
    """Return the one argument that comes from the item: something that others may share."""
    found: list[Value] = []
    own = _made_in(loop, where)
    for value in (*call.args, *[value for _, value in call.keywords]):
        origin = own.get(value.ref, value) if value.kind == "ref" else value
        if not own.keys() & {*value.names, *origin.names} and not _of_item(origin, loop):
            continue  # the same in every turn
        if not _of_item(origin, loop) or not _SHARED.search(_last(origin)):
            return None
        found.append(value)
    receiver = call.func.partition(".")[0]
    if len(found) != 1 or receiver in loop.targets or receiver in own:
        return None
    return found[0] if found[0].ref not in own else own[found[0].ref]


def _made_in(loop: Block, where: Where) -> dict[str, Value]:
    """Return the names that the body binds, each with its value."""
    inside = where.below(loop.number)
    return {
        assign.target: assign.value
        for assign in where.file.assigns
        if assign.block in inside and "." not in assign.target
    }


def _of_item(value: Value, loop: Block) -> bool:
    """Tell whether a value is an attribute or entry of the item: ``position["market"]``."""
    base, _, rest = value.ref.partition(".")
    return value.kind == "ref" and base in loop.targets and bool(rest) and rest.count(".") == 0


def _last(key: Value) -> str:
    """Return the name under which the item holds the key."""
    name = key.ref.rpartition(".")[2]
    entry = key.items[0].const if name == "[]" and key.items else None
    return entry if isinstance(entry, str) else name


def _is_looked_up(key: Value, loop: Block, where: Where) -> bool:
    """Tell whether the loop looks the key up somewhere first: ``if market not in prices``."""
    inside = where.below(loop.number)
    if any(
        comparison.block in inside
        and comparison.op in {"In", "NotIn"}
        and comparison.right.ref.rpartition(".")[2] != "[]"
        for comparison in where.file.comparisons
    ):
        return True
    return any(
        other.func.endswith((".get", ".setdefault")) and _same(other.args[0], key)
        for other in where.calls_in(loop.number)
        if other.args
    )


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
