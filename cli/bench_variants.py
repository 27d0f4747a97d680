"""The variants of a scenario, run one by one beside the bench itself."""

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
from perfscan.replay.schedule import Batch, Slot, pair_batches
from perfscan.replay.trial import Setup, StatusReport


class Book(Protocol):
    """What keeps the runs of variants."""

    def save_variant(self, variant: str, run: Run) -> None:
        """Add a run."""

    def fail_variant(self, variant: str, problem: str) -> None:
        """Note what keeps a variant from running."""


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """A variant, what is played in it, and the runs that are still to be made."""

    variant: Variant
    stage: Stage
    batches: tuple[Batch, ...]
    kept: tuple[Run, ...] = ()
    """Of an earlier bench with which this one goes on."""

    @property
    def runs(self) -> int:
        """How many runs are to be made."""
        return sum(len(turn) for batch in self.batches for turn in batch)


def plan_variants(
    variants: Sequence[tuple[Variant, Stage]], pairs: int, lanes: int, saved: Result | None
) -> tuple[VariantPlan, ...]:
    """Decide on the runs of all variants; pairs that ``saved`` holds already are kept."""
    earlier = {outcome.name: outcome.runs for outcome in saved.variants} if saved else {}
    plans = []
    for variant, stage in variants:
        kept = finished_pairs(earlier.get(variant.name, ()), 2)
        done = {run.pair for run in kept}
        missing = [pair for pair in range(pairs) if pair not in done]
        plans.append(VariantPlan(variant, stage, pair_batches(missing, lanes), kept))
    return tuple(plans)


def run_variants(
    plans: Sequence[VariantPlan],
    setup: Setup,
    report: StatusReport,
    progress: Progress,
    book: Book,
    scratch: Path,
    ends_at_s: float | None,
) -> bool:
    """Run all variants; returns whether somebody stopped that.

    What keeps one variant from running does not keep the next from it. No
    pair begins that would end later than ``ends_at_s`` on the monotonic clock.
    """
    for number, plan in enumerate(plans):
        place = f"variants/{number + 1}-{re.sub(r'[^a-zA-Z0-9]+', '-', plan.variant.name)}"

        def landed(_: Slot, run: Run, variant: str = plan.variant.name) -> None:
            book.save_variant(variant, run)
            progress.land(run, f"{variant}, pair {run.pair + 1} {run.side}")

        budget_s = None if ends_at_s is None else ends_at_s - time.monotonic()
        try:
            own = set_up(setup, plan.stage, place, scratch)
            outcome = run_bench(Plan(plan.batches, (), budget_s), own, report, landed)
        except PerfscanError as error:
            progress.note(f"{plan.variant.name}: {error.what}")
            book.fail_variant(plan.variant.name, error.what)
            continue
        if outcome.interrupted:
            return True
    return False
