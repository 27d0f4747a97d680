"""A run for a terminal: plain text in 80 columns, in the words of the Markdown report."""

from __future__ import annotations

from perfscan.quantities import quantity
from perfscan.replay.model import MetricComparison, Result
from perfscan.reports.excerpt import inert
from perfscan.reports.numbers import above_floor, ratio_cell, target_phrase
from perfscan.reports.run_ablation import ablation_lines, figure_lines
from perfscan.reports.run_findings import rule_changes, totals
from perfscan.reports.run_variants import variant_lines
from perfscan.reports.run_words import (
    checks,
    confidence,
    coverage_of,
    differ,
    meaning_of_ratio,
    ordered_metrics,
    primary_of,
    title,
    verdict_sentences,
    verdict_word,
)
from perfscan.reports.table import Align, plain_table, wrapped

WIDTH = 80
MOST_DIFFERENCES = 8
_NARROWEST = 12


def render_terminal(result: Result) -> str:
    """Return the summary without a final line feed; no line begins with somebody's text."""
    blocks = [_head(result), _checks(result), _differences(result)]
    if not differ(result):
        blocks += [_results(result), figure_lines(result), ablation_lines(result), _claims(result)]
    blocks += [variant_lines(result), _findings(result), _doubts(result)]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _head(result: Result) -> list[str]:
    comparison = result.comparison
    sure = f" ({confidence(comparison)} confidence)"
    settled = comparison.verdict not in ("inconclusive", "replies differ")
    name = inert(str(result.scenario.get("title", result.scenario.get("name", ""))))
    lines = wrapped(f"{name}: {title(result)}{sure if settled else ''}", first="", rest="  ")
    for sentence in verdict_sentences(result):
        lines += wrapped(sentence)
    return lines


def _checks(result: Result) -> list[str]:
    lines = []
    for check in checks(result):
        mark = "ok" if check.passed else "!!"
        first = f"  {mark}  {check.name:<10} "
        lines += wrapped(check.text, first=first, rest=" " * len(first))
    return lines


def _differences(result: Result) -> list[str]:
    found = result.comparison.equivalence.differences
    lines = ["Work that was not the same:"] if found else []
    for one in found[:MOST_DIFFERENCES]:
        detail = f": {one.detail}" if one.detail else ""
        times = f" ({one.runs} runs)" if one.runs > 1 else ""
        lines += wrapped(f"{one.key}: {one.kind} by {one.side}{times}{detail}", rest="    ")
    rest = len(found) - MOST_DIFFERENCES
    return [*lines, f"  and {rest} more"] if rest > 0 else lines


def _results(result: Result) -> list[str]:
    """Return the table; the full report has all of it."""
    metrics = [one for one in ordered_metrics(result) if _telling(one, result)]
    if not metrics:
        return []
    header = ("", "before", "after", "after/before", "verdict")
    align: tuple[Align, ...] = ("left", "right", "right", "left", "left")
    rows = [_row(metric) for metric in metrics]
    others = sum(max(len(row[column]) for row in [header, *rows]) + 2 for column in range(1, 5))
    room = max(_NARROWEST, WIDTH - 2 - others)
    lines = plain_table(header, align, [(_cut(row[0], room), *row[1:]) for row in rows])
    for metric in metrics:
        if metric.target is not None:
            text = f"target {target_phrase(metric)} for {metric.label}: {verdict_word(metric)}"
            lines += wrapped(text)
    lines += wrapped(f"after/before: {meaning_of_ratio(result)} ({coverage_of(result)})")
    primary = primary_of(result)
    if primary and (distance := above_floor(primary)):
        floor = quantity(primary.floor, primary.unit)
        lines += wrapped(f"{primary.label}: {distance} of the floor ({floor})")
    return lines


def _telling(metric: MetricComparison, result: Result) -> bool:
    """Tell whether a metric belongs into 80 columns.

    Percentiles over unequal items do not, nor what a change cost where nothing is known of it and
    nobody asked.
    """
    if "_all_ms" in metric.name:
        return False
    asked = {one.claim.metric for one in result.comparison.claims} | set(
        result.scenario.get("targets") or ()
    )
    known = metric.verdict in ("improved", "regressed")
    return known or metric.role not in ("cost", "schedule") or metric.name in asked


def _row(metric: MetricComparison) -> tuple[str, ...]:
    return (
        metric.label or metric.name,
        quantity(metric.before, metric.unit),
        quantity(metric.after, metric.unit),
        ratio_cell(metric).replace(" to ", "-"),
        metric.verdict,
    )


def _cut(text: str, room: int) -> str:
    safe = inert(text)
    return safe if len(safe) <= room else safe[: room - 1] + "…"


def _claims(result: Result) -> list[str]:
    lines = ["Claims:"] if result.comparison.claims else []
    for one in result.comparison.claims:
        lines += wrapped(f"{one.verdict}: {one.claim.text}", rest="    ")
        lines += wrapped(one.measured, first="    ", rest="    ")
    return lines


def _findings(result: Result) -> list[str]:
    if result.findings is None:
        return []
    left = [change.rule for change in rule_changes(result) if change.after]
    rest = f" ({', '.join(left)})" if left else ""
    return wrapped(f"Code scan: {totals(result)}{rest}", first="")


def _doubts(result: Result) -> list[str]:
    lines = ["Reasons for doubt:"] if result.comparison.doubts else []
    for doubt in result.comparison.doubts:
        lines += wrapped(f"{doubt.code}: {doubt.what}", rest="    ")
        lines += wrapped(f"-> {doubt.remedy}", first="    ", rest="       ")
    return lines
