"""``match``: what the matcher may ignore, and which answer comes next."""

from __future__ import annotations

from typing import get_args

from perfscan.replay.model import (
    CycleStimulus,
    ItemRules,
    MatchMode,
    MatchRules,
    RequestEffect,
    TopicRule,
)
from perfscan.replay.scenario.fields import (
    check_request,
    read_children,
    read_entries,
    read_json_path,
    read_request,
)
from perfscan.replay.yaml_node import YamlNode, did_you_mean

_KEYS = ("ignore_query", "ignore_body", "paths", "modes", "topics", "allow_misses")
_TOPIC_KEYS = ("subscribe", "message")
MODES: tuple[MatchMode, ...] = get_args(MatchMode)


def read_match(node: YamlNode | None, items: ItemRules) -> MatchRules:
    """Read the matching rules; what begins and ends ``items`` counts, too."""
    effect = items.effect if isinstance(items.effect, RequestEffect) else None
    cycle = items.stimulus if isinstance(items.stimulus, CycleStimulus) else None
    if node is None:
        return MatchRules(effect=effect, cycle=cycle)
    fields = node.fields(_KEYS)
    modes = read_entries(fields.get("modes"))
    return MatchRules(
        ignore_query=fields["ignore_query"].texts() if "ignore_query" in fields else (),
        ignore_body=fields["ignore_body"].texts() if "ignore_body" in fields else (),
        allow_misses=fields["allow_misses"].flag() if "allow_misses" in fields else False,
        paths=tuple(map(_template, read_children(fields.get("paths")))),
        modes=tuple(
            (check_request(name, mode), _mode(mode, cycle)) for name, mode in modes.items()
        ),
        topics=tuple(map(_topic, read_children(fields.get("topics")))),
        effect=effect,
        cycle=cycle,
    )


def _topic(node: YamlNode) -> TopicRule:
    fields = node.fields(_TOPIC_KEYS, required=_TOPIC_KEYS)
    return TopicRule(read_json_path(fields["subscribe"]), read_json_path(fields["message"]))


def _template(node: YamlNode) -> str:
    if "*" not in (pattern := read_request(node)).partition("://")[2].partition("/")[2]:
        raise node.mistake(
            f"no part of the path is left open: {pattern!r}", "write * for what does not matter"
        )
    return pattern


def _mode(node: YamlNode, cycle: CycleStimulus | None) -> MatchMode:
    for mode in MODES:
        if node.text() == mode:
            if mode == "by-cycle" and not (cycle and cycle.pause_s):
                raise node.mistake(
                    "only a pause tells while they are asked in which cycle requests are",
                    "give items.stimulus a cycle and pause_s, or choose another mode",
                )
            return mode
    raise node.mistake(
        f"unknown mode {node.text()!r}{did_you_mean(node.text(), MODES)}",
        f"write one of {', '.join(MODES)}",
    )
