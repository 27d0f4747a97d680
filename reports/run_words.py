"""The sentences about a run that every report of it shares, so that none says it otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Literal

from perfscan.quantities import change, count, percent, quantity
from perfscan.replay.model import (
    Comparison,
    MetricComparison,
    Result,
    SideWork,
)
from perfscan.reports.numbers import change_phrase, coverage, detectable_phrase

Confidence = Literal["high", "medium", "low"]
LEAST_PAIRS = 6
_ORDER = ("speed", "work", "traffic", "cost", "schedule")


@dataclass(frozen=True, slots=True)
class Check:
    """Something that could void the figures, and how it came out."""

    name: str
    passed: bool
    text: str


def primary_of(result: Result) -> MetricComparison | None:
    """Return the metric that decides, where any pair has it."""
    name = result.scenario.get("primary")
    return next((one for one in result.comparison.metrics if one.name == name), None)


def ordered_metrics(result: Result) -> list[MetricComparison]:
    """Return the metrics for a table: the primary first, then speed, work, traffic, costs.

    Latencies over all handled items are left out where they tell nothing new. Of a total and its
    share per item one is shown: the share where the sides did unequal amounts of work, so that
    the total has no verdict of its own.
    """
    name = result.scenario.get("primary")
    metrics = result.comparison.metrics
    told = {(one.name, one.before, one.after) for one in metrics}
    shared = {one.total for one in metrics if one.total}
    blurred = {one.name for one in metrics if one.name in shared and one.verdict == "unclear"}
    return sorted(
        (
            one
            for one in metrics
            if (one.name.replace("_all_ms.", "_ms."), one.before, one.after) not in told
            or "_all_ms." not in one.name
            if one.name not in blurred and (not one.total or one.total in blurred)
        ),
        key=lambda metric: (metric.name != name, _ORDER.index(metric.role)),
    )


def names_of(result: Result) -> tuple[str, str]:
    """Name what stands under before and after: the sides, two stored results or two commits."""
    how = result.method
    if how.get("sessions"):
        earlier, later = how["sessions"]
        return str(earlier["file"]), str(later["file"])
    earlier, later = how.get("commits") or ("original", "optimized")
    return str(earlier), str(later)


def meaning_of_ratio(result: Result) -> str:
    """Say what after/before is formed from."""
    if result.method.get("control"):
        return "each bench against the original of its own session, then one against the other"
    if result.method.get("sessions"):
        return "ratio of the medians, widened by the spread between runs"
    return "median of the pairs"


def differ(result: Result) -> bool:
    """Whether the two sides did different work, so that no speed may be told."""
    return not result.comparison.equivalence.same


def title(result: Result) -> str:
    """Return the verdict with the targets that were met, for a heading."""
    comparison = result.comparison
    only = result.method.get("only")
    parts: list[str] = [f"{only} alone" if only else comparison.verdict]
    met = [metric.target_met for metric in comparison.metrics]
    judged = [word for word in (*met, *(figure.target_met for figure in result.figures)) if word]
    if judged and not differ(result):
        parts.append(f"{judged.count('met')} of {len(judged)} targets met")
        parts += [
            f"{judged.count(word)} {word}" for word in ("missed", "not proven") if word in judged
        ]
    if result.interrupted:
        parts.append("interrupted")
    return ", ".join(parts)


def confidence(comparison: Comparison) -> Confidence:
    """Return how far to trust a verdict: high without doubts, medium with one, else low."""
    codes = {doubt.code for doubt in comparison.doubts}
    if not codes:
        return "high"
    return "medium" if len(codes) == 1 else "low"


def verdict_sentences(result: Result) -> list[str]:
    """Return the verdict in plain words: what changed, at what cost, what stays open."""
    comparison = result.comparison
    if differ(result):
        return _different_work(result)
    lines = [_headline(result)]
    if comparison.equivalence.items:
        lines.append(_success(result))
    if costs := _costs(comparison):
        lines.append(f"Cost: {', '.join(costs)}.")
    lines += _open_points(result)
    return [line for line in lines if line]


def _headline(result: Result) -> str:
    if only := result.method.get("only"):
        return f"Only the {only} side ran, so nothing is compared."
    primary = primary_of(result)
    items = result.comparison.equivalence.items
    if primary is None:
        return f"Nothing was measured: {_first_doubt(result.comparison)}."
    name = lower_first(primary.label or primary.name)
    before, after = quantity(primary.before, primary.unit), quantity(primary.after, primary.unit)
    on = f"On the same {count(items)} recorded items"
    match primary.verdict:
        case "improved" | "regressed":
            verb = "drops" if primary.after < primary.before else "rises"
            return f"{on}, {name} {verb} from {before} to {after}: {change_phrase(primary)}."
        case "no change":
            within = percent(float(result.scenario.get("threshold", 0.05)))
            return f"{on}, {name} stays at {before} ({after} after), within {within}."
    pairs = result.comparison.pairs
    few = f"{pairs} {plural('pair', pairs)} cannot decide"
    why = detectable_phrase(primary) if pairs >= LEAST_PAIRS else few
    return f"{on}, {name} went from {before} to {after}, which proves nothing: {why or few}."


def _success(result: Result) -> str:
    work = result.comparison.equivalence
    before, after = _share(work.original), _share(work.optimized)
    if before is None or after is None:
        return ""
    same = _unchanged(result)
    same = same[0].upper() + same[1:]
    if percent(before) == percent(after):
        return f"{same}; both handled {percent(after)} of the items."
    return f"{same}; it handled {percent(after)} of the items, the original {percent(before)}."


def _unchanged(result: Result) -> str:
    """Say what was found the same; under injected faults a side may have missed what it heard."""
    if result.method.get("faults"):
        return "what the optimized side did under the injected faults it did once and unchanged"
    return "what reached the optimized side it did, once and unchanged"


def _share(work: SideWork) -> float | None:
    total = work.handled + work.missed + work.duplicated + work.wrong
    return work.handled / total if total else None


def _costs(comparison: Comparison) -> list[str]:
    return [
        f"{lower_first(metric.label)} {change(metric.ratio)}"
        for metric in comparison.metrics
        if metric.role == "cost" and metric.verdict == "regressed" and metric.ratio
    ]


def _open_points(result: Result) -> list[str]:
    """Name what contradicts the headline: metrics that got worse, targets that do not hold."""
    comparison = result.comparison
    primary = primary_of(result)
    worse = [
        f"{lower_first(metric.label)} {change_phrase(metric)}"
        for metric in comparison.metrics
        if metric.role in ("speed", "work") and metric.verdict == "regressed" and metric != primary
    ]
    lines = [f"Worse: {', '.join(worse)}."] if worse else []
    for word in ("missed", "not proven"):
        names = [lower_first(one.label) for one in comparison.metrics if one.target_met == word]
        if names:
            lines.append(f"Target {word}: {', '.join(names)}.")
    refuted = sum(one.verdict == "refuted" for one in comparison.claims)
    if refuted:
        lines.append(f"{refuted} of {len(comparison.claims)} claims refuted.")
    if result.interrupted:
        lines.append("The bench was interrupted; these are the runs that had finished.")
    return lines


def _different_work(result: Result) -> list[str]:
    differences = [
        one for one in result.comparison.equivalence.differences if one.side == "optimized"
    ]
    kinds = [
        f"{number} {kind}"
        for kind in ("missed", "duplicated", "wrong")
        if (number := sum(one.kind == kind for one in differences))
    ]
    total = len(differences)
    return [
        f"The optimized side did other work than the original: {count(total)} "
        f"{plural('item', total)} ({', '.join(kinds)}). Its speed is therefore not reported.",
    ]


def checks(result: Result) -> list[Check]:
    """Return what could void the figures, in the order of its weight."""
    both = [] if result.method.get("only") else [_same_work(result), _pairs(result)]
    return [
        *both,
        *_matching(result),
        *_noise(result),
        *_schedule(result),
        _guard(result),
    ]


def _same_work(result: Result) -> Check:
    work = result.comparison.equivalence
    if result.comparison.pairs == 0:
        return Check("Same work", False, "no pair of runs was completed")
    if not work.same:
        return Check("Same work", False, "missing, doubled or changed effects, listed below")
    text = f"{count(work.items)} items per run; {_unchanged(result)}"
    faults = [one for one in work.differences if one.side == "original"]
    if faults:
        text += f" (the original had {len(faults)} faults of its own)"
    return Check("Same work", True, text)


def _pairs(result: Result) -> Check:
    wanted = int(result.method.get("pairs") or 0)
    done = result.comparison.pairs
    order = str(result.method.get("order") or "A B B A")
    text = f"{done} of {wanted} pairs complete, {order}" if wanted else f"{done} pairs, {order}"
    return Check("Pairs", done >= max(wanted, 1), text)


def _matching(result: Result) -> list[Check]:
    if result.scenario.get("kind") == "compute":
        return []
    missed = sum(len(run.misses) for run in result.runs)
    if not missed:
        return [Check("Matching", True, "every request was answered from the recording")]
    runs = sum(bool(run.misses) for run in result.runs)
    text = f"{count(missed)} {plural('request', missed)} in {count(runs)} {plural('run', runs)}"
    return [Check("Matching", False, f"{text} had no recorded answer")]


def _noise(result: Result) -> list[Check]:
    primary = primary_of(result)
    level = result.comparison.noise.get(primary.name) if primary else None
    if primary is None or level is None:
        return []
    small = all(doubt.code != "NoiseFloor" for doubt in result.comparison.doubts)
    text = f"runs of the same code differ by up to {percent(level)} in {lower_first(primary.label)}"
    return [Check("Noise", small, text)]


def _schedule(result: Result) -> list[Check]:
    late = [
        run.metrics["schedule_lateness_ms.p99"]
        for run in result.runs
        if run.ok and "schedule_lateness_ms.p99" in run.metrics
    ]
    if not late:
        return []
    text = (
        f"p99 {quantity(median(late), 'ms')} behind the recording in the median run, "
        f"{quantity(max(late), 'ms')} in the worst"
    )
    on_time = all(doubt.code != "LateServer" for doubt in result.comparison.doubts)
    return [Check("Schedule", on_time, text)]


def _guard(result: Result) -> Check:
    hosts = sorted({host for run in result.runs for host in run.escapes})
    guard = str(result.method.get("guard") or "unknown")
    if hosts:
        return Check("Guard", False, f"{guard}; refused attempts to reach {', '.join(hosts)}")
    return Check("Guard", "namespace" in guard, f"{guard}; nothing tried to leave")


def coverage_of(result: Result) -> str:
    """Name the intervals of a table by their coverage, those of exact counts aside."""
    found = [one.confidence for one in result.comparison.metrics if one.confidence < 1.0]
    return coverage(max(found)) if found else coverage(1.0)


def verdict_word(metric: MetricComparison) -> str:
    """Return a metric's verdict with its target: ``improved, target met``."""
    if metric.target_met is None:
        return metric.verdict
    return f"{metric.verdict}, target {metric.target_met}"


def statistics_sentence(result: Result) -> str:
    """Say how a verdict comes about."""
    threshold = percent(float(result.scenario.get("threshold") or 0.05))
    return (
        "Statistics: the unit is the pair, never the item. Median of the log ratios; exact "
        "order-statistic interval up to 12 pairs, seeded bootstrap above. Improved or regressed "
        f"needs an interval without 1, a change over {threshold} and over the noise, both "
        "slots, and outside the primary metric Holm's correction."
    )


def plural(word: str, number: float) -> str:
    """Return a noun in the form that goes with ``number``."""
    if number == 1:
        return word
    return f"{word}es" if word.endswith("ch") else f"{word}s"


def lower_first(text: str) -> str:
    """Return a label for the middle of a sentence; names in capitals stay."""
    return text[:1].lower() + text[1:] if text[1:2].islower() and text[:9] != "WebSocket" else text


def _first_doubt(comparison: Comparison) -> str:
    return comparison.doubts[0].what if comparison.doubts else "no pair of runs was completed"
