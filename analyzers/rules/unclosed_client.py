"""PS303: a client or connection that nobody closes."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.keeping import bound_to, fate, used_for_long, way_to
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.project import FunctionId
from perfscan.analyzers.registry import Hit, LibraryCall, rule

_OPENS = "database_connect"
_CLOSES = frozenset(
    {
        "close", "aclose", "disconnect", "close_connection", "shutdown", "stop", "quit", "release",
        "putconn", "terminate", "wait_closed", "__exit__", "__aexit__", "enter_context",
        "enter_async_context", "push_async_callback", "callback", "closing", "aclosing", "detach",
        "logout", "exit", "cleanup", "dispose", "close_session", "finalize",
    }
)  # fmt: skip

_SELF_CLOSING = frozenset(
    {"pymongo", "motor", "playwright", "selenium", "SQLAlchemy", "web3", "openai", "anthropic"}
)
"""Libraries whose clients are closed in other ways (the last two by the garbage collector, as they
promise), or hold nothing that needs it."""


@rule("PS303", "unclosed-client", Severity.MEDIUM, on=LibraryCall)
def unclosed_client(call: Call, where: Where) -> Iterator[Hit]:
    """Report clients that a function opens, uses and forgets without closing them.

    What it does:
        Follows clients with connections of their own (aiohttp.ClientSession, httpx.AsyncClient,
        asynchronous exchange SDKs, WebSockets, database connections) that a function builds
        outside of `with`, never closes, keeps nowhere and hands to nobody.

    Why it costs a bot:
        A forgotten asynchronous client keeps its sockets until the garbage collector finds it,
        and then cannot close them in order: file descriptors run out after hours, with "Unclosed
        client session" in the log and connections in CLOSE_WAIT on the server.

    Example:
        import aiohttp

        async def price(symbol):
            session = aiohttp.ClientSession()
            reply = await session.get(f"https://api.example.org/price/{symbol}")
            return await reply.json()

    Use instead:
        import aiohttp

        async def price(symbol):
            async with aiohttp.ClientSession() as session:
                reply = await session.get(f"https://api.example.org/price/{symbol}")
                return await reply.json()

    When it is fine:
        A client that an object or a module keeps and closes elsewhere, one that the caller gets,
        and one that lives as long as the program.
    """
    kind = _kind(call, where)
    if kind is None or call.use == "with" or where.starting(call):
        return
    if call.use == "receiver":
        if not _is_used_up(call, where):
            return
    elif fate(call, where) != "local":
        return
    names = bound_to(call, where)
    function = where.function(call.block)
    if function is None or function.name == "main" or used_for_long(function.block, where):
        return
    if any(_is_cared_for(name, call, where) for name in names):
        return
    if not names and call.use not in {"statement", "receiver"}:
        return
    yield _hit(call, kind, where)


def _kind(call: Call, where: Where) -> str | None:
    """Return ``async`` or ``sync`` for something that has to be closed, None for the rest."""
    if where.confidence(call) is Confidence.POSSIBLE:
        return None
    client = where.client(call)
    if client is not None and client.is_client and client.library != "websocket-client":
        if client.library in _SELF_CLOSING or not client.is_async:
            return None  # a synchronous one is closed as soon as the function returns
        return "async" if client.cost in {"network", "database"} else None
    roles = where.roles(call)
    if _OPENS in roles or ("websocket_connect" in roles and not _on_instance(call, where)):
        effect = where.effect(call)
        return None if effect is None else "async" if effect.is_async else "sync"
    return None


def _is_used_up(call: Call, where: Where) -> bool:
    """Tell whether a method of the new client is called and the client itself thrown away."""
    for other in where.file.calls[call.number + 1 :]:
        receiver, _, method = other.func.rpartition(".")
        if receiver == f"@{call.number}":
            return method not in _CLOSES and not method.startswith("__")
    return False


def _on_instance(call: Call, where: Where) -> bool:
    """Tell whether an object that is there already connects: ``sio.connect()`` returns nothing."""
    return call.func.rpartition(".")[2] in {"connect", "run_forever"} and "()" in where.path(call)


def _is_cared_for(name: str, call: Call, where: Where) -> bool:
    """Tell whether something closes the client, keeps it or takes it over."""
    blocks = where.file.blocks
    home = blocks[call.block].function
    for other in where.file.calls:
        if other.number == call.number or not _within(other.block, home, where):
            continue
        receiver, _, method = other.func.rpartition(".")
        if receiver == name and method in _CLOSES:
            return True
        given = [*other.args, *(value for _, value in other.keywords)]
        if any(_holds(value, name) for value in given) and not _borrows(other, name, where):
            return True
    for block in blocks:
        managed = block.kind == "with" and block.value is not None and _holds(block.value, name)
        if managed and _within(block.number, home, where):
            return True
    return any(
        assign.value.ref == name and _within(assign.block, home, where) and "." in assign.target
        for assign in where.file.assigns
    )


def _within(block: int, home: int, where: Where) -> bool:
    """Tell whether a block belongs to a function or to one nested in it."""
    functions = where.file.functions
    index = where.file.blocks[block].function
    while index >= 0 and index != home:
        index = functions[index].parent
    return index == home


def _holds(value: Value, name: str) -> bool:
    return value.ref == name or any(_holds(item, name) for item in value.items)


def _borrows(call: Call, name: str, where: Where) -> bool:
    """Tell whether scanned functions get the client and neither close nor keep nor pass it on."""
    targets = where.targets(call)
    if not targets or any(thing.kind == "class" for thing in where.site(call).things):
        return False
    positions = [i for i, value in enumerate(call.args) if value.ref == name]
    keywords = [keyword for keyword, value in call.keywords if value.ref == name]
    if len(positions) + len(keywords) != 1:
        return False
    return all(_only_uses(target, positions, keywords, where) for target in targets)


def _only_uses(target: FunctionId, positions: list[int], keywords: list[str], where: Where) -> bool:
    facts = where.program.function(target)
    if facts is None:
        return False
    params = [param.name for param in facts.params]
    if facts.owner >= 0 and params and params[0] in {"self", "cls"}:
        params = params[1:]
    name = keywords[0] if keywords else next(iter(params[positions[0] :]), "")
    if name not in params:
        return False
    view = where.sibling(target[0])
    used = view.program.sites_of(target)
    for site in used:
        receiver, _, method = site.call.func.rpartition(".")
        if receiver == name and method in _CLOSES:
            return False
        given = [*site.call.args, *(value for _, value in site.call.keywords)]
        if any(_holds(value, name) for value in given):
            return False
    blocks = view.file.blocks
    here = [a for a in view.file.assigns if blocks[a.block].function == target[1]]
    jumps = [j for j in view.file.jumps if blocks[j.block].function == target[1]]
    managed = any(
        b.kind == "with" and b.function == target[1] and b.value is not None and b.value.ref == name
        for b in blocks
    )
    kept = any(_holds(a.value, name) for a in here)
    returned = any(j.value is not None and _holds(j.value, name) for j in jumps)
    return not (managed or kept or returned)


def _hit(call: Call, kind: str, where: Where) -> Hit:
    heat: Heat | None = where.hot(call.block)
    name = call.func.rpartition(".")[2]
    thing = name if name[:1].isupper() else f"what {call.func}() opens"
    again = f", in each run of the {heat.label}" if heat else ""
    return Hit(
        call.place,
        call.block,
        message=f"{where.name(call.block)}() never closes {thing}{again}",
        fix=(
            f"Open it with {'async with' if kind == 'async' else 'with contextlib.closing'}, or "
            "keep one and close it when the bot stops."
        ),
        severity=None if kind == "async" else Severity.LOW,
        confidence=where.confidence(call),
        trace=way_to(call, where, heat) if heat else (),
    )
