r"""Reads ``scenario.yaml``: what is run, on which traffic, and what counts as one piece of work.

Paths are relative to the scenario file. A complete example (only ``schema``, ``name``,
``recording``, ``implementations`` and ``items`` are required; the rest shows its default or use)::

    schema: perfscan.scenario/1
    name: pool_alerts                   # short, for file names
    title: Solana new-pool alerts       # for people; default: the name
    recording: traffic.jsonl.gz         # JSONL, gzipped JSONL or HAR
    simulated: >-                       # what about the recording is not real; empty for real
      The services were simulated (upstream.py, seed 7); their delays follow the original report.

    implementations:
      original:
        command: [python, bot.py]       # or one string; python is the one that runs perfscan
        directory: original             # where it runs; default: the scenario's folder
        environment: {TELEGRAM_BOT_TOKEN: "1:aaa", LOG_LEVEL: INFO}
      optimized:
        command: [python, -m, bot]
        directory: optimized
        environment: {TELEGRAM_BOT_TOKEN: "1:aaa"}
        services: [redis]               # real services that are started for it
        switches:                       # optimisation -> environment that turns it off
          concurrency: {MAX_CONCURRENT_POOLS: "1"}

    items:                              # one piece of work, seen from the wire
      deadline_s: 60                    # a later effect counts as missed
      settle_s: 5                       # silence after the last stimulus that ends a run
      stimulus:                         # a pushed WebSocket message that begins it
        websocket: wss://mainnet.helius-rpc.com/
        containing: 'initialize2'       # regular expression; only messages that hold it
        key: {path: $.params.result.value.signature}
      effect:                           # the accepted request (status below 400) that ends it
        request: POST https://api.telegram.org/*/sendMessage
        key: {path: $.text, pattern: 'tx/(\w+)'}   # path, pattern (first group) or both
        compare: [$.chat_id, $.text]    # must be equal to the recording; default: whole body

    match:                              # what the matcher may ignore
      ignore_query: [nonce]
      ignore_body: [$.id]
      allow_misses: false

    primary: item_latency_ms.p95        # the metric that decides the verdict
    threshold: 0.05                     # the smallest relative change worth a word
    lanes: 1                            # pairs side by side; only for bots that mostly wait
    counts:                             # own metrics: name -> requests that are counted
      rugcheck_requests: GET https://api.rugcheck.xyz/v1/tokens/*/report
    targets:                            # largest allowed value (smallest where more is better)
      item_latency_ms.p95: 1000
    critical_path:                      # requests of an item that wait for each other, in stages
      - [POST https://mainnet.helius-rpc.com/]
      - [GET https://api.rugcheck.xyz/v1/tokens/*/report]
      - [POST https://api.telegram.org/*/sendMessage]

    claims:                             # sentences of a report beside what is measured
      - text: Pool Processing Time 3-5 seconds -> 0.5-1 second, 5x faster
        source: Performance Targets, row 1
        metric: item_latency_ms.p50     # values in the unit of the metric, here ms
        before: [3000, 5000]            # a number, [low, high] or [low, null] for an open end
        after: [500, 1000]
        ratio: 0.2                      # claimed after / before: a number or [low, high]
      - text: Zero memory leaks during 24h continuous operation
        source: Success Metrics
        not_measured: needs a soak over 24 h of recorded traffic

A request pattern is a method and a URL without query; ``*`` stands for a path segment or a part
of one. Every mistake is one InputError that names file, line, key and the nearest right word.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from perfscan.errors import InputError
from perfscan.replay.catalogue import METRICS
from perfscan.replay.items import values_at
from perfscan.replay.model import (
    Claim,
    EffectRule,
    Implementation,
    ItemRules,
    KeyRule,
    MatchRules,
    Scenario,
    StimulusRule,
)
from perfscan.replay.yaml_node import YamlNode, did_you_mean, read_yaml

SCHEMA = "perfscan.scenario/1"
DEFAULT_PRIMARY = "item_latency_ms.p95"
DEFAULT_THRESHOLD = 0.05
_REQUIRED = ("schema", "name", "recording", "implementations", "items")
_KEYS = (
    *_REQUIRED,
    *("title", "simulated", "match", "primary", "threshold", "lanes", "counts", "targets"),
    *("critical_path", "claims"),
)
_SIDES = ("original", "optimized")
SERVICES = ("redis",)
_WEBSOCKET = re.compile(r"wss?://[^/\s?#]+(/[^\s?#]*)?")
_REQUEST = re.compile(r"[A-Z]+ https?://[^/\s?#]+(/[^\s?#]*)?")


def read_scenario(path: Path) -> Scenario:
    """Read and check a scenario. Raises InputError for the first mistake."""
    top = read_yaml(path).fields(_KEYS, required=_REQUIRED)
    if (schema := top["schema"].text()) != SCHEMA:
        raise top["schema"].mistake(f"unknown schema {schema!r}", f"write {SCHEMA}")
    sides = top["implementations"].fields(_SIDES, required=_SIDES)
    counts = _counts(top.get("counts"))
    known = (*METRICS, *counts)
    name = top["name"].text()
    items = _items(top["items"])
    return Scenario(
        name=name,
        title=top["title"].text() if "title" in top else name,
        path=path,
        recording=_file(top["recording"]),
        original=_implementation("original", sides["original"]),
        optimized=_implementation("optimized", sides["optimized"]),
        items=items,
        primary=_metric(top["primary"], known) if "primary" in top else DEFAULT_PRIMARY,
        threshold=_threshold(top.get("threshold")),
        match=replace(_match(top.get("match")), effect=items.effect),
        claims=tuple(_claim(claim, known) for claim in _children(top.get("claims"))),
        targets=_targets(top.get("targets"), known),
        counts=counts,
        critical_path=tuple(
            tuple(_request(request) for request in stage.items())
            for stage in _children(top.get("critical_path"))
        ),
        simulated=top["simulated"].scalar().strip() if "simulated" in top else "",
        lanes=_whole(top["lanes"], at_least=1) if "lanes" in top else 1,
    )


def _implementation(name: str, node: YamlNode) -> Implementation:
    fields = node.fields(
        ("command", "directory", "environment", "services", "switches"), required=("command",)
    )
    return Implementation(
        name=name,
        command=_command(fields["command"]),
        directory=_directory(fields["directory"]) if "directory" in fields else _folder(node),
        environment=_environment(fields.get("environment")),
        services=_services(fields["services"]) if "services" in fields else (),
        switches={
            switch: _environment(values)
            for switch, values in _entries(fields.get("switches")).items()
        },
    )


def _command(node: YamlNode) -> tuple[str, ...]:
    if node.is_list:
        words = tuple(word.scalar() for word in node.items())
    else:
        try:
            words = tuple(shlex.split(node.text()))
        except ValueError as error:
            raise node.mistake(f"cannot split the command: {error}", "write a list") from error
    if not words:
        raise node.mistake("the command is empty", "write what starts the bot")
    return words


def _services(node: YamlNode) -> tuple[str, ...]:
    for service in node.items():
        if service.text() not in SERVICES:
            raise service.mistake(
                f"unknown service {service.text()!r}{did_you_mean(service.text(), SERVICES)}",
                f"perfscan can start {', '.join(SERVICES)}",
            )
    return node.texts()


def _environment(node: YamlNode | None) -> dict[str, str]:
    return {name: value.scalar() for name, value in _entries(node).items()}


def _items(node: YamlNode) -> ItemRules:
    fields = node.fields(
        ("stimulus", "effect", "deadline_s", "settle_s"), required=("stimulus", "effect")
    )
    seconds = {name: _positive(fields[name]) for name in fields if name.endswith("_s")}
    return ItemRules(_stimulus(fields["stimulus"]), _effect(fields["effect"]), **seconds)


def _stimulus(node: YamlNode) -> StimulusRule:
    fields = node.fields(("websocket", "containing", "key"), required=("websocket", "key"))
    url = fields["websocket"].text()
    if not _WEBSOCKET.fullmatch(url):
        raise fields["websocket"].mistake(
            f"not a WebSocket URL without query: {url!r}", "write wss://host/path"
        )
    containing = _pattern(fields["containing"]) if "containing" in fields else None
    return StimulusRule(url, _key(fields["key"]), containing)


def _effect(node: YamlNode) -> EffectRule:
    fields = node.fields(("request", "key", "compare"), required=("request", "key"))
    compare = [_json_path(path) for path in _children(fields.get("compare"))]
    return EffectRule(_request(fields["request"]), _key(fields["key"]), tuple(compare))


def _key(node: YamlNode) -> KeyRule:
    fields = node.fields(("path", "pattern"))
    if not fields:
        raise node.mistake("the key needs a path or a pattern", "add path: $.some.value")
    path = _json_path(fields["path"]) if "path" in fields else None
    pattern = _pattern(fields["pattern"]) if "pattern" in fields else None
    if pattern and not re.compile(pattern).groups:
        raise fields["pattern"].mistake(
            "the pattern has no group", "put the key in parentheses, such as id=(\\w+)"
        )
    return KeyRule(path, pattern)


def _match(node: YamlNode | None) -> MatchRules:
    if node is None:
        return MatchRules()
    fields = node.fields(("ignore_query", "ignore_body", "allow_misses"))
    return MatchRules(
        ignore_query=fields["ignore_query"].texts() if "ignore_query" in fields else (),
        ignore_body=fields["ignore_body"].texts() if "ignore_body" in fields else (),
        allow_misses=fields["allow_misses"].flag() if "allow_misses" in fields else False,
    )


def _claim(node: YamlNode, known: Collection[str]) -> Claim:
    fields = node.fields(
        ("text", "source", "metric", "before", "after", "ratio", "not_measured"),
        required=("text", "source"),
    )
    if ("metric" in fields) == ("not_measured" in fields):
        raise node.mistake(
            "a claim needs either metric or not_measured",
            "name the metric that answers it, or say why none does",
        )
    figures = [name for name in ("before", "after", "ratio") if name in fields]
    if "metric" in fields and not figures:
        raise node.mistake("the claim has no figure", "add before, after or ratio")
    ratio = _interval(fields["ratio"]) if "ratio" in fields else None
    if ratio and (ratio[1] is None or ratio[0] < 0):
        raise fields["ratio"].mistake("expected a ratio or [low, high]", "after divided by before")
    return Claim(
        text=fields["text"].text(),
        source=fields["source"].text(),
        metric=_metric(fields["metric"], known) if "metric" in fields else None,
        before=_interval(fields["before"]) if "before" in fields else None,
        after=_interval(fields["after"]) if "after" in fields else None,
        ratio=(ratio[0], ratio[1]) if ratio and ratio[1] is not None else None,
        not_measured=fields["not_measured"].text() if "not_measured" in fields else None,
    )


def _interval(node: YamlNode) -> tuple[float, float | None]:
    if not node.is_list:
        return node.number(), node.number()
    bounds = node.items()
    if len(bounds) != 2:
        raise node.mistake(f"expected [low, high], found {len(bounds)} values")
    low = bounds[0].number()
    high = None if bounds[1].is_null else bounds[1].number()
    if high is not None and high < low:
        raise node.mistake(f"the bounds are in the wrong order: {low:g} > {high:g}", "swap them")
    return low, high


def _counts(node: YamlNode | None) -> dict[str, str]:
    counts = _entries(node)
    for name, child in counts.items():
        if name in METRICS:
            raise child.mistake(f"{name!r} is a metric of perfscan", "choose another name")
    return {name: _request(child) for name, child in counts.items()}


def _targets(node: YamlNode | None, known: Collection[str]) -> dict[str, float]:
    targets = _entries(node)
    for name, child in targets.items():
        if name not in known:
            raise child.mistake(f"unknown metric {name!r}{did_you_mean(name, known)}")
    return {name: child.number() for name, child in targets.items()}


def _metric(node: YamlNode, known: Collection[str]) -> str:
    if (name := node.text()) not in known:
        raise node.mistake(
            f"unknown metric {name!r}{did_you_mean(name, known)}", "or declare it under counts"
        )
    return name


def _request(node: YamlNode) -> str:
    if not _REQUEST.fullmatch(pattern := node.text()):
        raise node.mistake(
            f"not a request pattern: {pattern!r}", "write GET https://host/path/* without query"
        )
    return pattern


def _pattern(node: YamlNode) -> str:
    try:
        re.compile(pattern := node.text())
    except re.error as error:
        raise node.mistake(f"not a regular expression: {error}") from error
    return pattern


def _json_path(node: YamlNode) -> str:
    if not (path := node.text()).startswith("$"):
        raise node.mistake(f"not a JSONPath: {path!r}", "begin it with $")
    try:
        values_at(path, {})
    except InputError as error:
        raise node.mistake(error.what, error.remedy) from error
    return path


def _threshold(node: YamlNode | None) -> float:
    if node is None:
        return DEFAULT_THRESHOLD
    value = node.number()
    if not 0 < value < 1:
        raise node.mistake(f"expected a share between 0 and 1, found {value:g}", "0.05 is 5 %")
    return value


def _positive(node: YamlNode) -> float:
    if (value := node.number()) <= 0:
        raise node.mistake(f"expected more than 0, found {value:g}")
    return value


def _whole(node: YamlNode, *, at_least: int) -> int:
    value = node.number()
    if value != int(value) or value < at_least:
        raise node.mistake(f"expected a whole number from {at_least}, found {value:g}")
    return int(value)


def _folder(node: YamlNode) -> Path:
    return node.file.parent


def _file(node: YamlNode) -> Path:
    path = _folder(node) / node.text()
    if not path.is_file():
        what = "this is a directory" if path.is_dir() else "no such file"
        raise node.mistake(f"{what}: {path}", "give a path relative to the scenario file")
    return path


def _directory(node: YamlNode) -> Path:
    path = _folder(node) / node.text()
    if not path.is_dir():
        raise node.mistake(
            f"no such directory: {path}", "give a path relative to the scenario file"
        )
    return path


def _entries(node: YamlNode | None) -> dict[str, YamlNode]:
    return node.mapping() if node else {}


def _children(node: YamlNode | None) -> list[YamlNode]:
    return node.items() if node else []
