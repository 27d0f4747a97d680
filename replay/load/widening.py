"""More things in each cycle: more wallets, positions, symbols."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from perfscan.errors import InputError
from perfscan.replay.items import json_of
from perfscan.replay.load.values import Exchanging, Stand, matches, texts
from perfscan.replay.model import Event, Recording, Request, Response

_SEPARATORS = re.compile(r"[,;|\s]")


def widened(recording: Recording, vary: Sequence[str], factor: int, seed: int) -> list[Event]:
    """Return the events with ``factor`` times the identifiers that match ``vary``.

    A request that names some is asked again for their copies; a list in an answer that holds
    elements with some holds copies of these, too.
    """
    if not vary:
        raise InputError(
            "nothing says what is to be more in a cycle",
            where="--load",
            remedy="list patterns of identifiers under load.vary in the scenario",
        )
    copies = _copies(vary, recording, factor, seed)
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


def widened_environment(value: str, vary: Sequence[str], factor: int, seed: int) -> str:
    """Return a variable that lists identifiers with copies of them; any other as it is."""
    names = matches(vary, [value])
    if not names:
        return value
    separator = _SEPARATORS.search(value)
    stand = Stand(seed, ())
    copies = [
        Exchanging({name: stand.value(name, copy) for name in names}).text(value)
        for copy in range(1, factor)
    ]
    if (listed := json_of(value)) and isinstance(listed, list):
        return json.dumps([one for text in (value, *copies) for one in json.loads(text)])
    return (separator[0] if separator else ",").join([value, *copies])


def _copies(vary: Sequence[str], recording: Recording, factor: int, seed: int) -> list[Exchanging]:
    """Return what makes each copy, the same as for the environment."""
    names = matches(vary, (text for event in recording.events for text in texts(event)))
    stand = Stand(seed, ())
    return [
        Exchanging({name: stand.value(name, copy) for name in sorted(names)})
        for copy in range(1, factor)
    ]


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
