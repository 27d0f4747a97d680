"""Guesses from a recording what one piece of the bot's work is: its stimulus, its effect, its key.

A value of a pushed message that turns up in a later request joins the two. The place in the message
whose values do so most often, and name most messages apart, is taken for the key; the last request
that holds such a value is taken for the effect. It is a guess, and is written down as one.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perfscan.replay.exchanges import Exchange, exchanges, websockets
from perfscan.replay.items import effect_payload, without_query
from perfscan.replay.keys import is_rpc_call
from perfscan.replay.model import KeyRule, Message, Recording
from perfscan.replay.summary import endpoint

LOOKED_AT = 2_000
"""Messages of a stream that are looked at, the first ones."""
SHORTEST = 3
"""Characters of a value that can join anything."""
_CONTEXT = 24
_TOKEN = re.compile(r"[\w.:-]{3,}")
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an item seems to be."""

    stream: str
    """URL of the WebSocket without query."""
    key: str
    """JSONPath into its messages."""
    effect: str
    """Request pattern."""
    effect_key: KeyRule
    joined: int
    """Messages for which key and effect were found."""
    messages: int
    """Messages that have a value at the key's place."""


@dataclass(frozen=True, slots=True)
class _Join:
    """A message whose value turned up in a request."""

    value: str
    last: Exchange


def propose(recording: Recording) -> Proposal | None:
    """Return the best guess; None where nothing that was pushed turns up in a later request."""
    requests = [call for call in exchanges(recording) if not call.is_websocket]
    mentions = _mentions(requests)
    best: tuple[tuple[float, int], Proposal] | None = None
    for stream, messages in _streams(recording).items():
        for path, values in _values_by_place(messages).items():
            joins = list(_joins(values, mentions))
            found = _proposal(stream, path, len(values), joins)
            if found is None:
                continue
            distinct = len({value for _, value in values}) / len(values)
            rank = (found.joined * distinct**2, -len(path))
            if best is None or rank > best[0]:
                best = rank, found
    return best[1] if best else None


def _streams(recording: Recording) -> dict[str, list[Message]]:
    found: dict[str, list[Message]] = defaultdict(list)
    for session in websockets(recording):
        received = (one for one in session.messages if one.direction == "received")
        found[without_query(session.url)] += received
    return {url: messages[:LOOKED_AT] for url, messages in found.items()}


def _mentions(requests: Sequence[Exchange]) -> Mapping[str, list[Exchange]]:
    """Return for each word the requests that hold it, in order."""
    found: dict[str, list[Exchange]] = defaultdict(list)
    for call in requests:
        text = f"{call.request.target}\n{call.request.body.decode('utf-8', 'replace')}"
        for word in set(_TOKEN.findall(text)):
            found[word].append(call)
    return found


def _values_by_place(messages: Sequence[Message]) -> dict[str, list[tuple[Message, str]]]:
    found: dict[str, list[tuple[Message, str]]] = defaultdict(list)
    for message in messages:
        try:
            payload = json.loads(message.data)
        except (ValueError, RecursionError):
            continue
        for path, value in _leaves(payload, "$"):
            if len(value) >= SHORTEST:
                found[path].append((message, value))
    return found


def _leaves(payload: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the JSONPath and text of every text or whole number."""
    if isinstance(payload, dict):
        for name, value in payload.items():
            step = f".{name}" if _PLAIN_NAME.fullmatch(name) else f"[{json.dumps(name)}]"
            yield from _leaves(value, path + step)
    elif isinstance(payload, list):
        for index, value in enumerate(payload):
            yield from _leaves(value, f"{path}[{index}]")
    elif isinstance(payload, str | int) and not isinstance(payload, bool):
        yield path, str(payload)


def _joins(
    values: Sequence[tuple[Message, str]], mentions: Mapping[str, Sequence[Exchange]]
) -> Iterator[_Join]:
    for message, value in values:
        later = [call for call in mentions.get(value, ()) if call.request.at_ns >= message.at_ns]
        if later:
            acts = [call for call in later if _acts(call)]
            yield _Join(value, (acts or later)[-1])


def _acts(call: Exchange) -> bool:
    """Tell whether a request does something rather than ask for something."""
    if call.request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    return not is_rpc_call(effect_payload(call.request))


def _proposal(stream: str, path: str, messages: int, joins: Sequence[_Join]) -> Proposal | None:
    if not joins:
        return None
    patterns = Counter(_pattern(join.last) for join in joins)
    effect = patterns.most_common(1)[0][0]
    keys = Counter(
        key
        for join in joins
        if _pattern(join.last) == effect and (key := _effect_key(join)) is not None
    )
    if not keys:
        return None
    (effect_key, joined) = keys.most_common(1)[0]
    return Proposal(stream, path, effect, effect_key, joined, messages)


def _pattern(call: Exchange) -> str:
    """Return the request pattern of an exchange, variable path segments as ``*``."""
    method, _, address = endpoint(call).partition(" ")
    _, _, path = address.partition("/")
    origin = without_query(call.url).split("/", 3)
    return f"{method} {origin[0]}//{origin[2]}/{path.replace('{}', '*')}"


def _effect_key(join: _Join) -> KeyRule | None:
    """Return where the value stands in the request that ended the item."""
    payload = effect_payload(join.last.request)
    if isinstance(payload, str):
        return KeyRule(pattern=_around(payload, join.value))
    found = [(path, text) for path, text in _leaves(payload, "$") if join.value in text]
    if not found:
        return None
    path, text = min(found, key=lambda one: len(one[1]))
    return KeyRule(path) if text == join.value else KeyRule(path, _around(text, join.value))


def _around(text: str, value: str) -> str:
    """Return a pattern whose group is ``value`` where it stands in ``text``."""
    begin = text.index(value)
    before = re.split(r"\s", text[max(0, begin - _CONTEXT) : begin])[-1]
    word = r"(\w+)" if re.fullmatch(r"\w+", value) else r"([\w.:-]+)"
    return (re.escape(before) if before else "^" if begin == 0 else r"\b") + word
