"""PS404: a WebSocket that would never notice that the other side is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.keeping import callers
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, LibraryCall, rule

_LIVELY = re.compile(
    r"ping|pong|heart_?beat|keep_?alive|watchdog|stale|last_(recv|message|seen)", re.I
)
"""What bots call their own check that the stream is alive."""

_LIMITS = ("wait_for", "timeout", "timeout_at", "fail_after", "move_on_after", "settimeout")

_PINGS = {
    "websockets.connect": ("ping_interval", "none"),
    "websockets.sync.client.connect": ("ping_interval", "none"),
    "aiohttp.ClientSession().ws_connect": ("heartbeat", "absent"),
    "websocket.WebSocketApp().run_forever": ("ping_interval", "absent"),
}
"""How a connect call switches pings on, and whether they are off by default or only on demand."""

_OWN_LIMITS = {"aiohttp.ClientSession().ws_connect": ("receive_timeout", "timeout", "autoping")}


@rule("PS404", "ws-recv-no-timeout", Severity.LOW, on=LibraryCall)
def ws_recv_no_timeout(call: Call, where: Where) -> Iterator[Hit]:
    """Report WebSockets that have neither pings nor a limit on the wait for a message.

    What it does:
        Finds connections whose heartbeat is off (`ping_interval=None` of websockets) or was never
        switched on (aiohttp's `ws_connect`, websocket-client's `run_forever`), in a file that
        neither pings by itself nor limits the wait for the next message. Says so when nothing
        connects again either.

    Why it costs a bot:
        A router that forgets the connection, or a server that dies without a word, closes
        nothing. The bot waits for ever for a message, alive and deaf, and trades on old prices.

    Example:
        import websockets

        async def listen(handle):
            async with websockets.connect("wss://x.example.org", ping_interval=None) as ws:
                while True:
                    handle(await ws.recv())

    Use instead:
        import websockets

        async def listen(handle):
            async with websockets.connect("wss://x.example.org", ping_interval=20) as ws:
                while True:
                    handle(await ws.recv())

    When it is fine:
        Pings of the application's own, a watchdog, `asyncio.wait_for` or `asyncio.timeout` around
        the receive, and the default of websockets, which pings every 20 seconds.
    """
    if "websocket_connect" not in where.roles(call):
        return
    path = where.path(call)
    switch = _PINGS.get(path)
    if switch is None or where.confidence(call) is Confidence.POSSIBLE:
        return
    keyword, default = switch
    given = dict(call.keywords)
    if "**" in given or any(name in given for name in _OWN_LIMITS.get(path, ())):
        return
    if not _is_off(given.get(keyword), default) or _is_watched(call, where):
        return
    yield _hit(call, path, keyword, where)


def _is_off(value: Value | None, default: str) -> bool:
    if value is None:
        return default == "absent"
    return value.kind == "const" and not value.const


def _is_watched(call: Call, where: Where) -> bool:
    """Tell whether the file checks by itself that the connection is alive."""
    facts = where.file
    if any(_LIVELY.search(function.name) for function in facts.functions):
        return True
    if any(_LIVELY.search(assign.target) for assign in facts.assigns):
        return True
    for other in facts.calls:
        last = other.func.rpartition(".")[2]
        if last in _LIMITS or _LIVELY.search(last):
            return True
        if last.startswith("receive") and dict(other.keywords).get("timeout"):
            return True
        if any(_says_ping(value) for value in (*other.args, *dict(other.keywords).values())):
            return True
    return False


def _says_ping(value: Value) -> bool:
    if isinstance(value.const, str) and _LIVELY.search(value.const):
        return True
    return any(_says_ping(item) for item in value.items)


def _hit(call: Call, path: str, keyword: str, where: Where) -> Hit:
    name = path.replace("().", ".")
    lasting = not _connects_again(call, where)
    alone = ", and nothing connects again" if lasting else ""
    return Hit(
        call.place,
        call.block,
        message=f"{name}() without pings never notices that the server is gone{alone}",
        fix=f"Pass {keyword}=20, and connect again when the connection breaks.",
        confidence=where.confidence(call),
    )


def _connects_again(call: Call, where: Where) -> bool:
    """Tell whether a loop repeats the connect, here or around a caller."""
    if where.loops(call.block) or "reconnect" in dict(call.keywords):
        return True
    return any(
        view.loops(caller.block) or view.hot(caller.block) is not None
        for view, caller in callers(where.function_id(call.block), where)
    )
