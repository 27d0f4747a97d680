"""``readings``: figures that only the bot knows, and where it tells them."""

from __future__ import annotations

import re
from typing import Any, get_args

from perfscan.replay.catalogue import METRICS
from perfscan.replay.model import Better, ReadingRule, Take
from perfscan.replay.scenario.fields import read_entries, read_json_path, read_pattern
from perfscan.replay.yaml_node import YamlNode, did_you_mean

ASKED_FOR = ("cache_hit_rate",)
"""Metrics of the catalogue that nothing but the bot can tell."""
_KEYS = ("log", "url", "path", "pattern", "take", "scale", "unit", "better")
_ADDRESS = re.compile(r"http://(127\.0\.0\.1|localhost)(:\d+)?(/\S*)?")


def read_readings(node: YamlNode | None) -> dict[str, ReadingRule]:
    """Read the figures by the names under which they are to stand among the metrics."""
    return {name: _reading(name, child) for name, child in read_entries(node).items()}


def _reading(name: str, node: YamlNode) -> ReadingRule:
    if name in METRICS and name not in ASKED_FOR:
        raise node.mistake(f"{name!r} is measured by perfscan", "choose another name")
    fields = node.fields(_KEYS)
    if ("log" in fields) == ("url" in fields):
        raise node.mistake("a reading needs either log or url", "say where the bot tells it")
    if "log" in fields and {"path", "pattern"} & fields.keys():
        raise node.mistake("log is the pattern already", "remove path and pattern")
    if "url" in fields and ("path" in fields) == ("pattern" in fields):
        raise node.mistake("the answer needs either path or pattern", "add path: $.some.value")
    known = METRICS.get(name)
    return ReadingRule(
        log=_group(fields["log"]) if "log" in fields else None,
        url=_url(fields["url"]) if "url" in fields else None,
        path=read_json_path(fields["path"]) if "path" in fields else None,
        pattern=_group(fields["pattern"]) if "pattern" in fields else None,
        take=_one_of(fields["take"], get_args(Take)) if "take" in fields else "last",
        scale=fields["scale"].number() if "scale" in fields else 1.0,
        unit=fields["unit"].text() if "unit" in fields else known.unit if known else "count",
        better=_one_of(fields["better"], get_args(Better))
        if "better" in fields
        else known.better
        if known
        else "lower",
    )


def _group(node: YamlNode) -> str:
    pattern = read_pattern(node)
    if re.compile(pattern).groups != 1:
        raise node.mistake("the pattern needs one group", "write it as in hits=([0-9.]+)")
    return pattern


def _url(node: YamlNode) -> str:
    if not _ADDRESS.fullmatch(url := node.text()):
        raise node.mistake(
            f"not an address of the bot's own machine: {url!r}", "write http://127.0.0.1:8000/path"
        )
    return url


def _one_of(node: YamlNode, known: tuple[str, ...]) -> Any:
    if (word := node.text()) not in known:
        raise node.mistake(
            f"unknown word {word!r}{did_you_mean(word, known)}", f"write {' or '.join(known)}"
        )
    return word
