"""WebSocket sessions for tests, written as lines of a conversation."""

from __future__ import annotations

import json
from collections.abc import Sequence

from perfscan.replay.keys import message_key
from perfscan.replay.model import (
    Close,
    Direction,
    Event,
    MatchRules,
    Message,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.server.draft import Draft, read_drafts
from perfscan.replay.server.frames import parts_of
from perfscan.replay.server.streams import StreamPlan, plan_stream

MS = 1_000_000
RULES = MatchRules()
SENT: Direction = "sent"
RECEIVED: Direction = "received"
Line = tuple[int, Direction, object]


def session(
    number: int,
    opened_ms: int,
    *lines: Line,
    close: Close | None = None,
    target: str = "/?api-key=x",
) -> list[Event]:
    """Return one WebSocket session; lines are (milliseconds, direction, JSON value or text)."""
    opened = Open(number, opened_ms * MS, "https", "rpc.example", 443)
    request = Request(number, number, (opened_ms + 1) * MS, "GET", target)
    response = Response(number, number, (opened_ms + 2) * MS, (opened_ms + 2) * MS, 101)
    messages = [
        Message(
            number,
            at * MS,
            direction,
            data if isinstance(data, str | bytes) else json.dumps(data),
        )
        for at, direction, data in lines
    ]
    return [opened, request, response, *messages, *([close] if close else [])]


def recorded(*parts: Sequence[Event]) -> Recording:
    events = sorted((event for part in parts for event in part), key=lambda event: event.at_ns)
    return Recording(RecordingHeader(), tuple(events))


def draft(*parts: Sequence[Event], rules: MatchRules = RULES) -> Draft:
    (found,) = read_drafts(recorded(*parts), rules, None).values()
    return found


def plan(*parts: Sequence[Event], rules: MatchRules = RULES) -> StreamPlan:
    return plan_stream(draft(*parts, rules=rules))


def subscribe(method: str = "logsSubscribe", number: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": ["all"]}


def acknowledge(subscription: object, number: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "result": subscription, "id": number}


def notice(text: str, subscription: object = 7) -> dict[str, object]:
    return {"method": "n", "params": {"subscription": subscription, "result": text}}


def key(value: dict[str, object]) -> str:
    """Return the unit that a message with one topic is."""
    method = str(value["method"])
    lowered = method.lower() if "subscri" in method.lower() else method
    return message_key(json.dumps(value | {"method": lowered}), RULES)


def frame_at(stream: StreamPlan, row: int) -> bytes:
    return stream.rows.read(row)


def pushed(stream: StreamPlan) -> list[tuple[int, object]]:
    """Return (milliseconds, JSON value or text) of all rows."""
    found: list[tuple[int, object]] = []
    for row, at_ns in enumerate(stream.rows.at_ns):
        text = b"".join(payload for _, payload in parts_of(frame_at(stream, row))).decode()
        found.append((at_ns // MS, json.loads(text) if text[:1] in ("{", "[") else text))
    return found


def gates(stream: StreamPlan) -> list[frozenset[str]]:
    """Return the gate of each row."""
    return [stream.gates[number] for number in stream.gate]
