"""What the call behind a finding spends: its cost class, and the address that it asks."""

from __future__ import annotations

from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.literals import url
from perfscan.analyzers.registry import Hit
from perfscan.analyzers.sites import Site

_ANY = "*"


class Spending(NamedTuple):
    """Empty texts where nothing is known."""

    cost: str = ""
    endpoint: str = ""
    """``https://api.example.org/v1/*``, without the query."""


def spending(hit: Hit, where: Where) -> Spending:
    """Return what the call at the hit's place spends, itself or through the helpers it calls."""
    call = where.call_at(hit.place)
    sink = _sink(call, where) if call is not None else None
    if sink is None or sink.effect is None:
        return Spending()
    view = where.sibling(sink.file)
    return Spending(sink.effect.cost, _endpoint(sink, view))


def _sink(call: Call, where: Where) -> Site | None:
    site = where.site(call)
    if site.effect is not None:
        return site
    for target in site.targets:
        below = where.program.blocking.get(target) or where.program.awaited_io.get(target)
        if below is not None:
            return where.program.site(below.sink)
    return None


def _endpoint(sink: Site, view: Where) -> str:
    """Return the written address, else the host that the library is known to ask."""
    call = sink.call
    for value in _candidates(call):
        found = url(value, view, call.block)
        if found.startswith(("http://", "https://")):
            return found.partition("?")[0]
    assert sink.effect is not None
    host = view.knowledge.host_of(sink.effect.library)
    return f"https://{host}/{_ANY}" if host else ""


def _candidates(call: Call) -> tuple[Value, ...]:
    """Return the arguments that may hold an address: ``get(url)``, ``request(method, url)``."""
    named = tuple(value for name, value in call.keywords if name == "url")
    return (*named, *call.args[:2])
