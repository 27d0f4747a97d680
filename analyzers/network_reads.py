"""Awaited reads from the network: calls that may as well run side by side."""

from __future__ import annotations

import re

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Confidence

_ORDERED = re.compile(
    r"(create|place|submit|cancel|edit|amend|modify|close|open)_.*(order|position|trade)s?"
    r"|(create|place|submit|execute|cancel)_?(order|trade|transaction|swap|tx)?"
    r"|send.*|reply.*|answer.*|write.*|publish.*|put.*|delete.*|patch.*|edit.*|update.*|insert.*"
    r"|buy.*|sell.*|withdraw.*|transfer.*|approve.*|swap.*|set_.*|add_.*|remove_.*|ban.*|kick.*"
    r"|pin.*|move.*|forward.*|copy.*|post_.*|connect.*|close.*|start.*|stop.*|launch.*|login.*|subscribe.*"
    r"|unsubscribe.*|watch_.*|recv.*|receive.*|commit|rollback|execute.*|sleep|wait.*"
    r"|call(_.*)?|callback|handle.*|discover.*|setup.*|init.*|register.*|ensure.*|restore.*|renew.*"
    r"|refresh_.*token.*|notify.*|trigger.*|fire.*|emit.*|dispatch.*|turn_.*|toggle.*|new_.*|load_platform"
)
"""Verbs whose order matters, or that must not run side by side: orders, chat messages, streams."""

_READS = re.compile(r"(fetch|get|load|query|request|download|read|lookup|check|scan)(_.*)?|post")
_MAYBE = re.compile(r"^_*(async_|maybe_|try_|do_|a(?=get|post))*")
"""What names put before their verb."""

_DEPTH = 3
"""Further down, whether a call reaches the network at all is a guess."""


def is_ordered(name: str) -> bool:
    """Tell whether a call of this name changes something, so that the order of calls matters."""
    return _ORDERED.fullmatch(_MAYBE.sub("", name)) is not None


def network_read(call: Call, where: Where) -> Confidence | None:
    """Return how surely an awaited call is a network read whose order does not matter."""
    if not (call.awaited or is_entered(call, where)):
        return None
    verb = call.func.rpartition(".")[2]
    if is_ordered(verb):
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
            if not any(map(is_ordered, (helper.name, inner.call.func.rpartition(".")[2]))):
                return inner.confidence
    known = where.site(call).things
    return Confidence.POSSIBLE if not known and _READS.fullmatch(verb) else None


def is_entered(call: Call, where: Where) -> bool:
    """Tell whether ``async with`` enters the call: ``async with session.get(url) as reply``."""
    if call.use != "with":
        return False
    reference = f"@{call.number}"
    return any(
        block.kind == "with" and block.is_async and block.value and block.value.ref == reference
        for block in where.file.blocks[call.block :]
    )
