"""Awaited reads from the network: calls that may as well run side by side."""

from __future__ import annotations

import re

from perfscan.analyzers.context import Where
from perfscan.analyzers.coroutines import spoken
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Confidence
from perfscan.analyzers.project import FunctionId, Site
from perfscan.analyzers.remote import reaches

_ORDERED = re.compile(
    r"(create|place|submit|cancel|edit|amend|modify|close|open)_.*(order|position|trade)s?"
    r"|(create|place|submit|execute|cancel)_?(order|trade|transaction|swap|tx)?"
    r"|send.*|reply.*|answer.*|write.*|publish.*|put.*|delete.*|patch.*|edit.*|update.*|insert.*"
    r"|buy.*|sell.*|withdraw.*|transfer.*|approve.*|swap.*|set_.*|add_.*|remove_.*|ban(_.*)?|kick.*"
    r"|pin(_.*)?|move.*|forward.*|copy.*|post_.*|connect.*|close.*|start.*|stop.*|launch.*|login.*|subscribe.*"
    r"|unsubscribe.*|watch_.*|recv.*|receive.*|commit|rollback|exec(ute)?(_.*)?|force_.*|sleep|wait.*"
    r"|call(_.*)?|callback|handle.*|discover.*|setup.*|init.*|register.*|ensure.*|restore.*|renew.*"
    r"|refresh_.*token.*|notify.*|trigger.*|fire.*|emit.*|dispatch.*|turn_.*|toggle.*|new_.*|load_platform"
    r"|store.*|save.*|upload.*"
)
"""Verbs whose order matters, or that must not run side by side: orders, chat messages, streams."""

_CHANGES = re.compile(
    r"(re_?open|rate|assign|unassign|accept|reject|vote|react|mark|archive|confirm|claim|resolve"
    r"|comment|mute|promote|grant|revoke|enable|disable|activate|book|pay|charge|order|report"
    r"|rename|finish|complete|increment|apply)(_.*)?"
)
"""Verbs of helpers that change something where what they send is a POST, PUT, PATCH or DELETE."""

_WRITING = frozenset({"post", "put", "patch", "delete"})

_READS = re.compile(r"(fetch|get|load|query|request|download|read|lookup|check|scan)(_.*)?|post")
_LOCAL = re.compile(r"from_base64|(^|_)(decode|encode|parse|format|render)(_|$)")
"""Names of helpers that mostly work on what they are given, and rarely have to ask for it."""

_MAYBE = re.compile(r"^_*(async_|maybe_|try_|do_|a(?=get|post))*")
"""What names put before their verb."""

_ENDINGS = re.compile(r"(close|exit|cancel|liquidate|flatten)(_\w*)?(position|trade|order)s?(_.*)?")
"""Orders that need no order among themselves: each ends something of its own."""

_OFFLOADS = {"to_thread": 0, "run_in_executor": 1, "run_sync": 0}
"""What runs a blocking function elsewhere, and which argument that is."""

_DEPTH = 3
"""Further down, whether a call reaches the network at all is a guess."""


def _verb(call: Call) -> str:
    return call.func.rpartition(".")[2]


def is_ordered(name: str) -> bool:
    """Tell whether a call of this name changes something, so that the order of calls matters."""
    return _ORDERED.fullmatch(_MAYBE.sub("", name)) is not None


def ends_something(call: Call) -> bool:
    """Tell whether an awaited call closes a position or cancels an order, by its name."""
    verb = _verb(call)
    return call.awaited and _ENDINGS.fullmatch(_MAYBE.sub("", verb)) is not None


def reaches_network(call: Call, where: Where) -> Confidence | None:
    """Return how surely an awaited call goes to the network, whatever it does there."""
    effect = where.effect(call)
    if effect is not None:
        goes = effect.is_async and effect.cost == "network"
        return where.confidence(call) if goes else None
    for target in where.targets(call):
        below = where.program.awaited_io.get(target)
        if below is not None and below.depth <= _DEPTH:
            return where.program.site(below.sink).confidence
    return None


