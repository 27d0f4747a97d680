"""A scan as Markdown for a pull request or a step summary: counts, then rule by rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from perfscan.analyzers.model import Analysis, Finding, Severity
from perfscan.reports.findings_text import cost_words, worst_first
from perfscan.reports.table import Align, code, escape, markdown_table

BUDGET = 65_536
"""Characters that GitHub takes in a comment."""
MOST_PLACES = 20
"""Findings shown per rule; the others are counted."""


def render(analysis: Analysis) -> str:
    """Return the report, at most ``BUDGET`` characters; what was cut is counted at its end."""
    groups = worst_first(analysis.findings)
    parts = [_head(analysis), *([_overview(groups)] if groups else [])]
    room = BUDGET - sum(len(part) + 2 for part in parts) - 200
    for position, group in enumerate(groups):
        section = _section(group)
        if len(section) + 2 > room:
            left = sum(len(one) for one in groups[position:])
            parts.append(f"_{_count(left, 'finding')} left out here: run `perfscan analyze`._")
            break
        parts.append(section)
        room -= len(section) + 2
    return "\n\n".join(parts) + "\n"


def _head(analysis: Analysis) -> str:
    severities = Counter(finding.severity for finding in analysis.findings)
    counts = ", ".join(f"{severities[one]} {one}" for one in reversed(Severity) if severities[one])
    found = _count(len(analysis.findings), "finding") if analysis.findings else "no findings"
    lines = [f"## perfscan: {found}{f' ({counts})' if counts else ''}", ""]
    lines.append(f"{_count(analysis.files, 'file')}, {_count(analysis.lines, 'line')} scanned.")
    notes = [f"{len(analysis.ignored)} ignored by comments"] if analysis.ignored else []
    notes += [f"{number} {WITHHELD[reason]}" for reason, number in analysis.withheld.items()]
    if notes:
        lines[-1] += f" Not listed: {', '.join(notes)}."
    lines += [
        f"- {code(error.path)} was not scanned: {escape(error.message)}"
        for error in analysis.errors
        if error.named
    ]
    return "\n".join(lines)


WITHHELD = {
    "possible": "for which only a name speaks (`--show-possible`)",
    "path": "in paths whose rules are ignored",
    "baseline": "accepted by the baseline",
    "old": "there before the change",
}
"""Why findings are not listed, by the keys of ``Analysis.withheld``."""


def _overview(groups: Sequence[Sequence[Finding]]) -> str:
    align: tuple[Align, ...] = ("left", "left", "right", "left")
    rows = [
        (group[0].rule, group[0].name, str(len(group)), str(group[0].severity)) for group in groups
    ]
    return markdown_table(("Rule", "Name", "Findings", "Highest"), align, rows)


def _section(group: Sequence[Finding]) -> str:
    lines = [f"### {group[0].rule} {group[0].name}", "", escape(group[0].why), ""]
    lines += list(_places(group[:MOST_PLACES]))
    if len(group) > MOST_PLACES:
        lines.append(f"- and {len(group) - MOST_PLACES} more")
    return "\n".join(lines)


def _places(group: Sequence[Finding]) -> Iterator[str]:
    for finding in group:
        place = code(f"{finding.path}:{finding.span.line}")
        yield f"- {place} ({finding.severity}): {escape(finding.message)}. {escape(finding.fix)}"
        if finding.estimate is not None and finding.estimate.basis != "cost class":
            yield f"  Costs {escape(cost_words(finding.estimate))}"
        if finding.trace:
            steps = " → ".join(
                f"{code(step.symbol.rpartition(':')[2])} ({code(f'{step.path}:{step.line}')})"
                for step in finding.trace
            )
            yield f"  Reached by {steps}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
