"""All runs of a bench: warm-up, batches within a time budget, saved as each run lands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from perfscan.errors import NotMeasurableError, PerfscanError
from perfscan.replay.model import Run
from perfscan.replay.processes import machine_load, shares
from perfscan.replay.schedule import Batch, Slot, Turn
from perfscan.replay.trial import Setup, StatusReport, Watch, run_trial

WARM_UP_S = 8.0
"""Recorded seconds that a warm-up plays: it fills file and bytecode caches, no more."""

Land = Callable[[Slot, Run], None]
Fail = Callable[[Slot, PerfscanError], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which runs to make, in which order, in how much time."""

    batches: tuple[Batch, ...]
    warm_up: Batch
    """Runs that come first and are thrown away."""
    budget_s: float | None = None
    """No batch begins that, taking as long as the longest so far, would end later than this."""
    stages: Mapping[str, Setup] = field(default_factory=dict)
    """What is played where a slot names a stage."""


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


@dataclass(frozen=True, slots=True)
class _Stage:
    """What is played in some slots, and whether it goes on."""

    setup: Setup
    watch: Watch


def _give_up(_: Slot, error: PerfscanError) -> None:
    raise error


def run_bench(
    plan: Plan,
    setup: Setup,
    report: StatusReport,
    land: Land,
    fail: Fail = _give_up,
    *,
    spun_s: Callable[[], float] = lambda: 0.0,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Make all runs of ``plan``; ``land`` is called with each one as it ends.

    ``fail`` is called with the first run of a stage that could not be made; unless it raises,
    that stage is over and the others go on. ``spun_s`` tells the CPU time of processes that only
    keep the processors awake.
    KeyboardInterrupt stops what is under way and returns what is finished. A side that cannot
    even do its warm-up raises NotMeasurableError with the last lines that the bot printed.
    """
    stages = {
        name: _Stage(played, Watch(threading.Event(), report))
        for name, played in {"": setup, **plan.stages}.items()
    }
    before, begun = machine_load(), clock()
    interrupted, longest, left_out = False, 0.0, 0
    try:
        if plan.batches:
            _warm_up(plan, stages[""])
        for number, batch in enumerate(plan.batches):
            started = clock()
            if plan.budget_s is not None and started - begun + longest > plan.budget_s:
                left_out = len(plan.batches) - number
                break
            for turn in batch:
                _run_side_by_side(turn, stages, land, fail)
            longest = max(longest, clock() - started)
    except KeyboardInterrupt:
        interrupted = True
    after = machine_load()
    after["cpu_idle_s"] += spun_s()
    return Outcome(interrupted, left_out, clock() - begun, **shares(before, after))


def _warm_up(plan: Plan, stage: _Stage) -> None:
    """Run each side briefly and throw the figures away; a bot that cannot start shows here."""
    setup = stage.setup
    until_s = min(WARM_UP_S * setup.speed, setup.until_s or float("inf"))
    brief = replace(setup, until_s=until_s, settle_s=0.0, folder=setup.folder / "warm-up")
    for turn in plan.warm_up:
        _run_side_by_side(turn, {"": _Stage(brief, stage.watch)}, _demand_start, _give_up)


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


def _run_side_by_side(slots: Turn, stages: Mapping[str, _Stage], land: Land, fail: Fail) -> None:
    """Run ``slots`` at the same time, but none of a stage that is over.

    On any exception that leaves, the others are stopped before.
    """
    going = [slot for slot in slots if not stages[slot.stage].watch.interrupted.is_set()]
    with ThreadPoolExecutor(len(slots), thread_name_prefix="run") as pool:
        pending: dict[Future[Run], Slot] = {}
        for slot in going:
            stage = stages[slot.stage]
            pending[pool.submit(run_trial, slot, stage.setup, stage.watch)] = slot
        try:
            while pending:
                done, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    slot = pending.pop(future)
                    _settle(future, slot, stages[slot.stage].watch, land, fail)
        except BaseException:
            for stage in stages.values():
                stage.watch.interrupted.set()  # leaving the pool waits until all have come down
            raise


def _settle(future: Future[Run], slot: Slot, watch: Watch, land: Land, fail: Fail) -> None:
    """Hand over a run or why it could not be made, and nothing more of a stage that is over."""
    if watch.interrupted.is_set():
        return
    try:
        run = future.result()
    except PerfscanError as error:
        watch.interrupted.set()
        fail(slot, error)
    else:
        land(slot, run)
