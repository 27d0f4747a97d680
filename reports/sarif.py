"""A scan as SARIF 2.1.0, in the shape that GitHub code scanning takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from perfscan.analyzers.model import Analysis, Finding, RuleCard, Severity, TraceStep
from perfscan.reports.line_hash import line_hashes

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_TEXT = 1024
"""GitHub's limit for the texts of a rule, in characters."""
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_PROBLEM = {"error": "error", "warning": "warning", "note": "recommendation"}
"""GitHub's words for the severity of a rule, which are not SARIF's levels."""


def render(analysis: Analysis, *, version: str, rules: Sequence[RuleCard], prefix: str = "") -> str:
    """Return the log, newline included.

    ``rules`` are those that ran; ``prefix`` leads from the repository's top folder to the scanned
    root (``""`` or ``services/bot/``), since locations count from the top. A clean scan has an
    empty list of results, which closes old alerts.
    """
    hashes = {path: line_hashes(lines) for path, lines in analysis.sources.items()}
    order = {rule.id: index for index, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "perfscan",
                "semanticVersion": version,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": f"perfscan/{prefix}"},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(finding, order[finding.rule], hashes.get(finding.path, ()), prefix)
            for finding in analysis.findings
        ],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1, ensure_ascii=False) + "\n"


def _rule(rule: RuleCard) -> dict[str, Any]:
    manual = rule.manual
    level = _LEVELS[rule.severity]
    markdown = (
        f"{manual.what}\n\n**Why it costs a bot.** {manual.why}\n\n```python\n{manual.bad}\n```\n\n"
        f"Use instead:\n\n```python\n{manual.good}\n```\n\n**When it is fine.** {manual.fine}\n"
    )
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": manual.summary[:_TEXT]},
        "fullDescription": {"text": " ".join(manual.why.split())[:_TEXT]},
        "help": {"text": f"{manual.what}\n\n{manual.fine}", "markdown": markdown},
        "defaultConfiguration": {"level": level},
        "properties": {
            "precision": "high",
            "problem.severity": _PROBLEM[level],
            "tags": ["performance"],
        },
    }


def _result(finding: Finding, rule: int, hashes: Sequence[str], prefix: str) -> dict[str, Any]:
    steps = finding.trace
    links = "".join(f" [{_short(step)}]({number})" for number, step in enumerate(steps, start=1))
    via = f" Reached by:{links}." if steps else ""
    fingerprints = {"perfscan/v1": finding.fingerprint}
    if finding.span.line <= len(hashes):
        fingerprints["primaryLocationLineHash"] = hashes[finding.span.line - 1]
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{_escaped(finding.message)}. {_escaped(finding.fix)}{via}"},
        "locations": [{"physicalLocation": _place(finding, prefix)}],
        "partialFingerprints": fingerprints,
        "properties": {
            "severity": str(finding.severity),
            "confidence": finding.confidence.value,
            "symbol": finding.symbol,
        },
    }
    if steps:
        result["relatedLocations"] = [
            {"id": number, **_step(step, prefix)} for number, step in enumerate(steps, start=1)
        ]
        flow = [{"location": _step(step, prefix)} for step in steps]
        result["codeFlows"] = [{"threadFlows": [{"locations": flow}]}]
    return result


def _escaped(text: str) -> str:
    """Brackets would begin a link in a SARIF message."""
    return text.rstrip(".").replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _place(finding: Finding, prefix: str) -> dict[str, Any]:
    """Return the finding's first line: alerts over several lines rarely show on a pull request."""
    span = finding.span
    region = {"startLine": span.line, "startColumn": span.column}
    if span.end_line == span.line:
        region["endColumn"] = span.end_column
    return {"artifactLocation": {"uri": _uri(finding.path, prefix)}, "region": region}


def _step(step: TraceStep, prefix: str) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(step.path, prefix)},
            "region": {"startLine": step.line},
        },
        "message": {"text": _short(step)},
    }


def _short(step: TraceStep) -> str:
    return step.symbol.rpartition(":")[2].replace("[", "(").replace("]", ")")


def _uri(path: str, prefix: str) -> str:
    return quote(f"{prefix}{path}", safe="/", errors="surrogateescape")
