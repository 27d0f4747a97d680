"""Guesses from a recording what one piece of the bot's work is: its stimulus, its effect, its key.

A value of a pushed message, of a long poll's update or of a request to the bot that turns up in a
later request joins the two. The place whose values do so most often, and name most stimuli apart,
is taken for the key; the last request that holds such a value is taken for the effect. Where
nothing joins, requests to the bot end with their own answers. It is a guess, and is written down as
one.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perfscan.replay.exchanges import Exchange, exchanges, websockets
from perfscan.replay.items import effect_payload, without_query
from perfscan.replay.json_text import json_of
from perfscan.replay.keys import is_rpc_call
from perfscan.replay.model import (
    AnswerEffect,
    InboundStimulus,
    KeyRule,
    Message,
    PushStimulus,
    Recording,
    RequestEffect,
    UpdateStimulus,
)
from perfscan.replay.stimuli.updates import Updates
from perfscan.replay.summary import endpoint

LOOKED_AT = 2_000
"""Messages of a stream that are looked at, the first ones."""
SHORTEST = 3
"""Characters of a value that can join anything."""
_CONTEXT = 24
_TOKEN = re.compile(r"[\w.:-]{3,}")
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*")

Values = Sequence[tuple[int, str]]
"""When each stimulus came, in nanoseconds, and the text at the key's place in it."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an item seems to be."""

    stimulus: PushStimulus | UpdateStimulus | InboundStimulus
    effect: RequestEffect | AnswerEffect
    joined: int
    """Stimuli for which key and effect were found."""
    stimuli: int
    """Stimuli that have a value at the key's place."""


@dataclass(frozen=True, slots=True)
class _Join:
    """A stimulus whose value turned up in a request."""

    value: str
    last: Exchange


def propose(recording: Recording) -> Proposal | None:
    """Return the best guess; None where nothing that came to the bot seems to have an effect."""
    best: tuple[tuple[float, int], Proposal] | None = None
    for stimulus, values, mentions in _candidates(recording):
        found = _proposal(stimulus, values, mentions)
        if found is None or stimulus.key is None:
            continue
        numbered = isinstance(stimulus, UpdateStimulus)  # a key that comes again is no worse then
        distinct = 1.0 if numbered else len({value for _, value in values}) / len(values)
        rank = (found.joined * distinct**2, -len(stimulus.key.path or ""))
        if best is None or rank > best[0]:
            best = rank, found
    return best[1] if best else _answered(recording)


def untimed(recording: Recording) -> tuple[str, ...]:
    """Return the patterns of requests whose latencies nobody recorded, the most frequent first."""
    if recording.header.latency == "recorded":
        return ()
    calls = (call for call in exchanges(recording) if not call.is_websocket)
    return tuple(pattern for pattern, _ in Counter(map(_pattern, calls)).most_common())


# --- What may begin an item -----------------------------------------------------------------------

_Candidate = tuple[
    PushStimulus | UpdateStimulus | InboundStimulus, Values, Mapping[str, Sequence[Exchange]]
]


def _candidates(recording: Recording) -> Iterator[_Candidate]:
    """Yield each possible stimulus with its values and, by word, the requests that may end it."""
    calls = [call for call in exchanges(recording) if not call.is_websocket]
    mentions = _mentions(calls)
    for url, messages in _streams(recording).items():
        pushed = ((message.at_ns, json_of(message.data)) for message in messages)
        for path, values in _values_by_place(pushed).items():
            yield PushStimulus(url, KeyRule(path)), values, mentions
    for poll in dict.fromkeys(_pattern(call) for call in calls if _hands_over(call)):
        rule = UpdateStimulus(poll)
        yield rule, [(one.at_ns, one.key) for one in Updates(rule).found(recording)], mentions
    deeds = _mentions([call for call in calls if _acts(call)])
    for pattern, received in _received(recording).items():
        asked = ((call.request.at_ns, effect_payload(call.request)) for call in received)
        for path, values in _values_by_place(asked).items():
            yield InboundStimulus(pattern, KeyRule(path)), values, deeds


