"""What each optimisation brought, and the figures of a side that ran alone."""

from __future__ import annotations

from perfscan.quantities import change, quantity
from perfscan.replay.model import Figure, MetricComparison, Result, SwitchEffect
from perfscan.reports.numbers import change_phrase, coverage, detectable_phrase
from perfscan.reports.run_words import lower_first, plural
from perfscan.reports.table import Align, escape, markdown_table, plain_table, wrapped

MOST_OTHERS = 3
_INTERACTIONS = {
    "only with others": "brings nothing by itself, only together with the others",
    "others make up for it": "helps by itself, but the others make up for it",
}


def ablation_markdown(result: Result) -> str:
    """Return the section on the ablation; empty where there was none."""
    if result.ablation is None or not result.ablation.switches:
        return ""
    rows = [[escape(cell) for cell in _row(effect)] for effect in result.ablation.switches]
    table = markdown_table(
        ("Optimisation", "All on, against without it", "Alone, against none", "", "Also"),
        ("left", "left", "left", "left", "left"),
        rows,
    )
    return f"### What each optimisation brought\n\n{table}\n\n<sub>{escape(_note(result))}</sub>"


def ablation_lines(result: Result) -> list[str]:
    """Return the same for a terminal."""
    if result.ablation is None or not result.ablation.switches:
        return []
    lines = ["What each optimisation brought:"]
    for effect in result.ablation.switches:
        _, without, alone, verdict, also = _row(effect)
        lines += wrapped(f"{effect.name}: {verdict}; all on, against without it: {without}")
        lines += wrapped(f"alone, against none: {alone}", first="    ", rest="    ")
        if also:
            lines += wrapped(f"also: {also}", first="    ", rest="    ")
    return [*lines, *wrapped(_note(result))]


def _row(effect: SwitchEffect) -> tuple[str, str, str, str, str]:
    verdict: str = effect.verdict
    if effect.interaction:
        verdict = f"{verdict}: {_INTERACTIONS[effect.interaction]}"
    others = [one for one in effect.others if "_all_ms" not in one.name]
    shown = others[:MOST_OTHERS]
    also = [
        f"{lower_first(one.label)} {change(one.ratio) if one.ratio else one.verdict}"
        for one in shown
    ]
    if len(others) > MOST_OTHERS:
        also.append(f"{len(others) - MOST_OTHERS} more")
    return effect.name, _phrase(effect.without), _phrase(effect.alone), verdict, ", ".join(also)


def _phrase(metric: MetricComparison | None) -> str:
    if metric is None:
        return "not measured"
    if metric.verdict == "unclear":
        return detectable_phrase(metric) or "too few rounds"
    return change_phrase(metric) or metric.verdict


def _note(result: Result) -> str:
    rounds = result.ablation.rounds if result.ablation else 0
    primary = str(result.scenario.get("primary", ""))
    return (
        f"{primary} over {rounds} whole {plural('round', rounds)}; in each round every variant ran "
        "once, and none owned a place in it. Corrected for the number of optimisations (Holm)."
    )


def figure_lines(result: Result) -> list[str]:
    """Return the figures of the one side that ran, for a terminal; empty where both did."""
    rows = _figure_rows(result)
    if not rows:
        return []
    align: tuple[Align, ...] = ("left", "right", "left", "left")
    return [*plain_table(("", "median", "", "target"), align, rows), *wrapped(_sure(result))]


def figures_markdown(result: Result) -> str:
    """Return the same as a section."""
    rows = [[escape(cell) for cell in row] for row in _figure_rows(result)]
    if not rows:
        return ""
    header = ("Metric", "Median", "Interval", "Target")
    table = markdown_table(header, ("left", "right", "left", "left"), rows)
    return f"### Figures of the {result.method.get('only')} side\n\n{table}\n\n{_sure(result)}"


def _figure_rows(result: Result) -> list[tuple[str, str, str, str]]:
    """Leave out what says the same again: with one side all items are common, totals stand."""
    return [
        (one.label or one.name, quantity(one.value, one.unit), _interval(one), _target(one))
        for one in result.figures
        if "_all_ms" not in one.name and "_per_item" not in one.name
    ]


def _interval(one: Figure) -> str:
    if one.low == one.high:
        return ""
    return f"{quantity(one.low, one.unit)} to {quantity(one.high, one.unit)}"


def _target(one: Figure) -> str:
    if one.target is None:
        return ""
    sign = "≤" if one.better == "lower" else "≥"
    return f"{sign} {quantity(one.target, one.unit)}: {one.target_met}"


def _sure(result: Result) -> str:
    first = result.figures[0]
    return (
        f"Medians over {first.runs} {plural('run', first.runs)} ({coverage(first.confidence)}); "
        "only one side ran, so nothing is compared."
    )
