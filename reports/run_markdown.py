"""A run as Markdown for GitHub: verdict, checks, results, claims, findings, method, reproduction.

Drawn from the saved result alone; the same result gives the same bytes. A reader may stop after
any section. Where the sides did different work, no speed stands above the fold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from perfscan.quantities import ABSENT, count, quantity, ratio
from perfscan.replay.model import ClaimResult, MetricComparison, Result, Run
from perfscan.reports.numbers import (
    above_floor,
    claimed_phrase,
    detectable_phrase,
    interval_of_after,
    ratio_cell,
    target_phrase,
)
from perfscan.reports.run_ablation import ablation_markdown, figures_markdown
from perfscan.reports.run_findings import CANNOT_SEE, RuleChange, rule_changes, totals
from perfscan.reports.run_method import limits, machine, method, reproduce
from perfscan.reports.run_variants import variants_markdown
from perfscan.reports.run_words import (
    Check,
    checks,
    confidence,
    coverage_of,
    differ,
    meaning_of_ratio,
    names_of,
    ordered_metrics,
    plural,
    primary_of,
    title,
    verdict_sentences,
    verdict_word,
)
from perfscan.reports.table import Align, code, escape, fenced, markdown_table

BUDGET = 65_536
"""Characters that GitHub takes in a comment."""
MOST_DIFFERENCES = 25
MOST_PLACES = 3
_MARKS = {"improved": "✅", "regressed": "🔻", "no change": "⚪", "unclear": "❔"}
_CLAIM_MARKS = {"confirmed": "✅", "refuted": "❌", "not confirmed": "❔", "not measured": "➖"}
_ALERTS = {"faster": "NOTE", "no change found": "NOTE", "replies differ": "CAUTION"}


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report; optional ones are dropped, the last first, where space is short."""

    text: str
    optional: bool = False


def render_markdown(result: Result) -> str:
    """Return the report, at most ``BUDGET`` characters long."""
    parts: tuple[Callable[[Result], Section | None], ...] = (
        _head,
        _checks,
        _doubts,
        _differences,
        _results,
        _figures,
        _ablation,
        _variants,
        _claims,
        _findings,
        _pairs,
        _logs,
        _method,
        _reproduce,
    )
    return _within_budget([section for part in parts if (section := part(result))])


def _within_budget(sections: list[Section]) -> str:
    note = "\n\n<sub>Parts were left out to keep within the size that GitHub takes.</sub>\n"
    text = "\n\n".join(section.text for section in sections) + "\n"
    dropped = False
    while len(text) + len(note) > BUDGET:
        optional = [section for section in sections if section.optional]
        if not optional:
            return text[: BUDGET - len(note)] + note
        sections.remove(optional[-1])
        dropped = True
        text = "\n\n".join(section.text for section in sections) + "\n"
    return text + (note.lstrip("\n") if dropped else "")


# --- Verdict and what could void it --------------------------------------------------------------


def _head(result: Result) -> Section:
    comparison = result.comparison
    alert = _ALERTS.get(comparison.verdict, "WARNING")
    trust = f", {confidence(comparison)} confidence"
    sure = "" if comparison.verdict in ("inconclusive", "replies differ") else trust
    sentences = [escape(sentence) for sentence in verdict_sentences(result)]
    name = str(result.scenario.get("name", ""))
    key = "".join(char for char in name if char.isalnum() or char in "_-.")
    sides = " → ".join(map(escape, names_of(result)))
    lines = [
        f"<!-- perfscan:report key={key} schema=perfscan.report/1 -->",
        f"## perfscan: {title(result)}",
        "",
        f"> [!{alert}]",
        f"> **Verdict: {comparison.verdict}{sure}.** {' '.join(sentences)}",
        "",
        f"**{escape(str(result.scenario.get('title', name)))}** · {sides} · "
        f"{comparison.pairs} {plural('pair', comparison.pairs)} of runs · "
        f"recording {code(str(result.recording.get('path', '')))}",
    ]
    return Section("\n".join(lines))


def _checks(result: Result) -> Section:
    rows = [[_mark(check), check.name, escape(check.text)] for check in checks(result)]
    return Section(markdown_table(("", "Check", "Result"), ("left", "left", "left"), rows))


def _mark(check: Check) -> str:
    return "✅" if check.passed else "⚠️"