def _streams(recording: Recording) -> dict[str, list[Message]]:
    found: dict[str, list[Message]] = defaultdict(list)
    for session in websockets(recording):
        received = (one for one in session.messages if one.direction == "received")
        found[without_query(session.url)] += received
    return {url: messages[:LOOKED_AT] for url, messages in found.items()}


def _hands_over(call: Exchange) -> bool:
    """Tell whether a request is a long poll of Telegram that was answered with updates."""
    return call.response is not None and b'"update_id"' in call.response.body


def _received(recording: Recording) -> dict[str, list[Exchange]]:
    """Return the requests to the bot by their pattern, such as ``POST /webhook/*``."""
    found: dict[str, list[Exchange]] = defaultdict(list)
    for call in exchanges(recording, inbound=True):
        if not call.is_websocket:
            found[" ".join(_method_and_path(call))].append(call)
    return found


def _answered(recording: Recording) -> Proposal | None:
    """Take the most frequent request to the bot for an item that its answer ends."""
    found = _received(recording)
    if not found:
        return None
    pattern, calls = max(found.items(), key=lambda group: len(group[1]))
    answered = sum(call.response is not None for call in calls)
    if not answered:
        return None
    return Proposal(InboundStimulus(pattern), AnswerEffect(), answered, len(calls))


def _mentions(requests: Sequence[Exchange]) -> Mapping[str, list[Exchange]]:
    """Return for each word the requests that hold it, in order."""
    found: dict[str, list[Exchange]] = defaultdict(list)
    for call in requests:
        text = f"{call.request.target}\n{call.request.body.decode('utf-8', 'replace')}"
        for word in {word.strip(":") for word in _TOKEN.findall(text)}:  # as in {"id":5000}
            found[word].append(call)
    return found


def _values_by_place(payloads: Iterable[tuple[int, Any]]) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for at_ns, payload in payloads:
        for path, value in _leaves(payload, "$"):
            if len(value) >= SHORTEST and path != "$":
                found[path].append((at_ns, value))
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


# --- What may end it ------------------------------------------------------------------------------


def _joins(values: Values, mentions: Mapping[str, Sequence[Exchange]]) -> Iterator[_Join]:
    for at_ns, value in values:
        later = [call for call in mentions.get(value, ()) if call.request.at_ns >= at_ns]
        if later:
            acts = [call for call in later if _acts(call)]
            yield _Join(value, (acts or later)[-1])


def _acts(call: Exchange) -> bool:
    """Tell whether a request does something rather than ask for something."""
    if call.request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    return not is_rpc_call(effect_payload(call.request))


def _proposal(
    stimulus: PushStimulus | UpdateStimulus | InboundStimulus,
    values: Values,
    mentions: Mapping[str, Sequence[Exchange]],
) -> Proposal | None:
    joins = [(join, _pattern(join.last)) for join in _joins(values, mentions)]
    if not joins:
        return None
    effect = Counter(pattern for _, pattern in joins).most_common(1)[0][0]
    keys = Counter(
        key
        for join, pattern in joins
        if pattern == effect and (key := _effect_key(join)) is not None
    )
    if not keys:
        return None
    (key, joined) = keys.most_common(1)[0]
    return Proposal(stimulus, RequestEffect((effect,), key), joined, len(values))


def _pattern(call: Exchange) -> str:
    """Return the request pattern of an exchange, variable path segments as ``*``."""
    method, path = _method_and_path(call)
    origin = without_query(call.url).split("/", 3)
    return f"{method} {origin[0]}//{origin[2]}{path}"


def _method_and_path(call: Exchange) -> tuple[str, str]:
    method, _, address = endpoint(call).partition(" ")
    return method, f"/{address.partition('/')[2].replace('{}', '*')}"


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
