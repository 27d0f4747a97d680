"""``claims``, ``targets`` and ``counts``: what is said and asked of the figures."""

from __future__ import annotations

import re
from collections.abc import Collection

from perfscan.replay.catalogue import METRICS, of_latency
from perfscan.replay.model import Claim
from perfscan.replay.scenario.fields import read_entries, read_interval, read_metric, read_requests
from perfscan.replay.yaml_node import YamlNode, did_you_mean

_LATENCY = re.compile(r"\w+_ms")


def read_claim(node: YamlNode, known: Collection[str]) -> Claim:
    """Read one sentence of a report and the figure that answers it."""
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
    ratio = read_interval(fields["ratio"]) if "ratio" in fields else None
    if ratio and (ratio[1] is None or ratio[0] < 0):
        raise fields["ratio"].mistake("expected a ratio or [low, high]", "after divided by before")
    return Claim(
        text=fields["text"].text(),
        source=fields["source"].text(),
        metric=read_metric(fields["metric"], known) if "metric" in fields else None,
        before=read_interval(fields["before"]) if "before" in fields else None,
        after=read_interval(fields["after"]) if "after" in fields else None,
        ratio=(ratio[0], ratio[1]) if ratio and ratio[1] is not None else None,
        not_measured=fields["not_measured"].text() if "not_measured" in fields else None,
    )


def read_counts(node: YamlNode | None) -> dict[str, tuple[str, ...]]:
    """Read the scenario's own metrics."""
    counts = read_entries(node)
    for name, child in counts.items():
        if name in METRICS:
            raise child.mistake(f"{name!r} is a metric of perfscan", "choose another name")
    return {name: read_requests(child) for name, child in counts.items()}


def read_latencies(node: YamlNode | None) -> dict[str, tuple[str, ...]]:
    """Read the scenario's own latencies, by their name without ``.p50`` and so on."""
    latencies = read_entries(node)
    for name, child in latencies.items():
        if not _LATENCY.fullmatch(name):
            raise child.mistake(f"not a name for a latency: {name!r}", "end it with _ms")
        if any(one in METRICS for one in of_latency(name)):
            raise child.mistake(f"{name!r} is measured by perfscan", "choose another name")
    return {name: read_requests(child) for name, child in latencies.items()}


def read_targets(node: YamlNode | None, known: Collection[str]) -> dict[str, float]:
    """Read the values that must be reached."""
    targets = read_entries(node)
    for name, child in targets.items():
        if name not in known:
            raise child.mistake(f"unknown metric {name!r}{did_you_mean(name, known)}")
    return {name: child.number() for name, child in targets.items()}
