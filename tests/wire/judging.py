"""Recordings and runs made event by event, and what became of their items."""

from __future__ import annotations

import json
from typing import Any

from perfscan.replay.model import (
    Event,
    Item,
    ItemRules,
    Observation,
    Observed,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.work import items_of_run

MS = 1_000_000


def recording(*events: Event) -> Recording:
    return Recording(RecordingHeader(), tuple(sorted(events, key=lambda event: event.at_ns)))


def judged(recorded: Recording, rules: ItemRules, *seen: Observed) -> dict[str, Item]:
    ordered = sorted(seen, key=lambda event: event.at_ns)
    return {item.key: item for item in items_of_run(recorded, Observation(tuple(ordered)), rules)}


def exchange(
    number: int,
    connection: int,
    at: int,
    request: str,
    body: Any = None,
    answer: Any = None,
    *,
    after: int = 10,
    status: int = 200,
) -> list[Event]:
    method, target = request.split(" ")
    data = b"" if body is None else json.dumps(body).encode()
    said = b"" if answer is None else json.dumps(answer).encode()
    done_ns = (at + after) * MS
    return [
        Request(number, connection, at * MS, method, target, (), data),
        Response(number, connection, done_ns, done_ns, status, (), said),
    ]
