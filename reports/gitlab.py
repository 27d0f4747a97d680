"""A scan as a GitLab Code Quality report."""

from __future__ import annotations

import json
from typing import Any

from perfscan.analyzers.model import Analysis, Finding, Severity

_SEVERITIES = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "major",
    Severity.MEDIUM: "minor",
    Severity.LOW: "info",
    Severity.INFO: "info",
}
"""``blocker`` is for code that must not ship; slow code may."""


def render(analysis: Analysis, *, prefix: str = "") -> str:
    """Return the JSON array, newline included.

    ``prefix`` leads from the project's top folder to the scanned root: ``""`` or ``bots/``.
    """
    entries = [_entry(finding, prefix) for finding in analysis.findings]
    return json.dumps(entries, indent=1, ensure_ascii=True) + "\n"


def _entry(finding: Finding, prefix: str) -> dict[str, Any]:
    return {
        "description": f"{finding.rule} {finding.name}: {finding.message}",  # the name is not shown
        "check_name": finding.rule,
        "fingerprint": finding.fingerprint,
        "severity": _SEVERITIES[finding.severity],
        "location": {"path": f"{prefix}{finding.path}", "lines": {"begin": finding.span.line}},
    }
