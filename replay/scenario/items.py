"""``items``: what begins and what ends one piece of work."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from perfscan.replay.model import (
    AnswerEffect,
    ClientStimulus,
    CycleEffect,
    CycleStimulus,
    EffectRule,
    InboundStimulus,
    ItemRules,
    KeyRule,
    MessageEffect,
    PushStimulus,
    RequestEffect,
    StimulusRule,
    UpdateStimulus,
)
from perfscan.replay.scenario.fields import (
    read_children,
    read_json_path,
    read_pattern,
    read_positive,
    read_request,
    read_requests,
    read_whole,
)
from perfscan.replay.yaml_node import YamlNode

_WEBSOCKET = re.compile(r"wss?://[^/\s?#]+(/[^\s?#]*)?")
_INBOUND = re.compile(r"[A-Z]+ /[^\s?#]*")
_PATH = re.compile(r"/[^\s?#]*")
_OF_REQUESTS = ("request", "key", "compare", "compare_in", "apology")
Fields = Mapping[str, YamlNode]


def read_items(node: YamlNode) -> ItemRules:
    """Read what an item is."""
    fields = node.fields(
        ("stimulus", "effect", "deadline_s", "settle_s", "numbered", "order_by"),
        required=("stimulus", "effect"),
    )
    seconds = {name: read_positive(fields[name]) for name in fields if name.endswith("_s")}
    stimulus = _stimulus(fields["stimulus"])
    effect = _effect(fields["effect"], stimulus)
    numbered = isinstance(stimulus, UpdateStimulus) and stimulus.key == UpdateStimulus("").key
    if "numbered" in fields:
        numbered = fields["numbered"].flag()
    if numbered and not isinstance(effect, RequestEffect):
        if "numbered" in fields:
            raise fields["numbered"].mistake("only effects that are requests can be numbered")
        numbered = False
    order_by = _key(fields["order_by"]) if "order_by" in fields else None
    return ItemRules(stimulus, effect, numbered=numbered, order_by=order_by, **seconds)


# --- Stimuli --------------------------------------------------------------------------------------


def _stimulus(node: YamlNode) -> StimulusRule:
    kind = _kind(node, _STIMULI)
    return _STIMULI[kind](node)


def _push(node: YamlNode) -> StimulusRule:
    fields = node.fields(("websocket", "containing", "key"), required=("websocket", "key"))
    url = fields["websocket"].text()
    if not _WEBSOCKET.fullmatch(url):
        raise fields["websocket"].mistake(
            f"not a WebSocket URL without query: {url!r}", "write wss://host/path"
        )
    return PushStimulus(url, _key(fields["key"]), _containing(fields))


def _update(node: YamlNode) -> StimulusRule:
    paths, parameters = ("updates", "id"), ("offset", "timeout", "limit")
    fields = node.fields(("poll", "key", "containing", *paths, *parameters), required=("poll",))
    rule = UpdateStimulus(read_request(fields["poll"]), containing=_containing(fields))
    given: dict[str, Any] = {name: read_json_path(fields[name]) for name in paths if name in fields}
    given |= {name: fields[name].text() for name in parameters if name in fields}
    if "key" in fields:
        given["key"] = _key(fields["key"])
    return replace(rule, **given)


def _inbound(node: YamlNode) -> StimulusRule:
    fields = node.fields(("inbound", "key", "containing"), required=("inbound",))
    if not _INBOUND.fullmatch(pattern := fields["inbound"].text()):
        raise fields["inbound"].mistake(
            f"not a request to the bot: {pattern!r}", "write POST /webhook/* without host and query"
        )
    key = _key(fields["key"]) if "key" in fields else None
    return InboundStimulus(pattern, key, _containing(fields))


def _client(node: YamlNode) -> StimulusRule:
    fields = node.fields(("client", "key", "containing"), required=("client", "key"))
    return ClientStimulus(_path(fields["client"]), _key(fields["key"]), _containing(fields))


def _cycle(node: YamlNode) -> StimulusRule:
    fields = node.fields(("cycle", "pause_s", "cycles"), required=("cycle",))
    return CycleStimulus(
        read_requests(fields["cycle"]),
        read_positive(fields["pause_s"]) if "pause_s" in fields else 0.0,
        read_whole(fields["cycles"], at_least=1) if "cycles" in fields else None,
    )


_STIMULI: dict[str, Callable[[YamlNode], StimulusRule]] = {
    "websocket": _push,
    "poll": _update,
    "inbound": _inbound,
    "client": _client,
    "cycle": _cycle,
}


# --- Effects --------------------------------------------------------------------------------------


def _effect(node: YamlNode, stimulus: StimulusRule) -> EffectRule:
    if isinstance(stimulus, CycleStimulus):
        return _cycle_end(node)
    return _EFFECTS[_kind(node, _EFFECTS)](node, stimulus)


def _request(node: YamlNode, stimulus: StimulusRule) -> EffectRule:
    fields = node.fields(_OF_REQUESTS, required=("request", "key"))
    if "compare_in" in fields:
        raise fields["compare_in"].mistake(
            "only the effect of a cycle is several requests", "use compare"
        )
    return RequestEffect(
        read_requests(fields["request"]),
        _key(fields["key"]),
        _compare(fields),
        read_pattern(fields["apology"]) if "apology" in fields else None,
    )


def _cycle_end(node: YamlNode) -> EffectRule:
    fields = node.fields(_OF_REQUESTS, required=("request",))
    if "key" in fields:
        raise fields["key"].mistake("cycles are told apart by their number", "remove the key")
    if "apology" in fields:
        raise fields["apology"].mistake("a cycle answers nobody", "remove it")
    decisions = read_requests(fields["compare_in"]) if "compare_in" in fields else ()
    return CycleEffect(read_requests(fields["request"]), _compare(fields), decisions)


def _answer(node: YamlNode, stimulus: StimulusRule) -> EffectRule:
    fields = node.fields(("answer", "compare"), required=("answer",))
    if not fields["answer"].flag():
        raise fields["answer"].mistake("an answer that is no effect needs no line", "write true")
    if not isinstance(stimulus, InboundStimulus):
        raise node.mistake(
            "only an inbound request is answered", "name a request or a message as the effect"
        )
    return AnswerEffect(_compare(fields))


def _message(node: YamlNode, stimulus: StimulusRule) -> EffectRule:
    fields = node.fields(
        ("message", "key", "compare", "each", "repeats"), required=("message", "key")
    )
    return MessageEffect(
        _path(fields["message"]),
        _key(fields["key"]),
        _compare(fields),
        read_json_path(fields["each"]) if "each" in fields else None,
        fields["repeats"].flag() if "repeats" in fields else False,
    )


_EFFECTS: dict[str, Callable[[YamlNode, StimulusRule], EffectRule]] = {
    "request": _request,
    "answer": _answer,
    "message": _message,
}


# --- Parts of both --------------------------------------------------------------------------------


def _kind(node: YamlNode, kinds: Mapping[str, object]) -> str:
    """Return the key that says of which kind a rule is; the first kind where none does."""
    given = [kind for kind in kinds if kind in node.mapping()]
    if len(given) > 1:
        raise node.mistake(f"either {given[0]} or {given[1]}, not both", "remove one")
    return given[0] if given else next(iter(kinds))


def _containing(fields: Fields) -> str | None:
    return read_pattern(fields["containing"]) if "containing" in fields else None


def _compare(fields: Fields) -> tuple[str, ...]:
    return tuple(read_json_path(path) for path in read_children(fields.get("compare")))


def _path(node: YamlNode) -> str:
    if not _PATH.fullmatch(path := node.text()):
        raise node.mistake(f"not a path: {path!r}", "write /ws without host and query")
    return path


def _key(node: YamlNode) -> KeyRule:
    fields = node.fields(("path", "pattern"))
    if not fields:
        raise node.mistake("the key needs a path or a pattern", "add path: $.some.value")
    path = read_json_path(fields["path"]) if "path" in fields else None
    pattern = read_pattern(fields["pattern"]) if "pattern" in fields else None
    if pattern and not re.compile(pattern).groups:
        raise fields["pattern"].mistake(
            "the pattern has no group", "put the key in parentheses, such as id=(\\w+)"
        )
    return KeyRule(path, pattern)
