"""More things in each cycle: more wallets, positions, symbols."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from perfscan.errors import InputError
from perfscan.replay.json_text import json_of
from perfscan.replay.load.values import Exchanging, Stand, matches, texts
from perfscan.replay.model import Event, Recording, Request, Response, Scenario

_SEPARATORS = re.compile(r"[,;|\s]")


def copies_of(recording: Recording, scenario: Scenario, factor: int, seed: int) -> list[Exchanging]:
    """Return what makes each copy of the identifiers that recording and bots name."""
    if not scenario.vary:
        raise InputError(
            "nothing says what is to be more in a cycle",
            where="--load",
            remedy="list patterns of identifiers under load.vary in the scenario",
        )
    said = [text for event in recording.events for text in texts(event)]
    for side in (scenario.original, scenario.optimized):
        said += side.environment.values()
    names = sorted(matches(scenario.vary, said))
    stand = Stand(seed, names)
    return [
        Exchanging({name: stand.value(name, copy) for name in names}) for copy in range(1, factor)
    ]


def widened(recording: Recording, vary: Sequence[str], copies: Sequence[Exchanging]) -> list[Event]:
    """Return the events with copies of the identifiers that match ``vary``.

    A request that names some is asked again for their copies; a list in an answer that holds
    elements with some holds copies of these, too.
    """
    numbers = [event.exchange for event in recording.events if isinstance(event, Request)]
    stride = max(numbers, default=0) + 1
    asked = {
        event.exchange
        for event in recording.events
        if isinstance(event, Request) and matches(vary, texts(event))
    }
    found: list[Event] = []
    for event in recording.events:
        if isinstance(event, Request | Response) and event.exchange in asked:
            found += _again(event, copies, stride)
        elif isinstance(event, Response):
            found.append(replace(event, body=_more(event.body, vary, copies), pieces=()))
        else:
            found.append(event)
    return found


def widened_environment(value: str, vary: Sequence[str], copies: Sequence[Exchanging]) -> str:
    """Return a variable that lists identifiers with copies of them; any other as it is."""
    if not matches(vary, [value]):
        return value
    made = [value, *(new.text(value) for new in copies)]
    if isinstance(json_of(value), list):
        return json.dumps([one for text in made for one in json.loads(text)])
    separator = _SEPARATORS.search(value)
    return (separator[0] if separator else ",").join(made)


def _again(event: Request | Response, copies: Iterable[Exchanging], stride: int) -> Iterator[Event]:
    yield event
    for number, new in enumerate(copies, 1):
        exchange = event.exchange + number * stride
        body = new.data(event.body)
        if isinstance(event, Request):
            target = new.text(event.target)
            yield replace(event, exchange=exchange, target=target, body=body)
        else:
            yield replace(event, exchange=exchange, body=body, pieces=())


def _more(body: bytes, vary: Sequence[str], copies: Sequence[Exchanging]) -> bytes:
    payload = json_of(body)
    if not isinstance(payload, list | dict) or not matches(vary, [body.decode("utf-8", "ignore")]):
        return body
    return json.dumps(_longer(payload, vary, copies), ensure_ascii=False).encode()


def _longer(value: Any, vary: Sequence[str], copies: Sequence[Exchanging]) -> Any:
    if isinstance(value, dict):
        return {name: _longer(inner, vary, copies) for name, inner in value.items()}
    if not isinstance(value, list):
        return value
    found = []
    for element in value:
        found.append(element)
        text = json.dumps(element)
        if matches(vary, [text]):
            found += [json.loads(new.text(text)) for new in copies]
    return found
