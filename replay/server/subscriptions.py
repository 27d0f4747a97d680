"""Reads what a bot says on a WebSocket: which topics it asks for, one by one, or no longer wants.

One message can ask for many topics (``"params": ["a", "b"]``, ``"product_ids": [...], "channels":
[...]``). A *unit* is what the same message would be for one of them, so that a bot which asks for
the same topics in other portions, or on other connections, is understood. Verbs and the names of
ids are those that the APIs of the field share; everything else is taken from the messages.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from perfscan.replay.items import values_at
from perfscan.replay.json_text import json_of
from perfscan.replay.keys import PARAMETERS, Key, is_rpc_call, message_key
from perfscan.replay.model import MatchRules

VERB_KEYS = frozenset(["method", "op", "event", "type", "action", "cmd", "command", "req"])
"""Where a message says what it wants."""
ID_KEYS = ("id", "req_id", "reqid", "reqId", "request_id", "requestId")
"""Where a message carries the number by which its answer is known."""
UNITS_LIMIT = 4096
"""A message that would be more units than this is taken as one."""
_SUBSCRIBE = "subscri"
_SHORT_VERBS = frozenset(["sub", "unsub"])
_UN = re.compile("un(?=sub)")
_LISTED = re.compile(r"((?:[^,\s]*[:=])?)([^,\s:=]+(?:,[^,\s:=]+)+)")
_NO_IDS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Ask:
    """One message of a bot."""

    key: str
    """The message without ids and volatile fields."""
    units: tuple[str, ...]
    """One for each topic; the key alone where it is not about topics."""
    subscribes: bool = False
    leaves: tuple[str, ...] = ()
    """The units of the subscription that it ends."""
    named: tuple[str, ...] = ()
    """Ids of subscriptions (as JSON) that it names in order to end them."""
    id_key: str = ""
    rpc_id: Any = None
    verb: str = ""
    positional: bool = False
    """It is a JSON-RPC call with parameters by place, answered by id once."""


def read_asks(
    data: str | bytes, rules: MatchRules, common: Mapping[str, str] = _NO_IDS
) -> tuple[Ask, ...]:
    """Return what a message asks for: one thing, or each call of a JSON-RPC batch.

    Ids of subscriptions in it are replaced as in ``common``.
    """
    payload = payload_of(data)
    if isinstance(payload, dict):
        return (_read(payload, rules, common),)
    if isinstance(payload, list) and payload and all(map(is_rpc_call, payload)):
        return tuple(_read(call, rules, common) for call in payload)
    key = message_key(data, rules)
    return (Ask(key, (key,), verb="ping" if key.strip().lower() == "ping" else ""),)


def _read(payload: dict[str, Any], rules: MatchRules, common: Mapping[str, str]) -> Ask:
    id_key = next((name for name in ID_KEYS if name in payload), "")
    rest = {name: value for name, value in payload.items() if name not in ID_KEYS}
    verb = _verb(rest)
    leaving = "unsub" in verb
    if leaving and common:
        rest = _renamed(rest, common)
    key = message_key(json.dumps(rest), rules)
    positional = "jsonrpc" in payload and isinstance(payload.get("params"), list)
    subscribes = _SUBSCRIBE in verb or verb in _SHORT_VERBS
    topics = _declared(payload, rules) if subscribes else []
    read = partial(_units, topics=topics, rules=rules, whole=positional)
    return Ask(
        key,
        tuple(read(rest)) if subscribes else (key,),
        subscribes=subscribes and not leaving,
        leaves=tuple(read(_entering(rest))) if leaving else (),
        named=tuple(_named(rest)) if leaving else (),
        id_key=id_key,
        rpc_id=payload.get(id_key),
        verb=verb,
        positional=positional,
    )


def address_units(key: Key) -> tuple[str, ...]:
    """Return the topics that an address names, each as the address that names it alone.

    Such as ``/stream?streams=a/b``, ``/ws?topics=a,b``, ``/ws/btcusdt@trade/ethusdt@trade``.
    """
    base, topics = _path_topics(key.path)
    paths = [f"{base}/{topic}" for topic in topics] or [key.path]
    pairs = [
        [f"{name}={part}" for part in re.split(r"[/,]", value) if part] or [f"{name}={value}"]
        for name, value in key.query
    ]
    if math.prod(map(len, (paths, *pairs))) > UNITS_LIMIT:
        return (f"{key.path}?{key.query}",)
    return tuple(
        f"{path}?{'&'.join(query)}" if query else path
        for path, *query in itertools.product(paths, *pairs)
    )


def payload_of(data: str | bytes) -> Any:
    """Return the JSON value of a text message, None for anything else."""
    return None if isinstance(data, bytes) else json_of(data)


def is_verb(name: str, value: object) -> bool:
    """Tell whether a field says that something is subscribed to, rather than what."""
    text = value.lower() if isinstance(value, str) else ""
    return name in VERB_KEYS and (_SUBSCRIBE in text or text in _SHORT_VERBS)


def _verb(payload: Mapping[str, Any]) -> str:
    for name, value in payload.items():
        if is_verb(name, value):
            return str(value).lower()
        if name.lower() in _SHORT_VERBS or name.lower() in ("subscribe", "unsubscribe"):
            return name.lower()
    return next((value.lower() for name, value in payload.items() if _may_be_verb(name, value)), "")


def _may_be_verb(name: str, value: object) -> bool:
    return name in VERB_KEYS and isinstance(value, str)


def _entering(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the message that would have begun what ``payload`` ends."""
    return {
        _UN.sub("", name): _UN.sub("", value.lower()) if is_verb(name, value) else value
        for name, value in payload.items()
    }


