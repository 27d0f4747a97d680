"""PS402: a WebSocket that is opened again for every message."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.containers import is_far
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Value
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.keeping import callers, fate, used_for_long, way_to
from perfscan.analyzers.model import Confidence, Severity, TraceStep
from perfscan.analyzers.registry import Hit, LibraryCall, rule

_END = re.compile(r"clos|err|stop|runn|type|cancel|shut|alive|active", re.IGNORECASE)


@rule("PS402", "ws-connect-per-message", Severity.HIGH, on=LibraryCall)
def ws_connect_per_message(call: Call, where: Where) -> Iterator[Hit]:
    """Report WebSockets that are opened, used for a message or two, and opened again.

    What it does:
        Finds calls that open a WebSocket in an endless loop or a handler, directly or in a helper
        that returns the connection, where no receive loop without an end follows.

    Why it costs a bot:
        Each connect is a TCP, a TLS and an HTTP exchange plus a new subscription: often half a
        second. Whatever the server sends in the meantime is lost, because a stream has no memory.

    Example:
        import websocket

        def next_price():
            ws = websocket.create_connection("wss://stream.example.org", timeout=30)
            ws.send('{"method": "SUBSCRIBE"}')
            message = ws.recv()
            ws.close()
            return message

        def main():
            while True:
                print(next_price())

    Use instead:
        import websocket

        def main():
            ws = websocket.create_connection("wss://stream.example.org", timeout=30)
            ws.send('{"method": "SUBSCRIBE"}')
            while True:
                print(ws.recv())

    When it is fine:
        A loop that connects again after the connection broke: the receive loop is inside it.
    """
    if "websocket_connect" not in where.roles(call) or not _connects_here(call, where):
        return
    becomes = fate(call, where)
    if becomes == "kept" or _belongs_to_object(call):
        return
    if becomes == "returned":
        for view, caller in callers(where.function_id(call.block), where):
            heat = _per_turn(caller, view)
            if heat is not None and fate(caller, view) == "local":
                last = where.step((where.index, call.number))
                before = way_to(caller, view, heat) or (view.step((view.index, caller.number)),)
                yield _hit(call, where, heat, (*before, last))
                return
        return
    heat = _per_turn(call, where)
    if heat is not None:
        yield _hit(call, where, heat, way_to(call, where, heat))


def _connects_here(call: Call, where: Where) -> bool:
    """Leave out ``async for ws in connect(...)``, which reconnects by itself."""
    return call.use != "iterated" and where.confidence(call) is not Confidence.POSSIBLE


def _belongs_to_object(call: Call) -> bool:
    """Tell whether an object keeps the connection: ``await self.sio.connect()``."""
    receiver, _, method = call.func.rpartition(".")
    return method == "connect" and receiver.startswith("self.")


def _per_turn(call: Call, where: Where) -> Heat | None:
    """Return what repeats the connect, unless the connection serves a loop of its own."""
    heat = where.hot(call.block)
    if heat is None or is_far(heat) or next(where.around(call.block, "except"), None) is not None:
        return None
    own_loop = heat.file == where.index and heat.block in {
        block.number for block in where.around(call.block)
    }
    if own_loop:
        region = _with_of(call, where)
        inside = where.below(heat.block) - {heat.block}
        body = where.below(region) if region is not None else inside
        loops = [loop for loop in map(where.block, body) if _is_loop(loop)]
        if any(not _ends_early(loop, where) for loop in loops):
            return None
        if _runs_on(call, where, region if region is not None else call.block):
            return None
        return heat
    function = where.function(call.block)
    region = _with_of(call, where)
    if region is None:
        region = function.block if function is not None else 0
    return None if _serves_long(region, where) else heat


def _with_of(call: Call, where: Where) -> int | None:
    for block in where.file.blocks:
        if block.kind == "with" and block.value and block.value.ref == f"@{call.number}":
            return block.number
    return None


def _serves_long(region: int, where: Where) -> bool:
    loops = [loop for loop in map(where.block, where.below(region)) if _is_loop(loop)]
    if loops:
        return any(not _ends_early(loop, where) for loop in loops)
    return used_for_long(region, where)


def _is_loop(block: Block) -> bool:
    return block.kind == "while" or (block.kind == "for" and block.is_async)


def _runs_on(call: Call, where: Where, block: int) -> bool:
    """Tell whether a call after the connect works through the connection without an end."""
    later = [c for c in where.calls_in(block) if c.number > call.number]
    return any(_helper_stays(later_call, where) for later_call in later) or (
        call.func.rpartition(".")[2] == "run_forever"
    )


def _helper_stays(call: Call, where: Where) -> bool:
    for file, function in where.targets(call):
        view = where.sibling(file)
        if used_for_long(view.file.functions[function].block, view):
            return True
    return False


def _ends_early(loop: Block, where: Where) -> bool:
    """Tell whether a receive loop is left with the message that it was waiting for."""
    inside = where.below(loop.number)
    for jump in where.file.jumps:
        if jump.block not in inside or jump.kind not in {"break", "return"}:
            continue
        between = [b for b in where.around(jump.block) if b.number in inside][:-1]
        if any(b.kind == "except" for b in between):
            continue
        if jump.kind == "return" and jump.value is not None and jump.value.kind != "const":
            return True
        if len(between) > 1 or any(b.kind != "if" or _is_end(b.value) for b in between):
            continue
        return True
    return False


def _is_end(test: Value | None) -> bool:
    """Tell whether a condition asks if the stream or the bot has come to its end."""
    if test is None:
        return False
    return (
        test.ref == "Not"
        or test.ref.startswith("@")
        or _END.search(test.ref) is not None
        or any(_is_end(item) for item in test.items)
    )


def _hit(call: Call, where: Where, heat: Heat, trace: tuple[TraceStep, ...]) -> Hit:
    effect = where.effect(call)
    name = effect.readable if effect else call.func
    return Hit(
        call.place,
        call.block,
        message=f"{name}() opens a new WebSocket in each turn of the {heat.label}",
        fix=(
            "Keep one connection open with pings, receive in a loop inside it, and connect again "
            "only when it breaks, after a growing delay."
        ),
        confidence=where.confidence(call),
        trace=trace,
    )
