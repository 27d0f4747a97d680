"""A scan for people: findings worst first, each with its source, its call chain and its remedy."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from perfscan.analyzers.model import Analysis, Estimate, Finding, Severity, TraceStep
from perfscan.quantities import quantity
from perfscan.reports.estimates import dearness
from perfscan.reports.excerpt import excerpt, inert


class Detail(IntEnum):
    """How much is shown."""

    STATISTICS = 0
    """The table by rule and the totals."""
    CONCISE = 1
    """One line a finding, nothing when clean."""
    NORMAL = 2
    """Excerpts for the first findings of each rule; informational ones are only counted."""
    ALL = 3
    """Every finding."""
    VERBOSE = 4
    """Every finding with its symbol, confidence and fingerprint."""


SHOWN_PER_RULE = 3
"""Excerpts per rule at ``Detail.NORMAL``; the places of the others are listed."""

_COLOURS = {
    Severity.CRITICAL: "1;31",
    Severity.HIGH: "31",
    Severity.MEDIUM: "33",
    Severity.LOW: "36",
    Severity.INFO: "2",
}


@dataclass(frozen=True, slots=True)
class Style:
    """What the place of output can show."""

    width: int = 80
    colour: bool = False
    unicode: bool = True

    def paint(self, text: str, code: str) -> str:
        """Colour ``text`` when colours are wanted."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    @property
    def ellipsis(self) -> str:
        """Mark of a cut."""
        return "…" if self.unicode else "..."

    @property
    def arrow(self) -> str:
        """Step of a call chain."""
        return " → " if self.unicode else " -> "


PLAIN = Style()

WITHHELD = {
    "possible": "possible hidden (show: --show-possible)",
    "path": "hidden by per-path-ignores",
    "baseline": "in the baseline",
    "old": "there before the change",
}
"""Why findings are not shown, by the keys of ``Analysis.withheld``."""


def render(
    analysis: Analysis,
    *,
    seconds: float,
    detail: Detail = Detail.NORMAL,
    style: Style = PLAIN,
) -> str:
    """Return the report, newline included; empty for a clean scan at ``Detail.CONCISE``."""
    if detail is Detail.CONCISE:
        lines = list(_concise(analysis))
    else:
        lines = list(_groups(analysis, detail, style)) if detail >= Detail.NORMAL else []
        if analysis.findings:
            lines += [*_table(analysis.findings, style), ""]
        lines += _totals(analysis, seconds, detail, style)
    return "".join(f"{line}\n" for line in lines)