def _units(
    payload: dict[str, Any], topics: Sequence[str], rules: MatchRules, *, whole: bool
) -> Iterator[str]:
    lowered = {
        name: value.lower() if is_verb(name, value) else value for name, value in payload.items()
    }
    if topics:
        yield from (f"{_verb(lowered)} {topic}" for topic in topics)
        return
    divided = [lowered] if whole or _count(lowered) > UNITS_LIMIT else _divided(lowered)
    for one in divided:
        yield message_key(json.dumps(one), rules)


def _declared(payload: Any, rules: MatchRules) -> list[str]:
    """Return the topics that stand where the scenario says."""
    found = [
        value
        for rule in rules.topics
        for value in values_at(rule.subscribe, payload)
        if isinstance(value, str | int)
    ]
    return [json.dumps(value, ensure_ascii=False) for value in found]


def _divided(value: Any) -> list[Any]:
    """Return ``value`` once for each topic in it: every list reduced to one of its elements."""
    if isinstance(value, dict):
        parts = [_divided(part) for part in value.values()]
        return [dict(zip(value, chosen, strict=True)) for chosen in itertools.product(*parts)]
    if isinstance(value, list) and _is_alike(value):
        return [[one] for element in value for one in _divided(element)]
    if isinstance(value, str) and (listed := _LISTED.fullmatch(value)):
        return [listed[1] + part for part in listed[2].split(",")]
    return [value]


def _count(value: Any) -> int:
    """Return how many elements :func:`_divided` would return."""
    if isinstance(value, dict):
        return math.prod(map(_count, value.values()))
    if isinstance(value, list) and _is_alike(value):
        return sum(map(_count, value))
    return value.count(",") + 1 if isinstance(value, str) else 1


def _is_alike(values: list[Any]) -> bool:
    """Tell whether a list holds things of one kind, as topics are, rather than parameters."""
    first = values[0] if values else None
    if isinstance(first, dict):
        return all(isinstance(one, dict) and one.keys() == first.keys() for one in values)
    return isinstance(first, str | int) and all(type(one) is type(first) for one in values)


def _renamed(payload: dict[str, Any], common: Mapping[str, str]) -> dict[str, Any]:
    def other(value: Any) -> Any:
        if isinstance(value, list):
            return [other(one) for one in value]
        text = json.dumps(value)
        return json.loads(common[text]) if text in common else value

    return {name: other(value) for name, value in payload.items()}


def _named(payload: Mapping[str, Any]) -> Iterator[str]:
    for name, value in payload.items():
        inner = value if name in PARAMETERS and isinstance(value, list) else [value]
        for one in inner:
            if isinstance(one, str | int) and not isinstance(one, bool):
                yield json.dumps(one)


def _path_topics(path: str) -> tuple[str, list[str]]:
    """Return the path before the topics, and the topics: segments that are no plain words."""
    segments = path.split("/")
    topics = list(
        itertools.takewhile(lambda part: re.search(r"[^\w.%~-]", part), reversed(segments))
    )
    return "/".join(segments[: len(segments) - len(topics)]), topics[::-1]
