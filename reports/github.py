"""A scan as GitHub workflow commands, which become annotations on the changed lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perfscan.analyzers.model import Analysis, Finding, Severity

LIMIT = 10
"""Annotations of one level that GitHub keeps per step; it drops the rest without a word."""

_LEVELS = (
    ("error", (Severity.CRITICAL, Severity.HIGH)),
    ("warning", (Severity.MEDIUM,)),
    ("notice", (Severity.LOW, Severity.INFO)),
)


def render(analysis: Analysis, *, prefix: str = "") -> str:
    """Return one command a line, the worst findings of each level first; empty when clean.

    Where a level has more than GitHub keeps, its last annotation counts the rest. ``prefix``
    leads from the repository's top folder to the scanned root: ``""`` or ``bots/``.
    """
    lines: list[str] = []
    for level, severities in _LEVELS:
        found = [one for one in analysis.findings if one.severity in severities]
        found.sort(key=lambda one: (-one.severity, one.path, one.span.line))
        lines += _level(level, found, prefix)
    return "".join(f"{line}\n" for line in lines)


def _level(level: str, found: Sequence[Finding], prefix: str) -> Iterator[str]:
    shown = found if len(found) <= LIMIT else found[: LIMIT - 1]
    for finding in shown:
        yield _command(level, finding, prefix)
    rest = len(found) - len(shown)
    if rest:
        title = _property(f"perfscan: {rest} more")
        yield f"::{level} title={title}::{rest} more of this level; run perfscan analyze for all"


def _command(level: str, finding: Finding, prefix: str) -> str:
    span = finding.span
    fields = {
        "file": f"{prefix}{finding.path}",
        "line": str(span.line),
        "endLine": str(span.end_line),
        "title": f"{finding.rule} {finding.name}",
    }
    if span.end_line == span.line:  # columns over several lines mark the wrong text
        fields |= {"col": str(span.column), "endColumn": str(span.end_column)}
    properties = ",".join(f"{name}={_property(value)}" for name, value in fields.items())
    return f"::{level} {properties}::{_data(f'{finding.message}. {finding.fix}')}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
