"""Runs, their comparison, and the result that every report is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from perfscan.replay.model.observed import Miss
from perfscan.replay.model.scenario import Claim

Side = Literal["original", "optimized"]
ItemState = Literal["handled", "missed", "duplicated", "wrong", "late"]


@dataclass(frozen=True, slots=True)
class Item:
    """One unit of work in one run."""

    key: str
    stimulus_ns: int
    """Intended time of the stimulus."""
    state: ItemState
    latency_ms: float | None
    """First effect minus intended stimulus; None where there was none."""
    content: str | None = None
    """Hash of the normalised effect."""
    detail: str = ""
    expected: bool = True
    """False for an effect that the recording does not hold, so that nothing is owed."""
    away: bool = False
    """True where the stimulus did not reach the bot: it was not connected, or left at once."""


@dataclass(frozen=True, slots=True)
class Run:
    """One fresh process that went through the whole recording once."""

    side: Side
    pair: int
    slot: int
    """0 ran first in its pair, 1 second."""
    ok: bool
    metrics: Mapping[str, float]
    items: tuple[Item, ...]
    misses: tuple[Miss, ...] = ()
    problem: str = ""
    """Why ``ok`` is false, one line."""
    log: str = ""
    """The last lines that the bot printed."""
    escapes: tuple[str, ...] = ()
    """Hosts outside the recording that the bot tried to reach."""


Better = Literal["lower", "higher"]
MetricVerdict = Literal["improved", "regressed", "no change", "unclear"]
ClaimVerdict = Literal["confirmed", "not confirmed", "refuted", "not measured"]
TargetVerdict = Literal["met", "missed", "not proven"]
SwitchVerdict = Literal["helps", "hurts", "brings nothing", "unclear", "different work"]
Verdict = Literal["faster", "slower", "mixed", "no change found", "inconclusive", "replies differ"]


@dataclass(frozen=True, slots=True)
class MetricComparison:
    """One metric over all pairs. ``ratio`` is after/before."""

    name: str
    unit: str
    better: Better
    before: float
    after: float
    ratio: float | None
    ci_low: float | None
    ci_high: float | None
    confidence: float
    """Coverage of the interval, such as 0.969; 1.0 where the metric is an exact count."""
    verdict: MetricVerdict
    counted: bool = False
    target: float | None = None
    target_met: TargetVerdict | None = None
    floor: float | None = None
    """Best value that the recorded traffic permits."""
    label: str = ""
    """Name for people, such as ``Item latency p95``."""
    role: Literal["speed", "work", "traffic", "cost", "schedule"] = "speed"
    """``speed`` and ``work`` decide the verdict, ``cost`` is what a gain was paid with."""
    after_low: float | None = None
    """Interval of ``after`` itself, for targets."""
    after_high: float | None = None
    detectable: float | None = None
    """Smallest change that these runs could have shown, 0.1 for 10 %."""
    pairs_to_settle: int | None = None
    """Pairs after which an unclear metric would be decided; None where no number helps."""
    total: str = ""
    """Name of the total that this metric gives per item handled."""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """A claim beside its measurement."""

    claim: Claim
    verdict: ClaimVerdict
    measured: str
    """One phrase in plain words with the figures that decide."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One item whose effect was not the same on both sides."""

    key: str
    side: Side
    kind: Literal["missed", "duplicated", "wrong"]
    detail: str
    runs: int = 1


@dataclass(frozen=True, slots=True)
class SideWork:
    """What one side did with the recorded stimuli, totals over its runs."""

    handled: int
    missed: int
    duplicated: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Whether both sides did the same work."""

    same: bool
    items: int
    """Recorded stimuli that expect an effect, per run."""
    original: SideWork
    optimized: SideWork
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reason to distrust a number, and what would remove it."""

    code: str
    what: str
    remedy: str
    voids: bool = False
    """True where the figures must not be used at all."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides over all finished pairs."""

    pairs: int
    metrics: tuple[MetricComparison, ...]
    equivalence: Equivalence
    claims: tuple[ClaimResult, ...]
    noise: Mapping[str, float]
    """Per metric: half-width of the ratio between runs of the same side, 0.04 for 4 %."""
    doubts: tuple[Doubt, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of one side by itself, over all its finished runs."""

    name: str
    unit: str
    better: Better
    value: float
    """Median over the runs."""
    low: float
    high: float
    confidence: float
    """Coverage of the interval; 0 for a single run."""
    runs: int
    label: str = ""
    role: str = "speed"
    target: float | None = None
    target_met: TargetVerdict | None = None


@dataclass(frozen=True, slots=True)
class VariantRun:
    """A run of the optimized side with some of its optimisations switched off."""

    variant: str
    """``all on``, ``all off``, ``without NAME`` or ``only NAME``."""
    round: int
    position: int
    ok: bool
    problem: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SwitchEffect:
    """What one optimisation brought."""

    name: str
    verdict: SwitchVerdict
    interaction: Literal["", "only with others", "others make up for it"] = ""
    without: MetricComparison | None = None
    """Primary metric: before with this one off, after with all on."""
    alone: MetricComparison | None = None
    """Primary metric: before with all off, after with only this one on."""
    others: tuple[MetricComparison, ...] = ()
    """What else it changed, all on against this one off."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """Every optimisation off alone and on alone, in interleaved rounds."""

    rounds: int
    """Rounds of which every run was finished."""
    switches: tuple[SwitchEffect, ...]
    runs: tuple[VariantRun, ...]


@dataclass(frozen=True, slots=True)
class SideFared:
    """How one side came through a variant, over all its runs, also those that failed."""

    runs: int
    failed: int
    handled: int
    expected: int
    problem: str = ""
    """Why the first run that failed did."""


@dataclass(frozen=True, slots=True)
class VariantOutcome:
    """Both sides under other circumstances than the scenario's."""

    name: str
    title: str
    faults: tuple[str, ...]
    recording: str
    load: float
    sides: Mapping[Side, SideFared]
    comparison: Comparison
    """Of the pairs of which both runs ended well."""
    runs: tuple[Run, ...]
    problem: str = ""
    """Why it could not be run at all."""


@dataclass(frozen=True, slots=True)
class Result:
    """What ``RUN.json`` holds: enough to draw every report again."""

    scenario: Mapping[str, Any]
    environment: Mapping[str, Any]
    recording: Mapping[str, Any]
    method: Mapping[str, Any]
    runs: tuple[Run, ...]
    comparison: Comparison
    interrupted: bool = False
    findings: Mapping[str, Any] | None = None
    """Per side the findings of ``perfscan analyze`` as in ``perfscan.findings/1``, or None."""
    figures: tuple[Figure, ...] = ()
    """The figures of the one side that ran, where only one did."""
    ablation: Ablation | None = None
    variants: tuple[VariantOutcome, ...] = ()
