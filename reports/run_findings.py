"""What the code scan says of both sides, rule by rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perfscan.replay.model import Result
from perfscan.reports.run_words import plural

SEVERITIES = ("critical", "high", "medium", "low", "info")

CANNOT_SEE = (
    "The scan reads code and counts places. How often a place is reached, how long a service "
    "takes, whether answers repeat and whether two waits could overlap shows only in the replay."
)


@dataclass(frozen=True, slots=True)
class RuleChange:
    """The findings of one rule on both sides; places are ``path:line``, in order."""

    rule: str
    name: str
    severity: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def state(self) -> str:
        """One word on what became of them."""
        before, after = len(self.before), len(self.after)
        if after == 0:
            return "gone"
        if before == 0:
            return "new"
        if after == before:
            return "same"
        return "fewer" if after < before else "more"


def rule_changes(result: Result) -> list[RuleChange]:
    """Return the rules with findings on either side, most severe first; empty without a scan."""
    found = result.findings or {}
    before = _by_rule(found.get("original"))
    after = _by_rule(found.get("optimized"))
    changes = [
        _change(rule, before.get(rule, []), after.get(rule, []))
        for rule in sorted(before.keys() | after.keys())
    ]
    return sorted(changes, key=lambda change: SEVERITIES.index(change.severity))


def totals(result: Result) -> str:
    """Return one clause on the number of findings, such as ``31 findings before, 0 after``."""
    changes = rule_changes(result)
    before = sum(len(change.before) for change in changes)
    after = sum(len(change.after) for change in changes)
    return f"{before} {plural('finding', before)} before, {after} after"


def _by_rule(document: Mapping[str, Any] | None) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for finding in (document or {}).get("findings", ()):
        found.setdefault(str(finding["rule"]), []).append(finding)
    return found


def _change(
    rule: str, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> RuleChange:
    worst = min((str(finding["severity"]) for finding in (*before, *after)), key=SEVERITIES.index)
    name = str((*before, *after)[0]["name"])
    return RuleChange(rule, name, worst, _places(before), _places(after))


def _places(findings: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(f"{finding['path']}:{finding['line']}" for finding in findings)
