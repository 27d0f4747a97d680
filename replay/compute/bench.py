"""All runs that compare two functions: warm-up, pairs in turn, each handed over as it lands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from perfscan.errors import NotMeasurableError
from perfscan.replay.compute.trial import ComputeSetup, run_compute_trial
from perfscan.replay.model import Run
from perfscan.replay.schedule import SIDES, Slot, pair_batches


def run_compute_bench(pairs: int, setup: ComputeSetup, land: Callable[[Run], None]) -> bool:
    """Make all runs, one after the other; returns whether KeyboardInterrupt ended them early.

    The warm-up of the original makes the results that every later run must repeat. A function that
    fails its warm-up raises NotMeasurableError.
    """
    try:
        warm = replace(setup, folder=setup.folder / "warm-up", reference=None)
        for side in SIDES:
            _demand_success(run_compute_trial(Slot(side, 0, 0), warm))
        ready = replace(setup, reference=warm.folder / Slot("original", 0, 0).folder / "results")
        for batch in pair_batches(range(pairs), lanes=1):
            for slot in (slot for turn in batch for slot in turn):
                land(run_compute_trial(slot, ready))
    except KeyboardInterrupt:
        return True
    return False


def _demand_success(run: Run) -> None:
    if not run.ok:
        raise NotMeasurableError(
            f"the {run.side} function failed its warm-up: {run.problem}",
            remedy="call it by hand with the recorded data, or see its log with --keep",
        )
