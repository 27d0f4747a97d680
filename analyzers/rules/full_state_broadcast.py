"""PS405: the whole state, serialised and sent again with every tick or for every client."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Value
from perfscan.analyzers.literals import Spot, source
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_SENDS = frozenset(
    {
        "send",
        "send_json",
        "send_str",
        "send_text",
        "send_bytes",
        "broadcast",
        "emit",
        "send_message",
    }
)
_CLIENT = re.compile(
    r"(^|_)(ws|websocket|sock|socket|client|conn|connection|subscriber|sio|socketio|peer|viewer)s?$",
    re.IGNORECASE,
)
_SERVERS = frozenset(
    {
        "websockets", "aiohttp", "fastapi", "starlette", "flask_socketio", "flask_sock", "socketio",
        "tornado", "quart", "sanic", "simple_websocket", "geventwebsocket",
    }
)  # fmt: skip
"""Libraries that serve WebSockets: with one of them, ``client.send`` is what it seems to be."""

_DUMPS = frozenset(
    {"dumps", "dump_json", "model_dump_json", "json", "to_json", "encode", "jsonable_encoder"}
)
_WHOLE = re.compile(
    r"^_*(get_|build_|make_|full_|current_|all_|whole_|collect_|as_)*"
    r"(state|states|snapshot|everything|dashboard|to_dict|asdict|dump_all)$",
    re.IGNORECASE,
)
"""Functions and attributes that hand out all there is."""

_EVENT = "emit"


@rule("PS405", "full-state-broadcast", Severity.MEDIUM, on=Call)
def full_state_broadcast(call: Call, where: Where) -> Iterator[Hit]:
    """Report loops that send all of their state to WebSocket clients again and again.

    What it does:
        Looks at messages to WebSocket clients in a loop over the clients or in an endless loop.
        Reports those that hold a whole container of the bot (`self.state`, `PRICES`) or a snapshot
        of everything, and, as low, messages that are the same for all clients and serialised
        for each one.

    Why it costs a bot:
        Between two ticks a few prices change, and 200 kB of JSON go out again: serialising holds
        up the event loop for milliseconds for each client, and slow clients fall behind.

    Example:
        import asyncio
        import json
        import websockets

        class Dashboard:
            def __init__(self):
                self.clients = set()
                self.state = {}

            async def run(self):
                while True:
                    for client in self.clients:
                        await client.send(json.dumps(self.state))
                    await asyncio.sleep(1)

    Use instead:
        import asyncio
        import json
        import websockets

        class Dashboard:
            def __init__(self):
                self.clients = set()
                self.state = {}
                self.changed = {}

            async def run(self):
                while True:
                    delta, self.changed = self.changed, {}
                    if delta:
                        websockets.broadcast(self.clients, json.dumps(delta))
                    await asyncio.sleep(1)

    When it is fine:
        The first message to a client that has just connected, and a state of a few values.
    """
    last = call.func.rpartition(".")[2]
    if last not in _SENDS or not call.args:
        return
    confidence = _sends(call, last, where)
    if confidence is None:
        return
    payload = call.args[1] if last == _EVENT and len(call.args) > 1 else call.args[-1]
    clients = _loop_over_clients(call, where)
    ticking = _ticks(call, where)
    if clients is None and not ticking:
        return
    whole = _whole(payload, call, where, 0)
    if whole:
        yield _hit(call, whole, clients, confidence, where)
    elif clients is not None and _dumped_for_each(payload, call, clients, where):
        yield _same_hit(call, clients, confidence)


def _sends(call: Call, last: str, where: Where) -> Confidence | None:
    """Return how surely the call sends to a WebSocket client; None when it does not."""
    if "websocket_send" in where.roles(call):
        return Confidence.DEFINITE
    receiver = call.func.rpartition(".")[0]
    name = receiver.rpartition(".")[2]
    path = where.path(call)
    if where.targets(call) or (path and not path.startswith("builtins.")):
        return None  # it is known to be something else
    if name == "[]":
        name = receiver.rpartition(".[]")[0].rpartition(".")[2]
    if not _CLIENT.search(name):
        return None
    imported = {entry.module.partition(".")[0] for entry in where.file.imports}
    return Confidence.PROBABLE if imported & _SERVERS else None


def _loop_over_clients(call: Call, where: Where) -> Block | None:
    """Return the loop or comprehension whose variable is the receiver."""
    receiver = call.func.partition(".")[0]
    for loop in where.loops(call.block):
        if receiver in loop.targets and not where.is_constant(loop):
            return loop
    return None


def _ticks(call: Call, where: Where) -> bool:
    """Tell whether an endless loop or a job sends, rather than the answer to a client."""
    heat = where.hot(call.block)
    if heat is None or next(where.around(call.block, "except"), None) is not None:
        return False
    return heat.kind in {"loop", "job"} or "websocket_receive" in heat.kind


def _whole(value: Value, call: Call, where: Where, depth: int) -> str:
    """Return the name of the whole state that a message holds, "" when it holds a part."""
    if depth > 4:
        return ""
    made = where.call_of(value)
    if made is not None:
        last = made.func.rpartition(".")[2]
        if _WHOLE.match(last):
            return f"{made.func}()"
        inner = [*made.args[:1], Value("ref", made.func.rpartition(".")[0])]
        if last in _DUMPS or made.func in {"dict", "list"}:
            return next(filter(None, (_whole(v, call, where, depth + 1) for v in inner)), "")
        return ""
    if value.kind == "dict":
        return next(filter(None, (_whole(v, call, where, depth + 1) for v in value.items)), "")
    if value.kind != "ref" or "[]" in value.ref or value.ref.startswith("$"):
        return ""
    if _is_state(value, call, where):
        return value.ref
    found = source(Spot(value, where, call.block))
    if found is None or found.value is value or found.where.index != where.index:
        return ""
    return _whole(found.value, call, where, depth + 1)


def _is_state(value: Value, call: Call, where: Where) -> bool:
    """Tell whether a name is a dictionary that outlives the call and that the bot fills."""
    name = value.ref
    shared = name.startswith("self.") and name.count(".") == 1
    if not shared and "." not in name:
        scopes = where.program.names.scopes[where.index]
        function = where.function(call.block)
        local = function is not None and name in scopes.table.get(function.block, ())
        shared = not local and name in scopes.table.get(0, ())
    if not shared:
        return False
    kinds = {(thing.kind, thing.path) for thing in where.things(value, call.block, call.number)}
    held = any(
        kind == "container" or path in {"builtins.dict()", "collections.defaultdict()"}
        for kind, path in kinds
    )
    return held and _is_filled(name, where)


def _is_filled(name: str, where: Where) -> bool:
    """Tell whether keys are set in it one by one: the next message could hold just those."""
    return any(assign.target.startswith(f"{name}.[]") for assign in where.file.assigns) or any(
        call.func == f"{name}.update" for call in where.file.calls
    )


def _dumped_for_each(payload: Value, call: Call, loop: Block, where: Where) -> bool:
    """Tell whether the same text is made for every client in turn."""
    inside = where.below(loop.number)
    made = where.call_of(payload)
    if made is None or made.block not in inside or made.func.rpartition(".")[2] not in _DUMPS:
        return False
    varying = set(loop.targets)
    for assign in where.file.assigns:
        if assign.block in inside:
            varying.add(assign.target.partition(".")[0])
    return bool(made.args) and not varying.intersection(made.names)


def _hit(
    call: Call, whole: str, clients: Block | None, confidence: Confidence, where: Where
) -> Hit:
    each = "for each client" if clients is not None else "in every turn"
    return Hit(
        call.place,
        call.block,
        message=f"{where.name(call.block)}() serialises and sends all of {whole} {each}",
        fix=(
            "Collect what has changed since the last message, serialise that once, and send it to "
            "all clients."
        ),
        confidence=confidence,
    )


def _same_hit(call: Call, clients: Block, confidence: Confidence) -> Hit:
    return Hit(
        call.place,
        call.block,
        message=f"the loop at line {clients.place[0]} serialises the same message for each client",
        fix="Serialise the message once, before the loop.",
        severity=Severity.LOW,
        confidence=confidence,
    )
