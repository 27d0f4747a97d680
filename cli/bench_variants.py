"""The variants of a scenario, run beside the bench itself: as many at a time as there are lanes."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from perfscan.cli.bench_stage import Stage, set_up
from perfscan.cli.progress import Progress
from perfscan.errors import PerfscanError
from perfscan.replay.model import Result, Run, Variant
from perfscan.replay.resume import finished_pairs
from perfscan.replay.runner import Plan, run_bench
from perfscan.replay.schedule import Batch, Slot, stage_batches
from perfscan.replay.trial import Setup, StatusReport


class Book(Protocol):
    """What keeps the runs of variants."""

    def save_variant(self, variant: str, run: Run) -> None:
        """Add a run."""

    def fail_variant(self, variant: str, problem: str) -> None:
        """Note what keeps a variant from running."""


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """A variant, what is played in it, and the pairs that are still to be run."""

    variant: Variant
    stage: Stage
    missing: tuple[int, ...]
    kept: tuple[Run, ...] = ()
    """Of an earlier bench with which this one goes on."""


@dataclass(frozen=True, slots=True)
class VariantPlans:
    """All variants, and their runs in the order in which they are made."""

    each: tuple[VariantPlan, ...]
    batches: tuple[Batch, ...]
    """A slot's stage is the name of its variant."""

    @property
    def runs(self) -> int:
        """How many runs are to be made."""
        return sum(len(turn) for batch in self.batches for turn in batch)


def plan_variants(
    variants: Sequence[tuple[Variant, Stage]], pairs: int, lanes: int, saved: Result | None
) -> VariantPlans:
    """Decide on the runs of all variants; pairs that ``saved`` holds already are kept."""
    earlier = {outcome.name: outcome.runs for outcome in saved.variants} if saved else {}
    plans = []
    for variant, stage in variants:
        kept = finished_pairs(earlier.get(variant.name, ()), 2)
        done = {run.pair for run in kept}
        missing = tuple(pair for pair in range(pairs) if pair not in done)
        plans.append(VariantPlan(variant, stage, missing, kept))
    left = [(plan.variant.name, pair) for plan in plans for pair in plan.missing]
    return VariantPlans(tuple(plans), stage_batches(left, lanes))


def run_variants(
    plans: VariantPlans,
    setup: Setup,
    report: StatusReport,
    progress: Progress,
    book: Book,
    scratch: Path,
    ends_at_s: float | None,
) -> bool:
    """Run all variants; returns whether somebody stopped that.

    What keeps one variant from running does not keep the others from it. No
    batch begins that would end later than ``ends_at_s`` on the monotonic clock.
    """

    def landed(slot: Slot, run: Run) -> None:
        book.save_variant(slot.stage, run)
        progress.land(run, f"{slot.stage}, pair {run.pair + 1} {run.side}")

    def failed(slot: Slot, error: PerfscanError) -> None:
        progress.note(f"{slot.stage}: {error.what}")
        book.fail_variant(slot.stage, error.what)

    stages = {
        plan.variant.name: set_up(setup, plan.stage, _place(number, plan.variant), scratch)
        for number, plan in enumerate(plans.each, 1)
        if plan.missing
    }
    budget_s = None if ends_at_s is None else ends_at_s - time.monotonic()
    plan = Plan(plans.batches, (), budget_s, stages)
    return run_bench(plan, setup, report, landed, failed).interrupted


def _place(number: int, variant: Variant) -> str:
    """Name the folder of a variant's runs."""
    return f"variants/{number}-{re.sub(r'[^a-zA-Z0-9]+', '-', variant.name)}"
