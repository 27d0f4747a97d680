"""PS605: requests to a server that counts them, with nothing that spaces them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.limits import Limit, limit_of
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.project import Site
from perfscan.analyzers.registry import Hit, LibraryCall, rule
from perfscan.analyzers.remote import (
    Reach,
    asks_server,
    is_limiter,
    is_stream,
    pauses,
    reaches,
    steps,
)
from perfscan.analyzers.survey import survey

_SWITCHES = ("enableRateLimit", "enable_rate_limit")
_THROTTLING = (
    "aiolimiter", "ratelimit", "ratelimiter", "pyrate_limiter", "asyncio_throttle", "throttler",
    "limits", "aiometer", "slowapi", "AIORateLimiter",
)  # fmt: skip
"""Libraries that space requests; a program that imports one knows of the matter."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request to a server with a known limit, and the call in the loop that leads to it."""

    reach: Reach
    limit: Limit
    confidence: Confidence


@rule("PS605", "no-rate-limit", Severity.MEDIUM, on=(Block, LibraryCall))
def no_rate_limit(fact: Block | Call, where: Where) -> Iterator[Hit]:
    """Report loops that ask a server with a known rate limit as fast as they can.

    What it does:
        Looks at loops over data, endless loops and receive loops that reach an API of which the
        knowledge base has a limit (Telegram, exchanges, RPC providers, block explorers), directly
        or through helpers, when nothing on the way sleeps, waits for a limiter or holds a
        semaphore. Reports ccxt exchanges whose throttle is switched off, too.

    Why it costs a bot:
        Once the limit is passed every call is refused (429) or the address is banned for minutes:
        alerts are lost exactly when there are many of them. Retries without a throttle make it
        worse.

    Example:
        import requests

        def alert_all(chats, text):
            for chat in chats:
                requests.post(
                    "https://api.telegram.org/bot123/sendMessage",
                    json={"chat_id": chat, "text": text},
                    timeout=5,
                )

    Use instead:
        import time
        import requests

        def alert_all(chats, text):
            for chat in chats:
                requests.post(
                    "https://api.telegram.org/bot123/sendMessage",
                    json={"chat_id": chat, "text": text},
                    timeout=5,
                )
                time.sleep(1 / 25)

    When it is fine:
        A throttle around the calls, a library that spaces them by itself (ccxt, discord.py), a
        loop over a handful of things, and answers to single users.
    """
    if isinstance(fact, Call):
        yield from _switched_off(fact, where)
        return
    if fact.kind not in {"for", "while", "comp"} or where.is_constant(fact):
        return
    heat = where.hot_regions.loops.get((where.index, fact.number))
    if fact.kind == "while" and heat is None:
        return
    calls = [call for call in where.calls_in(fact.number) if _in_turn(call, fact, where)]
    asked = _asked(calls, heat, where)
    if asked and not _is_spaced(fact, calls, where):
        yield _hit(fact, heat, asked, where)


def _switched_off(call: Call, where: Where) -> Iterator[Hit]:
    """Report ``ccxt.binance({"enableRateLimit": False})``."""
    client = where.client(call)
    if client is None or client.library != "ccxt":
        return
    for value in call.args:
        for key, item in zip(value.keys, value.items, strict=False):
            if key.const in _SWITCHES and item.const is False:
                yield Hit(
                    call.place,
                    call.block,
                    message=f"{key.const} is False: nothing spaces the requests of {call.func}",
                    fix="Leave enableRateLimit at its default, True.",
                    confidence=where.confidence(call),
                )


def _in_turn(call: Call, loop: Block, where: Where) -> bool:
    """Leave out failure paths and what an inner endless loop drives."""
    if next(where.around(call.block, "except"), None) is not None:
        return False
    endless = where.hot_regions.loops
    return not any(
        inner.number != loop.number and (where.index, inner.number) in endless
        for inner in where.loops(call.block)
        if inner.number > loop.number
    )


def _asked(calls: list[Call], heat: Heat | None, where: Where) -> list[_Asked]:
    """Return the requests to servers with a known limit, one for each server."""
    found: dict[str, _Asked] = {}
    depth = 5 if heat is not None else 2
    for reach in reaches(where, calls, lambda site: _is_request(site, where), depth):
        if reach.repeated:
            continue  # the loop that repeats it speaks for itself
        view = where.sibling(reach.sink[0])
        sink = view.file.calls[reach.sink[1]]
        limit = limit_of(sink, view)
        if limit is not None and limit.server not in found:
            found[limit.server] = _Asked(reach, limit, view.confidence(sink))
    return list(found.values())


def _is_request(site: Site, where: Where) -> bool:
    effect = site.effect
    return effect is not None and asks_server(site) and not is_stream(effect, where)


def _is_spaced(loop: Block, calls: list[Call], where: Where) -> bool:
    """Tell whether something on the way waits, or the program has a throttle at all."""
    if any(pauses(call, where) for call in calls):
        return True
    if any(is_limiter(where.block(number), where) for number in where.below(loop.number)):
        return True
    if any(is_limiter(block, where) for block in where.around(loop.number, "with")):
        return True
    return _has_throttle(where)


@survey(any)
def _has_throttle(where: Where) -> bool:
    return any(
        entry.module.partition(".")[0] in _THROTTLING or entry.name in _THROTTLING
        for entry in where.file.imports
    )


def _hit(loop: Block, heat: Heat | None, asked: list[_Asked], where: Where) -> Hit:
    first = asked[0]
    label = f"the {heat.label}" if heat else f"the loop in {where.name(loop.number)}()"
    servers = " and ".join(one.limit.server for one in asked)
    call = where.file.calls[first.reach.path[0][1]]
    sure = all(one.confidence is Confidence.DEFINITE for one in asked)
    return Hit(
        call.place,
        call.block,
        message=(
            f"{label} (line {loop.place[0]}) asks {servers} without a throttle; "
            f"{first.limit.server} allows {first.limit.words}"
        ),
        fix=f"Space the calls with a limiter that all of them share; see {first.limit.source}.",
        confidence=Confidence.DEFINITE
        if sure and len(first.reach.path) == 1
        else Confidence.PROBABLE,
        trace=steps(where, first.reach),
    )
