"""PS301: a connection pool, or a connection, for every call."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.containers import is_far
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Function
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.keeping import (
    bound_to,
    callers,
    fate,
    is_cached,
    is_exceptional,
    mentions,
    remembers,
    used_for_long,
    way_to,
)
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_START_UP = frozenset(
    {
        "__init__", "__new__", "__post_init__", "__aenter__", "__enter__", "main", "lifespan",
        "on_ready", "setup_hook", "on_startup", "startup", "post_init", "setup", "connect",
        "reconnect", "start",
    }
)  # fmt: skip
"""Functions that open what others use; some are handlers by decoration, none runs per event."""

_KEEP_ALIVE_S = 60
"""Servers close idle connections after 60 to 75 seconds (nginx, AWS load balancers): a loop that
pauses longer has nothing to reuse."""


@rule("PS301", "client-per-call", Severity.HIGH, on=Function)
def client_per_call(function: Function, where: Where) -> Iterator[Hit]:
    """Report HTTP clients and single requests that open a new connection on every call.

    What it does:
        Looks at functions that an endless loop, a handler or a job runs again and again, or that a
        loop over data calls. Reports a client (requests.Session, httpx.AsyncClient,
        aiohttp.ClientSession, an exchange SDK) that is built there and thrown away, and, once a
        function, calls such as requests.get that connect, ask once and disconnect.

    Why it costs a bot:
        Each new connection costs a DNS lookup, a TCP and a TLS handshake: two to four round trips,
        100 to 300 ms, before the first byte of the request leaves. A pooled client pays that once.

    Example:
        import aiohttp

        async def price(symbol):
            async with aiohttp.ClientSession() as session:
                async with session.get(f"https://api.example.org/price/{symbol}") as reply:
                    return await reply.json()

        async def watch(symbols):
            while True:
                for symbol in symbols:
                    print(await price(symbol))

    Use instead:
        import aiohttp

        async def price(session, symbol):
            async with session.get(f"https://api.example.org/price/{symbol}") as reply:
                return await reply.json()

        async def watch(symbols):
            async with aiohttp.ClientSession() as session:
                while True:
                    for symbol in symbols:
                        print(await price(session, symbol))

    When it is fine:
        When the client is kept (an attribute, a global, a cached factory), when it lives as long
        as the loop inside it, when each caller brings its own credentials, at start-up, and when
        the loop pauses for a minute or more, so that no connection would survive anyway.
    """
    if function.name in _START_UP or is_cached(where.function_id(function.block), where):
        return
    one_shots: list[Call] = []
    for call in where.calls_in(function.block):
        if "one_shot" in where.roles(call) and not _is_websocket(call, where):
            one_shots.append(call)
        elif _is_client(call, where) and not _in_a_loop(call, where):
            yield from _client(call, function, where)
    yield from _one_shots(one_shots, where)


def _in_a_loop(call: Call, where: Where) -> bool:
    """Tell whether a loop of the function itself repeats the call (PS302); retries do not count."""
    endless = where.hot_regions.loops
    return any(
        loop.kind != "while" or (where.index, loop.number) in endless
        for loop in where.data_loops(call.block)
    )


def _is_websocket(call: Call, where: Where) -> bool:
    return "websocket_connect" in where.roles(call)  # PS402 knows more about those


def _is_client(call: Call, where: Where) -> bool:
    client = where.client(call)
    return client is not None and client.is_client and client.library != "websocket-client"


def _client(call: Call, function: Function, where: Where) -> Iterator[Hit]:
    becomes = fate(call, where)
    if becomes == "kept" or _is_fallback(call, function, where):
        return
    if used_for_long(_region(call, function, where), where):
        return
    if becomes == "local" and not function.is_generator:
        found = _repeated(call, function, where)
        if found is not None:
            yield _client_hit(call, function, where, *found)
    elif becomes == "returned":
        for view, caller in callers(where.function_id(call.block), where):
            heat = view.hot(caller.block)
            if heat is None or is_exceptional(heat, view):
                continue
            if fate(caller, view) == "local":
                owner = view.function(caller.block)
                if owner is None or owner.name in _START_UP or _guarded(caller, view):
                    continue
                yield _client_hit(call, function, where, heat.label, heat)
                return


def _is_fallback(call: Call, function: Function, where: Where) -> bool:
    """Tell whether the client is built only when the caller or the object has none."""
    params = {param.name for param in function.params}
    for block in where.around(call.block, "if"):
        test = block.value
        missing = test is not None and test.kind == "binary" and test.ref == "Not"
        if test is not None and missing and test.items[0].ref.startswith("self."):
            return True
    if _has_own(call, where) or any(target in params for target in bound_to(call, where)):
        return True
    return any(
        assign.value.kind in {"conditional", "boolean"}
        and any(item.ref == f"@{call.number}" for item in assign.value.items)
        and any(item.ref in params for item in assign.value.items)
        for assign in where.file.assigns
    )


def _has_own(call: Call, where: Where) -> bool:
    """Tell whether the object's own client, if it has one, has answered before the call."""
    here = where.block(call.block).function
    for jump in where.file.jumps:
        if jump.kind != "return" or jump.place[0] >= call.place[0]:
            continue
        asked, guard = where.call_of(jump.value), where.block(jump.block)
        if asked is None or guard.kind != "if" or guard.function != here or guard.value is None:
            continue
        owner = asked.func.rpartition(".")[0]
        if owner.startswith("self.") and mentions(guard.value, owner):
            return True
    return False


