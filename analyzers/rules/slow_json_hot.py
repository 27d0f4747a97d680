"""PS1102: the standard library's json in the loop that receives a stream."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, rule

_JSON = frozenset({"json.loads", "json.dumps"})
_NEAR = 2
"""Helpers between the stream and the call; further away, not each message comes by."""


@rule("PS1102", "slow-json-hot", Severity.INFO, on=Call, calls=("loads", "dumps"))
def slow_json_hot(call: Call, where: Where) -> Iterator[Hit]:
    """Report `json.loads` and `json.dumps` for each message of a WebSocket.

    What it does:
        Looks for the standard library's json in loops that receive from a WebSocket, in its message
        callbacks, and in helpers that these call for each message.

    Why it costs a bot:
        At thousands of messages a second the parser is a good part of the bot's computing time.
        orjson and msgspec take a fifth to a half of it and accept bytes as they arrive.

    Example:
        import json
        import websockets

        async def listen(uri):
            async with websockets.connect(uri) as stream:
                async for message in stream:
                    print(json.loads(message)["price"])

    Use instead:
        import orjson
        import websockets

        async def listen(uri):
            async with websockets.connect(uri) as stream:
                async for message in stream:
                    print(orjson.loads(message)["price"])

    When it is fine:
        On quiet streams, and outside of them.
    """
    paths = where.paths(call)
    if not paths or not _JSON.issuperset(paths):
        return
    heat = where.hot(call.block)
    if heat is None or len(heat.via) > _NEAR or not _is_stream(heat, where):
        return
    yield Hit(
        call.place,
        call.block,
        message=f"{paths[0]}() runs for each message of the {heat.label}",
        fix=f"Use orjson.{call.func.rpartition('.')[2]} or msgspec: several times faster.",
    )


def _is_stream(heat: Heat, where: Where) -> bool:
    """Tell whether messages of a WebSocket drive the code."""
    if heat.kind == "receive":
        return True
    program = where.program
    return any(
        "websocket_callbacks" in where.knowledge.roles(entry.callback.target)
        for function in [_handler(heat, where)]
        for entry in program.registrations.get(function, ())
    )


def _handler(heat: Heat, where: Where) -> tuple[int, int]:
    """Return the function that is called for each message: where the way to the code starts."""
    if not heat.via:
        for function, own in where.hot_regions.functions.items():
            if own == heat:
                return function
    return where.program.function_of(heat.via[0]) if heat.via else (-1, -1)
