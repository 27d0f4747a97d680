"""A scan as JSON, by the contract ``perfscan.findings/1``."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from perfscan.analyzers.model import Analysis, FileError, Finding, Severity

SCHEMA = "perfscan.findings/1"


def render(analysis: Analysis, *, version: str, seconds: float) -> str:
    """Return the JSON text, newline included.

    Only ``seconds`` and ``cached_files`` of the summary vary between runs.
    """
    document = {
        "schema": SCHEMA,
        "version": version,
        "root": analysis.root,
        "summary": _summary(analysis, seconds),
        "findings": [_finding(finding) for finding in analysis.findings],
        "ignored": [
            {**_place(ignored.finding), "reason": ignored.reason} for ignored in analysis.ignored
        ],
        "unused_ignores": [
            {"path": unused.path, "line": unused.line, "rules": list(unused.rules)}
            for unused in analysis.unused_ignores
        ],
        "errors": [_error(error) for error in analysis.errors],
    }
    return json.dumps(document, indent=2) + "\n"


def render_lines(analysis: Analysis) -> str:
    """Return one finding a line, keys sorted, for ``jq`` and ``diff``; empty when clean."""
    records = (json.dumps(_finding(finding), sort_keys=True) for finding in analysis.findings)
    return "".join(f"{record}\n" for record in records)


def _summary(analysis: Analysis, seconds: float) -> dict[str, Any]:
    by_rule = Counter(finding.rule for finding in analysis.findings)
    by_severity = Counter(finding.severity for finding in analysis.findings)
    return {
        "files": analysis.files,
        "lines": analysis.lines,
        "findings": len(analysis.findings),
        "by_rule": dict(sorted(by_rule.items())),
        "by_severity": {str(severity): by_severity[severity] for severity in reversed(Severity)},
        "suppressed": len(analysis.ignored),
        "withheld": dict(analysis.withheld),
        "seconds": round(seconds, 3),
        "cached_files": analysis.cached_files,
        "errors": len(analysis.errors),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "name": finding.name,
        "severity": str(finding.severity),
        "confidence": finding.confidence.value,
        "path": finding.path,
        "line": finding.span.line,
        "column": finding.span.column,
        "end_line": finding.span.end_line,
        "end_column": finding.span.end_column,
        "symbol": finding.symbol,
        "message": finding.message,
        "why": finding.why,
        "fix": finding.fix,
        "fixable": finding.fixable,
        "trace": [
            {"path": step.path, "line": step.line, "symbol": step.symbol} for step in finding.trace
        ],
        "estimate": asdict(finding.estimate) if finding.estimate else None,
        "measured": None,  # needs a replay
        "fingerprint": finding.fingerprint,
    }


def _place(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "path": finding.path,
        "line": finding.span.line,
        "fingerprint": finding.fingerprint,
    }


def _error(error: FileError) -> dict[str, Any]:
    return {"path": error.path, "line": error.line, "message": error.message}