def _guarded(call: Call, where: Where) -> bool:
    """Tell whether a call happens only on some condition or after a failure."""
    return next(where.around(call.block, "if", "except"), None) is not None


def _repeated(call: Call, function: Function, where: Where) -> tuple[str, Heat | None] | None:
    """Return what runs the function again and again, in words and as a fact."""
    heat = where.hot(call.block)
    if heat is not None:
        seldom = is_exceptional(heat, where) or is_far(heat)
        return None if seldom else (heat.label, heat)
    for view, caller in callers(where.function_id(call.block), where):
        loops = [loop for loop in view.data_loops(caller.block) if loop.kind != "while"]
        if loops and not view.starting(caller):
            return f"loop at {view.file.path}:{loops[0].place[0]}", None
    return None


def _region(call: Call, function: Function, where: Where) -> int:
    """Return the block in which the client is used: its ``with``, else the whole function."""
    for block in where.file.blocks:
        if block.kind == "with" and block.value and block.value.ref == f"@{call.number}":
            return block.number
    return function.block


def _client_hit(call: Call, function: Function, where: Where, label: str, heat: Heat | None) -> Hit:
    client = where.client(call)
    assert client is not None
    own = {param.name for param in function.params} - {"self", "cls"}
    per_caller = bool(own.intersection(call.names))
    region = _region(call, function, where)
    shared = any(
        block.kind in {"for", "comp"} and not where.is_constant(block)
        for block in map(where.block, where.below(region))
    )
    name = call.func.rpartition(".")[2]
    return Hit(
        call.place,
        call.block,
        message=(
            f"{function.name}() builds a new {name} for each run of the {label}, "
            "so no connection is ever reused"
        ),
        fix=f"Build one {name} when the bot starts, keep it and pass it to {function.name}().",
        severity=Severity.MEDIUM if shared else None,
        confidence=Confidence.POSSIBLE if per_caller else _surely(client.evidence),
        trace=way_to(call, where, heat) if heat else (),
    )


def _surely(evidence: str) -> Confidence:
    return Confidence.PROBABLE if evidence == "general" else Confidence.DEFINITE


def _one_shots(calls: list[Call], where: Where) -> Iterator[Hit]:
    """Report the first of a function's one-shot calls that is repeated, once."""
    for call in calls:
        heat = where.hot(call.block)
        if heat is None or where.confidence(call) is Confidence.POSSIBLE:
            continue
        if _pauses_long(heat, where) or is_exceptional(heat, where) or is_far(heat):
            continue
        if remembers(call, where):
            continue
        effect = where.effect(call)
        name = effect.readable if effect else call.func
        also = f" (and {len(calls) - 1} more here)" if len(calls) > 1 else ""
        library = name.partition(".")[0]
        client = {
            "requests": "requests.Session",
            "httpx": "httpx.Client",
            "aiohttp": "aiohttp.ClientSession",
            "curl_cffi": "curl_cffi.requests.Session",
        }.get(library, "urllib3.PoolManager")
        yield Hit(
            call.place,
            call.block,
            message=f"{name}(){also} opens a new connection for each run of the {heat.label}",
            fix=f"Keep one {client} and call its methods; it reuses connections.",
            confidence=where.confidence(call),
            trace=way_to(call, where, heat),
        )
        return


def _pauses_long(heat: Heat, where: Where) -> bool:
    if heat.block < 0:
        return False
    view = where.sibling(heat.file)
    return any(
        "sleep" in view.roles(call) and _seconds(call, view) >= _KEEP_ALIVE_S
        for call in view.calls_in(heat.block)
        if not _under(call, view, "except", "if")
    )


def _under(call: Call, where: Where, *kinds: str) -> Block | None:
    return next(where.around(call.block, *kinds), None)


def _seconds(call: Call, where: Where) -> float:
    value = where.argument(call, 0, "delay")
    if value is None:
        return 0.0
    if isinstance(value.const, int | float):
        return float(value.const)
    if value.kind == "binary" and value.ref == "Mult":
        factors = [item.const for item in value.items]
        if all(isinstance(factor, int | float) for factor in factors):
            product = 1.0
            for factor in factors:
                product *= float(factor or 0)
            return product
    return 0.0
