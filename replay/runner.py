"""All runs of a bench: warm-up, batches within a time budget, saved as each run lands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from perfscan.errors import NotMeasurableError
from perfscan.replay.model import Run
from perfscan.replay.processes import machine_load, shares
from perfscan.replay.schedule import Batch, Slot, Turn
from perfscan.replay.trial import Setup, StatusReport, Watch, run_trial

WARM_UP_S = 8.0
"""Recorded seconds that a warm-up plays: it fills file and bytecode caches, no more."""

Land = Callable[[Slot, Run], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which runs to make, in which order, in how much time."""

    batches: tuple[Batch, ...]
    warm_up: Batch
    """Runs that come first and are thrown away."""
    budget_s: float | None = None
    """No batch begins that, taking as long as the longest so far, would end later than this."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went, also after an interruption."""

    interrupted: bool
    left_out: int
    """Batches that the time budget did not allow."""
    seconds: float
    cpu_busy: float
    """Share of the machine's CPU time that was not idle while the runs went on, 0 to 1."""
    cpu_steal: float
    busy_before: float | None = None
    """The same share before the first run, where somebody looked."""


def run_bench(
    plan: Plan,
    setup: Setup,
    report: StatusReport,
    land: Land,
    *,
    spun_s: Callable[[], float] = lambda: 0.0,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Make all runs of ``plan``; ``land`` is called with each one as it ends.

    ``spun_s`` tells the CPU time of processes that only keep the processors awake.
    KeyboardInterrupt stops what is under way and returns what is finished. A side that cannot
    even do its warm-up raises NotMeasurableError with the last lines that the bot printed.
    """
    watch = Watch(threading.Event(), report)
    before, begun = machine_load(), clock()
    interrupted, longest, left_out = False, 0.0, 0
    try:
        if plan.batches:
            _warm_up(plan, setup, watch)
        for number, batch in enumerate(plan.batches):
            started = clock()
            if plan.budget_s is not None and started - begun + longest > plan.budget_s:
                left_out = len(plan.batches) - number
                break
            for turn in batch:
                _run_side_by_side(turn, setup, watch, land)
            longest = max(longest, clock() - started)
    except KeyboardInterrupt:
        interrupted = True
    after = machine_load()
    after["cpu_idle_s"] += spun_s()
    return Outcome(interrupted, left_out, clock() - begun, **shares(before, after))


def _warm_up(plan: Plan, setup: Setup, watch: Watch) -> None:
    """Run each side briefly and throw the figures away; a bot that cannot start shows here."""
    until_s = min(WARM_UP_S * setup.speed, setup.until_s or float("inf"))
    brief = replace(setup, until_s=until_s, settle_s=0.0, folder=setup.folder / "warm-up")
    for turn in plan.warm_up:
        _run_side_by_side(turn, brief, watch, _demand_start)


def _demand_start(_: Slot, run: Run) -> None:
    """Raise NotMeasurableError where a warm-up failed: every run after it would, too."""
    if run.ok:
        return
    if run.misses:
        nearest = run.misses[0].nearest[:1]
        raise NotMeasurableError(
            f"the recording does not hold what the {run.side} bot asked for: "
            f"{run.misses[0].request}",
            remedy=f"nearest recorded: {nearest[0]}" if nearest else "record that traffic, too",
        )
    printed = run.log.strip().splitlines()
    last = f"; it printed: {printed[-1]}" if printed else ""
    raise NotMeasurableError(
        f"the {run.side} bot failed its warm-up: {run.problem}{last}",
        remedy="run it by hand, or see its whole log with --keep",
    )


def _run_side_by_side(slots: Turn, setup: Setup, watch: Watch, land: Land) -> None:
    """Run ``slots`` at the same time. On any exception the others are stopped before it leaves."""
    with ThreadPoolExecutor(len(slots), thread_name_prefix="run") as pool:
        pending: dict[Future[Run], Slot] = {
            pool.submit(run_trial, slot, setup, watch): slot for slot in slots
        }
        try:
            while pending:
                done, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    land(pending.pop(future), future.result())
        except BaseException:
            watch.interrupted.set()  # leaving the pool waits until the others have come down
            raise
