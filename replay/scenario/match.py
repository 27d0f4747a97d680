"""``match``: what the matcher may ignore."""

from __future__ import annotations

from perfscan.replay.model import MatchRules
from perfscan.replay.yaml_node import YamlNode


def read_match(node: YamlNode | None) -> MatchRules:
    """Read the matching rules."""
    if node is None:
        return MatchRules()
    fields = node.fields(("ignore_query", "ignore_body", "allow_misses"))
    return MatchRules(
        ignore_query=fields["ignore_query"].texts() if "ignore_query" in fields else (),
        ignore_body=fields["ignore_body"].texts() if "ignore_body" in fields else (),
        allow_misses=fields["allow_misses"].flag() if "allow_misses" in fields else False,
    )
