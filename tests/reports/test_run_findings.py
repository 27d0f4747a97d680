from __future__ import annotations

from dataclasses import replace

from perfscan.replay.model import Result
from perfscan.reports.run_findings import rule_changes, totals


def finding(rule: str, severity: str, line: int) -> dict[str, object]:
    return {"rule": rule, "name": rule, "severity": severity, "path": "b.py", "line": line}


def test_rules_are_set_side_by_side_most_severe_first(faster: Result) -> None:
    before = [finding("PS1", "low", 1), finding("PS2", "critical", 2), finding("PS3", "info", 3)]
    before += [finding("PS4", "high", number) for number in range(3)]
    after = [finding("PS1", "low", 9), finding("PS5", "medium", 1), finding("PS4", "high", 1)]
    after += [finding("PS3", "info", 1), finding("PS3", "info", 2)]
    result = replace(
        faster, findings={"original": {"findings": before}, "optimized": {"findings": after}}
    )

    assert [(change.rule, change.state) for change in rule_changes(result)] == [
        ("PS2", "gone"),
        ("PS4", "fewer"),
        ("PS5", "new"),
        ("PS1", "same"),
        ("PS3", "more"),
    ]
    assert rule_changes(result)[0].before == ("b.py:2",)
    assert totals(result) == "6 findings before, 5 after"


def test_without_a_scan_there_is_nothing(faster: Result) -> None:
    assert rule_changes(replace(faster, findings=None)) == []