def _doubts(result: Result) -> Section | None:
    if not result.comparison.doubts:
        return None
    lines = [
        f"- **{doubt.code}**: {escape(doubt.what)}. Remedy: {escape(doubt.remedy)}."
        for doubt in result.comparison.doubts
    ]
    return Section("Reasons for doubt, and what removes them:\n\n" + "\n".join(lines))


def _differences(result: Result) -> Section | None:
    found = result.comparison.equivalence.differences
    if not found:
        return None
    rows = [
        [code(one.key), one.side, one.kind, escape(one.detail) or ABSENT, count(one.runs)]
        for one in found[:MOST_DIFFERENCES]
    ]
    table = markdown_table(
        ("Item", "Side", "What", "Detail", "Runs"),
        ("left", "left", "left", "left", "right"),
        rows,
    )
    rest = len(found) - MOST_DIFFERENCES
    more = f"\n\nand {count(rest)} more in the result file." if rest > 0 else ""
    return Section(f"### Work that was not the same\n\n{table}{more}")


# --- Results and claims --------------------------------------------------------------------------


def _results(result: Result) -> Section | None:
    metrics = ordered_metrics(result)
    if not metrics:
        return None
    header = (
        *("Metric", "Before", "After", f"After ÷ before ({coverage_of(result)})"),
        *("Claimed, target, floor", "Verdict"),
    )
    align: tuple[Align, ...] = ("left", "right", "right", "centre", "left", "left")
    table = markdown_table(header, align, [_result_row(metric, result) for metric in metrics])
    notes = (
        f"<sub>Medians over the paired runs; after ÷ before: {meaning_of_ratio(result)}. Item "
        "latency is over the items that both runs of a pair handled. Counts that never varied are "
        "exact and need no interval. All but the first row are corrected for their number "
        "(Holm).</sub>"
    )
    body = f"{table}\n\n{notes}"
    if not differ(result):
        return Section(f"### Results\n\n{body}{_floor_sentence(result)}")
    warning = "These figures compare different work and say nothing about speed."
    return Section(_folded("Figures of unequal work", f"{warning}\n\n{body}"), optional=True)


def _result_row(metric: MetricComparison, result: Result) -> list[str]:
    verdict = f"{_MARKS[metric.verdict]} {verdict_word(metric)}"
    if metric.target_met == "not proven" and (interval := interval_of_after(metric)):
        verdict += f" ({interval})"
    if metric.verdict == "unclear" and (why := detectable_phrase(metric)):
        verdict += f"; {why}"
    return [
        escape(metric.label or metric.name),
        quantity(metric.before, metric.unit),
        quantity(metric.after, metric.unit),
        ratio_cell(metric),
        ", ".join(_wanted(metric, result)),
        verdict,
    ]


def _wanted(metric: MetricComparison, result: Result) -> list[str]:
    """Return what others want of a metric, and the best that the recording permits."""
    claims = (one.claim for one in result.comparison.claims if one.claim.metric == metric.name)
    first = next(claims, None)
    wanted = [claimed] if first and (claimed := claimed_phrase(first, metric.unit)) else []
    if metric.target is not None:
        wanted.append(f"target {target_phrase(metric)}")
    if metric.floor is not None:
        wanted.append(f"floor {quantity(metric.floor, metric.unit)}")
    return wanted


def _floor_sentence(result: Result) -> str:
    primary = primary_of(result)
    distance = above_floor(primary) if primary else ""
    if primary is None or not distance:
        return ""
    assumed = (result.method.get("floor_assumes") or {}).get(primary.name)
    return (
        f"\n\n{primary.label}: the optimized side is at **{distance}** of the floor, the best that "
        f"the recorded traffic permits ({quantity(primary.floor, primary.unit)})."
        + (f" The floor assumes {assumed}." if assumed else "")
    )


def _figures(result: Result) -> Section | None:
    text = figures_markdown(result)
    return Section(text) if text else None


def _variants(result: Result) -> Section | None:
    text = variants_markdown(result)
    return Section(text) if text else None


def _ablation(result: Result) -> Section | None:
    text = ablation_markdown(result)
    return Section(text) if text and not differ(result) else None