def worst_first(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Group the findings by rule, the rule with the worst finding first."""
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule, []).append(finding)
    groups = [sorted(group, key=_dearest_first) for group in by_rule.values()]
    return sorted(groups, key=_dearest_group_first)


def _dearest_group_first(group: Sequence[Finding]) -> tuple[int, float, int, str]:
    recorded = max(dearness(finding)[0] for finding in group)
    return (-group[0].severity, -recorded, -len(group), group[0].rule)


def _dearest_first(finding: Finding) -> tuple[int, float, int, str, int, int]:
    recorded, rank = dearness(finding)
    span = finding.span
    return (-finding.severity, -recorded, -rank, finding.path, span.line, span.column)


def _groups(analysis: Analysis, detail: Detail, style: Style) -> Iterator[str]:
    informational = 0
    for group in worst_first(analysis.findings):
        wanted = group
        if detail is Detail.NORMAL:
            wanted = [one for one in group if one.severity > Severity.INFO]
            informational += len(group) - len(wanted)
        if wanted:
            yield from _group(wanted, analysis, detail, style)
            yield ""
    if informational:
        yield f"{style.ellipsis} {_count(informational, 'informational finding')}. Show: --all"
        yield ""


def _group(
    group: Sequence[Finding], analysis: Analysis, detail: Detail, style: Style
) -> Iterator[str]:
    worst = group[0].severity
    title = f"{group[0].rule} {group[0].name}"
    right = str(worst) if len(group) == 1 else f"{worst}, {len(group)} findings"
    gap = " " * max(2, style.width - len(title) - len(right))
    yield style.paint(title, "1") + gap + style.paint(right, _COLOURS[worst])
    shown = group if detail > Detail.NORMAL else group[:SHOWN_PER_RULE]
    shared_fix = len({one.fix for one in group}) == 1
    for number, finding in enumerate(shown):
        if number:
            yield ""
        yield from _finding(finding, analysis.sources.get(finding.path, ()), style)
        if detail is Detail.VERBOSE:
            margin = " " * len(str(finding.span.line))
            yield f"{margin} = symbol: {inert(finding.symbol)}"
            yield f"{margin} = confidence: {finding.confidence}, id: {finding.fingerprint}"
        if not shared_fix:
            yield from _wrapped("fix: ", finding.fix, style)
    rest = group[len(shown) :]
    if rest:
        places = ", ".join(f"{one.path}:{one.span.line}" for one in rest)
        yield from _wrapped(f"{style.ellipsis} {len(rest)} more: ", places, style)
    yield from _wrapped("why: ", group[0].why, style)
    if shared_fix:
        yield from _wrapped("fix: ", group[0].fix, style)


def _finding(finding: Finding, lines: Sequence[str], style: Style) -> Iterator[str]:
    span = finding.span
    place = f"{inert(finding.path)}:{span.line}:{span.column}"
    yield f" --> {place}  {style.paint(str(finding.severity), _COLOURS[finding.severity])}"
    gutter = len(str(span.line))
    found = excerpt(lines, span, style.width - gutter - 3, style.ellipsis)
    if found is not None:
        for number, text in found.rows:
            yield f"{number:>{gutter}} | {text}".rstrip()
        yield f"{'':{gutter}} | " + style.paint(found.carets, _COLOURS[finding.severity])
    yield from _wrapped(" " * gutter + " = ", finding.message, style)
    if finding.estimate is not None and finding.estimate.basis != "cost class":
        yield from _wrapped(" " * gutter + " = costs: ", cost_words(finding.estimate), style)
    if finding.trace:
        chain = style.arrow.join(_step(step, finding.path) for step in finding.trace)
        yield from _wrapped(" " * gutter + " = reached by: ", chain, style)


def cost_words(estimate: Estimate) -> str:
    """Say what the recorded requests took, and what taking them for this call assumes."""
    if estimate.basis == "import":
        return (
            f"{quantity(estimate.median_ms, 'ms')} at each start for {inert(estimate.target)}"
            f" and all that it imports (assumes {inert(estimate.assumes)})"
        )
    middle, tail = quantity(estimate.median_ms, "ms"), quantity(estimate.p95_ms, "ms")
    return (
        f"{middle} a call, p95 {tail}, {quantity(estimate.total_ms, 'ms')} in the recording"
        f" ({_count(estimate.requests, 'request')} to {inert(estimate.target)};"
        f" assumes that {estimate.assumes})"
    )


def _step(step: TraceStep, here: str) -> str:
    place = f"line {step.line}" if step.path == here else f"{step.path}:{step.line}"
    return f"{step.symbol.rpartition(':')[2]} ({place})"


def _concise(analysis: Analysis) -> Iterator[str]:
    for one in analysis.findings:
        place = f"{inert(one.path)}:{one.span.line}:{one.span.column}"
        yield f"{place}: {one.rule} {one.severity} {inert(one.message)}"


def _table(findings: Sequence[Finding], style: Style) -> Iterator[str]:
    groups = worst_first(findings)
    rule_width = max(6, *(len(group[0].rule) for group in groups))
    yield style.paint(f"{'Rule':<{rule_width}}  {'Count':>5}  {'Highest':<8}  What", "1")
    for group in groups:
        worst = group[0].severity
        highest = style.paint(f"{worst!s:<8}", _COLOURS[worst])
        yield f"{group[0].rule:<{rule_width}}  {len(group):>5}  {highest}  {group[0].name}"


def _totals(analysis: Analysis, seconds: float, detail: Detail, style: Style) -> Iterator[str]:
    findings = analysis.findings
    found = f"Found {_count(len(findings), 'finding')}" if findings else "No findings"
    size = f"{_count(analysis.files, 'file')} ({_count(analysis.lines, 'line')})"
    yield f"{found} in {size}, {seconds:.2f} s."
    notes = []
    if findings:
        severities = Counter(finding.severity for finding in findings)
        parts = (f"{severities[one]} {one}" for one in reversed(Severity) if severities[one])
        notes.append(", ".join(parts))
    if analysis.ignored:
        notes.append(f"{len(analysis.ignored)} ignored by comments")
    notes += [f"{number} {WITHHELD[reason]}" for reason, number in analysis.withheld.items()]
    if analysis.errors:
        places = ", ".join(sorted({inert(error.path) for error in analysis.errors}))
        notes.append(f"{_count(len(analysis.errors), 'warning')} about {places}")
    if notes:
        yield from _wrapped("", f"{'; '.join(notes)}.", style)
    if findings and detail >= Detail.NORMAL:
        yield f"Explain a rule: perfscan rules {worst_first(findings)[0][0].rule}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _wrapped(label: str, text: str, style: Style) -> list[str]:
    """Wrap ``text`` after ``label``; the other lines start below the text, at most a third in."""
    indent = " " * min(len(label), style.width // 3)
    return textwrap.wrap(
        inert(text),
        style.width,
        initial_indent=label,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
