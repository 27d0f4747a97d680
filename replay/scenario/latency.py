"""``latency``: how long services take to answer, for recordings that do not say it."""

from __future__ import annotations

from perfscan.replay.latency import EVERYTHING
from perfscan.replay.model import LatencyRule
from perfscan.replay.scenario.fields import check_request, read_entries, read_positive
from perfscan.replay.yaml_node import YamlNode


def read_latency(node: YamlNode | None) -> tuple[LatencyRule, ...]:
    """Read the rules, in the order in which they are tried."""
    return tuple(_rule(pattern, child) for pattern, child in read_entries(node).items())


def _rule(pattern: str, node: YamlNode) -> LatencyRule:
    if pattern != EVERYTHING:
        check_request(pattern, node)
    if node.is_list:
        values = tuple(_not_negative(item) for item in node.items())
        if not values:
            raise node.mistake("the list is empty", "give one or more milliseconds")
        return LatencyRule(pattern, values_ms=values)
    if not node.is_mapping:
        return LatencyRule(pattern, values_ms=(_not_negative(node),))
    fields = node.fields(("p50_ms", "p95_ms"), required=("p50_ms", "p95_ms"))
    p50_ms, p95_ms = read_positive(fields["p50_ms"]), read_positive(fields["p95_ms"])
    if p95_ms < p50_ms:
        raise fields["p95_ms"].mistake(f"p95_ms is below p50_ms: {p95_ms:g} < {p50_ms:g}")
    return LatencyRule(pattern, p50_ms=p50_ms, p95_ms=p95_ms)


def _not_negative(node: YamlNode) -> float:
    if (value := node.number()) < 0:
        raise node.mistake(f"expected milliseconds, found {value:g}")
    return value