def _claims(result: Result) -> Section | None:
    found = result.comparison.claims
    if not found:
        return None
    verdicts = [one.verdict for one in found]
    tally = ", ".join(f"{verdicts.count(word)} {word}" for word in _CLAIM_MARKS if word in verdicts)
    table = markdown_table(
        ("Claim", "Stands in", "Measured", "Verdict"),
        ("left", "left", "left", "left"),
        [_claim_row(one) for one in found],
    )
    return Section(f"### Claims beside measurements: {tally}\n\n{table}")


def _claim_row(one: ClaimResult) -> list[str]:
    return [
        escape(one.claim.text),
        escape(one.claim.source),
        escape(one.measured),
        f"{_CLAIM_MARKS[one.verdict]} {one.verdict}",
    ]


# --- Findings ------------------------------------------------------------------------------------


def _findings(result: Result) -> Section | None:
    if result.findings is None:
        return None
    changes = rule_changes(result)
    head = f"### What the code scan says: {totals(result)}"
    if not changes:
        return Section(f"{head}\n\n{CANNOT_SEE}")
    table = markdown_table(
        ("Rule", "What", "Before", "After", "", "Where"),
        ("left", "left", "right", "right", "left", "left"),
        [_finding_row(change) for change in changes],
    )
    return Section(f"{head}\n\n{table}\n\n{CANNOT_SEE}", optional=True)


def _finding_row(change: RuleChange) -> list[str]:
    return [
        code(change.rule),
        f"{escape(change.name)} ({change.severity})",
        count(len(change.before)),
        count(len(change.after)),
        "✅ gone" if change.state == "gone" else change.state,
        _where(change),
    ]


def _where(change: RuleChange) -> str:
    """Name places before the change, and after it where some are left."""
    before, after = _places(change.before), _places(change.after)
    if before and after:
        return f"{before}; after: {after}"
    return before or f"after: {after}"


def _places(places: Sequence[str]) -> str:
    shown = ", ".join(code(place) for place in places[:MOST_PLACES])
    rest = len(places) - MOST_PLACES
    return f"{shown} and {rest} more" if rest > 0 else shown


# --- Evidence, method, reproduction ---------------------------------------------------------------


def _pairs(result: Result) -> Section | None:
    """Show the primary metric run by run, so that drift and outliers can be seen."""
    primary = primary_of(result)
    if primary is None or differ(result):
        return None
    rows = [
        row
        for pair in sorted({run.pair for run in result.runs})
        if (row := _pair_row(result, pair))
    ]
    table = markdown_table(
        ("Pair", "First", "Before", "After", "After ÷ before", "Items handled"),
        ("right", "left", "right", "right", "right", "right"),
        rows,
    )
    what = f"{primary.label} over all that each run handled, run by run"
    return Section(_folded(what, table), optional=True)


def _pair_row(result: Result, pair: int) -> list[str] | None:
    primary = primary_of(result)
    runs = {run.side: run for run in result.runs if run.pair == pair and run.ok}
    before, after = runs.get("original"), runs.get("optimized")
    if primary is None or before is None or after is None:
        return None
    values = before.metrics.get(primary.name), after.metrics.get(primary.name)
    found = values[1] / values[0] if values[0] and values[1] else None
    return [
        count(pair + 1),
        "original" if before.slot < after.slot else "optimized",
        quantity(values[0], primary.unit),
        quantity(values[1], primary.unit),
        ratio(found),
        f"{_handled(before)} → {_handled(after)}",
    ]


def _handled(run: Run) -> str:
    return count(sum(item.expected and item.state == "handled" for item in run.items))


def _logs(result: Result) -> Section | None:
    failed = [run for run in result.runs if not run.ok and run.log.strip()]
    if not failed:
        return None
    blocks = [
        f"{run.side}, pair {run.pair + 1}: {escape(run.problem)}\n\n{fenced(run.log, 'text')}"
        for run in failed[:MOST_PLACES]
    ]
    return Section(_folded("Last lines of failed runs", "\n\n".join(blocks)), optional=True)


def _method(result: Result) -> Section:
    lines = [*method(result), *machine(result), *limits(result)]
    text = "\n".join(f"- {escape(line)}" for line in lines)
    return Section(_folded("Method, machine and limits", text))


def _reproduce(result: Result) -> Section:
    commands = fenced("\n".join(reproduce(result)), "bash")
    digest = str(result.recording.get("sha256", ""))
    seal = f"\n\nRecording {code(f'sha256 {digest}')}." if digest else ""
    return Section(_folded("Reproduce", commands + seal))


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>\n\n{body}\n\n</details>"