def network_read(call: Call, where: Where) -> Confidence | None:
    """Return how surely an awaited call is a network read whose order does not matter."""
    if not (call.awaited or is_entered(call, where)):
        return None
    verb = _verb(call)
    if verb in _OFFLOADS:
        return _offloaded_read(call, _OFFLOADS[verb], where)
    if is_ordered(verb) or _LOCAL.search(verb):
        return None
    effect = where.effect(call)
    if effect is not None:
        reads = effect.is_async and effect.cost == "network"
        return where.confidence(call) if reads else None
    for target in where.targets(call):
        below = where.program.awaited_io.get(target)
        helper = where.program.function(target)
        if below is not None and below.depth <= _DEPTH and helper is not None:
            inner = where.program.site(below.sink)
            nearest = where.program.function(where.program.function_of(below.sink))
            names = {helper.name, nearest.name if nearest else "", _verb(inner.call)}
            if not any(map(is_ordered, names)) and not _changes(helper.name, inner.call):
                return inner.confidence
        if helper is not None and not is_ordered(helper.name):
            for site in where.program.sites_of(target):
                view = where.sibling(target[0])
                position = _OFFLOADS.get(_verb(site.call), -1)
                if position >= 0 and site.call.awaited:
                    return _offloaded_read(site.call, position, view)
    pretended = pretended_read(call, where)
    if pretended is not None:
        return pretended
    known = where.site(call).things
    return Confidence.POSSIBLE if not known and _READS.fullmatch(verb) else None


def _changes(name: str, request: Call) -> bool:
    """Tell whether a helper changes something: by its name, and by the request that it makes."""
    return _verb(request) in _WRITING and _CHANGES.fullmatch(_MAYBE.sub("", name)) is not None


def pretended_read(call: Call, where: Where) -> Confidence | None:
    """Return how surely a coroutine that is awaited reads from the network without awaiting."""
    if not call.awaited or not any(_is_coroutine(target, where) for target in where.targets(call)):
        return None
    for reach in reaches(where, [call], _blocks_on_network, _DEPTH):
        site = where.program.site(reach.sink)
        between = [where.program.function_of(step) for step in reach.path[1:]]
        helpers = [where.program.function(function) for function in between]
        names = [_verb(site.call), *(helper.name for helper in helpers if helper is not None)]
        if not any(map(is_ordered, names)):
            return site.confidence
    return None


def _is_coroutine(function: FunctionId, where: Where) -> bool:
    facts = where.program.function(function)
    return facts is not None and facts.is_async


def _blocks_on_network(site: Site) -> bool:
    effect = site.effect
    return effect is not None and effect.cost == "network" and not effect.is_async


def _offloaded_read(call: Call, position: int, where: Where) -> Confidence | None:
    """Return how surely a call has a thread read from the network."""
    if len(call.args) <= position or is_ordered(call.args[position].ref.rpartition(".")[2]):
        return None
    for thing in where.things(call.args[position], call.block, call.number):
        if thing.kind == "external":
            effect = where.knowledge.effect(thing.path)
            if effect is not None and effect.cost == "network" and not effect.is_async:
                return Confidence.PROBABLE
        below = where.blocking((thing.file, thing.number)) if thing.kind == "function" else None
        if below is not None and below.effect.cost == "network":
            return below.confidence
    return None


def named(call: Call, where: Where) -> str:
    """Return the awaited call for messages, with the function that a thread runs."""
    position = _OFFLOADS.get(_verb(call), -1)
    offloaded = call.args[position].ref if 0 <= position < len(call.args) else ""
    return f"{spoken(call, where)}({offloaded})"


def is_entered(call: Call, where: Where) -> bool:
    """Tell whether ``async with`` enters the call: ``async with session.get(url) as reply``."""
    if call.use != "with":
        return False
    reference = f"@{call.number}"
    return any(
        block.kind == "with" and block.is_async and block.value and block.value.ref == reference
        for block in where.file.blocks[call.block :]
    )
