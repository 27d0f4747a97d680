"""Compares both sides over all finished pairs: metrics, work, claims, doubts, one verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp
from statistics import median
from typing import Protocol

from perfscan.replay.catalogue import Metric, describe, per_item
from perfscan.replay.claims import judge_claims
from perfscan.replay.doubts import Circumstances, doubts
from perfscan.replay.equivalence import RunPair, complete_pairs, equivalence
from perfscan.replay.figures import target_met
from perfscan.replay.metrics import common_keys, common_latencies, summary
from perfscan.replay.model import (
    Claim,
    Comparison,
    Doubt,
    MetricComparison,
    MetricVerdict,
    Run,
    Verdict,
)
from perfscan.replay.one_sided import one_sided
from perfscan.replay.statistics import (
    CONFIDENCE,
    MIN_PAIRS,
    Estimate,
    Pair,
    coverage,
    detectable,
    estimate,
    holm,
    judge,
    median_interval,
    noise,
    pairs_to_settle,
    sign_test,
)


@dataclass(frozen=True, slots=True)
class Series:
    """One metric over all pairs, with what the pairs say about it."""

    name: str
    about: Metric
    pairs: tuple[Pair, ...]
    found: Estimate | None
    noise: float | None

    @property
    def before(self) -> list[float]:
        """Values of the original, pair by pair."""
        return [pair.before for pair in self.pairs]

    @property
    def after(self) -> list[float]:
        """Values of the optimized side, pair by pair."""
        return [pair.after for pair in self.pairs]

    @property
    def exact(self) -> bool:
        """A count that came out the same in every run of a side."""
        return self.about.counted and len(set(self.before)) == 1 == len(set(self.after))

    @property
    def confidence(self) -> float:
        """Coverage of the intervals; 1.0 for an exact count, once there are pairs enough."""
        if self.exact and len(self.pairs) >= MIN_PAIRS:
            return 1.0
        return coverage(len(self.pairs))

    @property
    def p_value(self) -> float:
        """Of "no change", before any correction; 0 where counts never vary but differ."""
        if self.exact:
            return float(self.before == self.after)
        return self.found.p_value if self.found else sign_test(self.pairs)


class Yardstick(Protocol):
    """What of a scenario its figures are judged by."""

    @property
    def primary(self) -> str:
        """The metric that decides."""

    @property
    def threshold(self) -> float:
        """The smallest relative change worth a word."""

    @property
    def targets(self) -> Mapping[str, float]:
        """Metric name to the largest allowed value, smallest where more is better."""

    @property
    def claims(self) -> Sequence[Claim]:
        """Sentences to set beside the figures."""


def compare(
    runs: Sequence[Run],
    scenario: Yardstick,
    *,
    floors: Mapping[str, float] | None = None,
    item_floors: Mapping[str, float] | None = None,
    own: Mapping[str, Metric] | None = None,
    circumstances: Circumstances | None = None,
    seed: int = 0,
    series: Sequence[Series] | None = None,
) -> Comparison:
    """Compare the runs of a bench, finished or not. Runs that failed drop out with their pair.

    ``floors`` holds the best value per metric that the recording permits, ``item_floors`` the
    least latency per item, ms, from which those over common items follow; ``own`` describes
    metrics that are in no catalogue; ``seed`` fixes the bootstrap, so that the same runs always
    give the same figures. ``series`` stands in for what the pairs say of every metric, where the
    runs were not made as pairs.
    """
    pairs = complete_pairs(runs)
    work = equivalence(pairs, disturbed=bool(circumstances and circumstances.faults))
    series = line_up(pairs, seed, own) if series is None else series
    best = {**(floors or {}), **_common_floors(pairs, item_floors or {})}
    metrics = _level(_judge_all(series, scenario, best, seed))
    by_name = {metric.name: metric for metric in metrics}
    claimed = one_sided(pairs, scenario.claims, own or {}, seed) | by_name
    levels = {one.name: one.noise for one in series if one.noise is not None}
    primary = by_name.get(scenario.primary)
    found = doubts(
        runs,
        len(pairs),
        levels,
        circumstances or Circumstances(),
        primary=scenario.primary,
        threshold=scenario.threshold,
        decided=primary,
        slots_agree=all(_slots_agree(one) for one in series if one.name == scenario.primary),
    )
    return Comparison(
        pairs=len(pairs),
        metrics=metrics,
        equivalence=work,
        claims=judge_claims(scenario.claims, claimed, same_work=work.same),
        noise=levels,
        doubts=found,
        verdict=overall(metrics, primary, found, same_work=work.same),
    )


def _slots_agree(one: Series) -> bool:
    """Tell whether a change, where there is one, shows whichever side ran first."""
    if one.found is None or len(one.pairs) < MIN_PAIRS:
        return True
    inside = one.found.interval.low <= 0 <= one.found.interval.high
    return inside or one.found.slots_agree


def overall(
    metrics: Sequence[MetricComparison],
    primary: MetricComparison | None,
    doubts: Sequence[Doubt],
    *,
    same_work: bool,
) -> Verdict:
    """Form the one verdict. The primary metric leads; another one that contradicts it is "mixed".

    Only latency, throughput and the share of items handled take part: memory, CPU time and
    traffic are what a gain was paid with, or how it came about.
    """
    if not same_work:
        return "replies differ"
    if primary is None or primary.verdict == "unclear" or any(doubt.voids for doubt in doubts):
        return "inconclusive"
    verdicts = {metric.verdict for metric in metrics if metric.role in ("speed", "work")}
    verdicts.add(primary.verdict)
    if {"improved", "regressed"} <= verdicts:
        return "mixed"
    if primary.verdict == "improved":
        return "faster"
    if primary.verdict == "regressed":
        return "slower"
    return "mixed" if "regressed" in verdicts else "no change found"


def line_up(
    pairs: Sequence[RunPair], seed: int, own: Mapping[str, Metric] | None = None
) -> list[Series]:
    """Line up every metric that all runs have, latencies over the items that both handled."""
    values: dict[str, list[Pair]] = {}
    for pair in pairs:
        common_before, common_after = common_latencies(pair.original.items, pair.optimized.items)
        before = {**common_before, **_without_latency(pair.original)}
        after = {**common_after, **_without_latency(pair.optimized)}
        turned = pair.optimized.slot < pair.original.slot
        for name in before:
            if name in after and describe(name).role != "schedule":
                values.setdefault(name, []).append(Pair(before[name], after[name], turned))
    return [
        Series(
            name,
            (own or {}).get(name) or describe(name),
            tuple(found),
            estimate(found, seed),
            noise(found, seed),
        )
        for name, found in values.items()
        if len(found) == len(pairs)
    ]


def _common_floors(pairs: Sequence[RunPair], item_floors: Mapping[str, float]) -> dict[str, float]:
    """Return the floors of the item latency over the items that both runs of a pair handled."""
    found: dict[str, list[float]] = {}
    for pair in pairs:
        keys = common_keys(pair.original.items, pair.optimized.items)
        values = [item_floors[key] for key in keys if key in item_floors]
        for name, value in summary("item_latency_ms", values).items():
            found.setdefault(name, []).append(value)
    return {name: median(values) for name, values in found.items()}


def _level(metrics: tuple[MetricComparison, ...]) -> tuple[MetricComparison, ...]:
    """Withdraw verdicts on totals that grew or shrank only because more or fewer items were done.

    A bot that answers nine times as many messages sends nine times as many requests; the metric
    per item tells whether that is a change for the worse.
    """
    by_name = {metric.name: metric for metric in metrics}
    success = by_name.get("success_rate")
    blurred = {"improved": "regressed", "regressed": "improved"}.get(
        success.verdict if success else ""
    )
    return tuple(
        replace(metric, verdict="unclear", pairs_to_settle=None, detectable=None)
        if metric.verdict == blurred and per_item(metric.name) in by_name
        else metric
        for metric in metrics
    )


def _without_latency(run: Run) -> dict[str, float]:
    return {
        name: value
        for name, value in run.metrics.items()
        if not name.startswith("item_latency_ms.")
    }


def _judge_all(
    series: Sequence[Series], scenario: Yardstick, floors: Mapping[str, float], seed: int
) -> tuple[MetricComparison, ...]:
    """Judge the primary metric by itself, all others corrected for their number."""
    corrected = holm({one.name: one.p_value for one in series if one.name != scenario.primary})
    return tuple(
        compare_metric(one, scenario, corrected.get(one.name), floors.get(one.name), seed)
        for one in series
    )


def judge_others(
    series: Sequence[Series], scenario: Yardstick, seed: int
) -> tuple[MetricComparison, ...]:
    """Judge all metrics but the primary, corrected for their number."""
    judged = _level(_judge_all(series, scenario, {}, seed))
    return tuple(metric for metric in judged if metric.name != scenario.primary)


def compare_metric(
    one: Series, scenario: Yardstick, p_value: float | None, floor: float | None, seed: int
) -> MetricComparison:
    """Judge one metric; ``p_value`` is the corrected one, None where nothing is to be corrected."""
    found, level = one.found, one.noise or 0.0
    verdict = _verdict(one, scenario.threshold, p_value)
    after = median_interval(one.after, seed)
    target = scenario.targets.get(one.name)
    return MetricComparison(
        name=one.name,
        unit=one.about.unit,
        better=one.about.better,
        before=median(one.before),
        after=median(one.after),
        ratio=exp(found.interval.centre) if found else None,
        ci_low=exp(found.interval.low) if found else None,
        ci_high=exp(found.interval.high) if found else None,
        confidence=one.confidence,
        verdict=verdict,
        counted=one.about.counted,
        target=target,
        target_met=target_met(target, after, one.about.better, one.confidence),
        floor=floor,
        label=one.about.label,
        role=one.about.role,
        total=one.about.total,
        after_low=after.low,
        after_high=after.high,
        detectable=(
            detectable(found, threshold=scenario.threshold, noise=level)
            if found and found.pairs >= MIN_PAIRS
            else None
        ),
        pairs_to_settle=(
            pairs_to_settle(found, scenario.threshold) if found and verdict == "unclear" else None
        ),
    )


def _verdict(one: Series, threshold: float, p_value: float | None) -> MetricVerdict:
    if one.exact and one.before == one.after:
        return "no change"  # nothing about a count needs statistics when it never moves
    if one.found is None:
        return _verdict_by_sign(one, p_value)
    return judge(
        one.found,
        one.about.better,
        threshold=threshold,
        noise=one.noise or 0.0,
        p_value=p_value,
    )


def _verdict_by_sign(one: Series, p_value: float | None) -> MetricVerdict:
    """Judge values that have no ratio, because one side is zero, by the direction of every pair."""
    if one.before == one.after:
        return "no change"
    steps = {(pair.after > pair.before) - (pair.after < pair.before) for pair in one.pairs}
    significant = (one.p_value if p_value is None else p_value) < 1 - CONFIDENCE
    if len(one.pairs) < MIN_PAIRS or len(steps) != 1 or not significant:
        return "unclear"
    return "improved" if (steps == {-1}) == (one.about.better == "lower") else "regressed"
