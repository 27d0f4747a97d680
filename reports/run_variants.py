"""How both sides fared under other circumstances: a row for each variant of the scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from perfscan.quantities import count, quantity
from perfscan.replay.model import MetricComparison, Result, Side, SideFared, VariantOutcome
from perfscan.reports.numbers import ratio_cell
from perfscan.reports.run_words import LEAST_PAIRS, lower_first, plural
from perfscan.reports.table import Align, escape, markdown_table, wrapped

ABSENT = "–"
_SIDES: tuple[Side, Side] = ("original", "optimized")


def variants_markdown(result: Result) -> str:
    """Return the section on the variants; empty where none was to be run."""
    if not result.variants:
        return ""
    header = ("Variant", "Same work", "Handled", _label(result), "After ÷ before", "Verdict")
    align: tuple[Align, ...] = ("left", "left", "right", "right", "centre", "left")
    rows = [
        [
            _name(one),
            _same_work(one),
            _handled(one),
            _values(primary),
            ratio_cell(primary) if primary else ABSENT,
            _verdict(one, primary),
        ]
        for one, primary in _with_primary(result)
    ]
    table = markdown_table(header, align, [[escape(cell) for cell in row] for row in rows])
    return f"### How each fared\n\n{table}\n\n<sub>{escape(_note(result))}</sub>"


def variant_lines(result: Result) -> list[str]:
    """Return the same for a terminal."""
    if not result.variants:
        return []
    lines = ["How each fared:"]
    for one, primary in _with_primary(result):
        lines += wrapped(f"{_name(one)}: {_verdict(one, primary)}", rest="    ")
        if not _has_run(one):
            continue
        work = f"same work: {_same_work(one)}; handled {_handled(one)}"
        lines += wrapped(work, first="    ", rest="    ")
        if primary:
            figures = f"{_values(primary)}; after/before {ratio_cell(primary)}"
            text = f"{lower_first(_label(result))} {figures}"
            lines += wrapped(text, first="    ", rest="    ")
    return [*lines, *wrapped(_note(result))]


def _with_primary(
    result: Result,
) -> Iterator[tuple[VariantOutcome, MetricComparison | None]]:
    """Yield every variant with the metric that decides, where its sides did the same work."""
    name = result.scenario.get("primary")
    for one in result.variants:
        metrics = one.comparison.metrics if one.comparison.equivalence.same else ()
        yield one, next((metric for metric in metrics if metric.name == name), None)


def _label(result: Result) -> str:
    """Return the name of the metric that decides."""
    found = (primary.label for _, primary in _with_primary(result) if primary)
    return next(found, "") or str(result.scenario.get("primary") or "")


def _name(one: VariantOutcome) -> str:
    """Return the variant's title; its name, which --variant takes, where that is another."""
    return one.title if one.title == one.name else f"{one.name}: {one.title}"


def _has_run(one: VariantOutcome) -> bool:
    return any(fared.runs for fared in one.sides.values())


def _same_work(one: VariantOutcome) -> str:
    """Say whether the sides did the same work, and what else they did."""
    work = one.comparison.equivalence
    if not one.comparison.pairs:
        return ABSENT
    found = Counter((found.side, found.kind) for found in work.differences)
    told = [f"{number} {kind} by {side}" for (side, kind), number in sorted(found.items())]
    return f"{'yes' if work.same else 'no'}{': ' if told else ''}{', '.join(told)}"


def _handled(one: VariantOutcome) -> str:
    """Return ``598 of 600 → 600 of 600``, over all runs, also those that failed."""
    if not any(fared.expected for fared in one.sides.values()):
        return ABSENT
    return " → ".join(_share(one.sides[side]) for side in _SIDES)


def _share(fared: SideFared) -> str:
    return f"{count(fared.handled)} of {count(fared.expected)}" if fared.expected else ABSENT


def _values(primary: MetricComparison | None) -> str:
    if primary is None:
        return ABSENT
    before, after = quantity(primary.before, primary.unit), quantity(primary.after, primary.unit)
    return f"{before} → {after}"


def _verdict(one: VariantOutcome, primary: MetricComparison | None) -> str:
    if one.problem:
        return f"could not be run: {one.problem}"
    if not _has_run(one):
        return "not run"
    crashed = [_crash(side, one.sides[side]) for side in _SIDES if one.sides[side].failed]
    words = crashed or [_judgement(one, primary)]
    return "; ".join([*words, *(doubt.code for doubt in one.comparison.doubts)])


def _crash(side: Side, fared: SideFared) -> str:
    times = "" if fared.failed == fared.runs else f" in {fared.failed} of {fared.runs} runs"
    return f"{side} crashed{times}: {fared.problem}"


def _judgement(one: VariantOutcome, primary: MetricComparison | None) -> str:
    """Return the verdict; too few pairs for one still tell in which direction each of them went."""
    pairs = one.comparison.pairs
    if one.comparison.verdict != "inconclusive" or pairs >= LEAST_PAIRS:
        return one.comparison.verdict
    if primary is None:
        return "nothing that both handled"
    low, high = primary.ci_low, primary.ci_high
    if low is None or high is None or low <= 1 <= high:
        return f"not the same in each of {pairs} {plural('pair', pairs)}"
    better = (high < 1) == (primary.better == "lower")
    each = f"in each of {pairs} pairs" if pairs > 1 else "in the only pair"
    return f"{'faster' if better else 'slower'} {each}"


def _note(result: Result) -> str:
    pairs = max(one.comparison.pairs for one in result.variants)
    few = ", too few to prove a speed" if pairs < LEAST_PAIRS else ""
    return (
        f"Up to {count(pairs)} {plural('pair', pairs)} of runs for each variant{few}. Handled: "
        "items over all runs. Under faults what a side missed is not handled, but no different "
        "work; latencies are over the items that both handled."
    )
