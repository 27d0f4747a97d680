"""Updates in the answers to long polls: taken out, set alone, numbered anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from perfscan.replay.items import locations
from perfscan.replay.json_text import json_of
from perfscan.replay.model import Event, Response, UpdateStimulus
from perfscan.replay.stimuli.updates import updates_in

Change = Callable[[int, Any], Any]
"""From number and content of an update to its new content; None leaves it out."""


def only_update(
    rule: UpdateStimulus, response: Response, numbers: Iterable[int]
) -> Response | None:
    """Return an answer with only these updates; None where it holds none of them."""
    wanted = set(numbers)
    if not any(number in wanted for number, _ in updates_in(rule, response.body)):
        return None
    return changed(rule, response, lambda number, update: update if number in wanted else None)


def numbered_anew(events: Sequence[Event], rule: UpdateStimulus) -> list[Event]:
    """Return events whose updates have numbers in the order in which they came.

    An update that came twice, since the bot had not confirmed it, keeps one number; copies have the
    number of their original and another content.
    """
    numbers: dict[tuple[int, str], int] = {}
    first: int | None = None
    for event in sorted(events, key=lambda event: event.at_ns):
        if isinstance(event, Response):
            for number, update in updates_in(rule, event.body):
                first = number if first is None else first
                numbers.setdefault((number, _text(update)), first + len(numbers))

    def renumber(number: int, update: Any) -> Any:
        new = numbers[number, _text(update)]
        for *parents, last in locations(rule.id, update):
            inner = update
            for part in parents:
                inner = inner[part]
            inner[last] = new
        return update

    return [
        changed(rule, event, renumber) if isinstance(event, Response) else event for event in events
    ]


def changed(rule: UpdateStimulus, response: Response, change: Change) -> Response:
    """Return an answer with its updates changed; the same where it holds none."""
    updates = list(updates_in(rule, response.body))
    if not updates:
        return response
    payload = json_of(response.body)
    kept = [new for one in updates if (new := change(*one)) is not None]
    places = locations(rule.updates, payload)
    *parents, last = places[0] if places[0] else (None,)
    if last is None:
        payload = kept
    else:
        inner = payload
        for part in parents:
            inner = inner[part]
        inner[last] = kept
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    return replace(response, body=body, pieces=())


def _text(update: Any) -> str:
    return json.dumps(update, sort_keys=True)
