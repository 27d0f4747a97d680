"""``items``: what begins and what ends one piece of work."""

from __future__ import annotations

import re

from perfscan.replay.model import EffectRule, ItemRules, KeyRule, StimulusRule
from perfscan.replay.scenario.fields import (
    read_children,
    read_json_path,
    read_pattern,
    read_positive,
    read_request,
)
from perfscan.replay.yaml_node import YamlNode

_WEBSOCKET = re.compile(r"wss?://[^/\s?#]+(/[^\s?#]*)?")


def read_items(node: YamlNode) -> ItemRules:
    """Read what an item is."""
    fields = node.fields(
        ("stimulus", "effect", "deadline_s", "settle_s"), required=("stimulus", "effect")
    )
    seconds = {name: read_positive(fields[name]) for name in fields if name.endswith("_s")}
    return ItemRules(_stimulus(fields["stimulus"]), _effect(fields["effect"]), **seconds)


def _stimulus(node: YamlNode) -> StimulusRule:
    fields = node.fields(("websocket", "containing", "key"), required=("websocket", "key"))
    url = fields["websocket"].text()
    if not _WEBSOCKET.fullmatch(url):
        raise fields["websocket"].mistake(
            f"not a WebSocket URL without query: {url!r}", "write wss://host/path"
        )
    containing = read_pattern(fields["containing"]) if "containing" in fields else None
    return StimulusRule(url, _key(fields["key"]), containing)


def _effect(node: YamlNode) -> EffectRule:
    fields = node.fields(("request", "key", "compare"), required=("request", "key"))
    compare = [read_json_path(path) for path in read_children(fields.get("compare"))]
    return EffectRule(read_request(fields["request"]), _key(fields["key"]), tuple(compare))


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
