"""All runs of a bench: warm-up, pairs in turn or side by side, saved as each one lands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from perfscan.errors import NotMeasurableError
from perfscan.replay.model import Run
from perfscan.replay.processes import machine_load
from perfscan.replay.schedule import Slot, rounds
from perfscan.replay.trial import Setup, StatusReport, Watch, run_trial

WARM_UP_S = 8.0
"""Recorded seconds that a warm-up plays: it fills file and bytecode caches, no more."""

Land = Callable[[Run], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many runs to make and how."""

    pairs: int
    lanes: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that ran, also after an interruption."""

    runs: tuple[Run, ...]
    interrupted: bool
    seconds: float
    cpu_busy: float
    """Share of the machine's CPU time that was not idle while the runs went on, 0 to 1."""
    cpu_steal: float
    load_before: float


def run_bench(plan: Plan, setup: Setup, report: StatusReport, land: Land) -> Outcome:
    """Make all runs of ``plan``; ``land`` is called with each one as it ends.

    KeyboardInterrupt stops what is under way and returns what is finished. A side that cannot
    even do its warm-up raises NotMeasurableError with the last lines that the bot printed.
    """
    watch = Watch(threading.Event(), report)
    before = machine_load()
    landed: list[Run] = []

    def keep(run: Run) -> None:
        landed.append(run)
        land(run)

    interrupted = False
    try:
        _warm_up(plan, setup, watch)
        for turn in rounds(plan.pairs, plan.lanes):
            _run_side_by_side(turn, setup, watch, keep)
    except KeyboardInterrupt:
        interrupted = True
    after = machine_load()
    elapsed = after["cpu_total_s"] - before["cpu_total_s"]
    share = 1 / elapsed if elapsed else 0.0
    return Outcome(
        runs=tuple(sorted(landed, key=lambda run: (run.pair, run.slot))),
        interrupted=interrupted,
        seconds=after["clock_s"] - before["clock_s"],
        cpu_busy=1 - (after["cpu_idle_s"] - before["cpu_idle_s"]) * share,
        cpu_steal=(after["cpu_steal_s"] - before["cpu_steal_s"]) * share,
        load_before=before["load_1m"],
    )


def _warm_up(plan: Plan, setup: Setup, watch: Watch) -> None:
    """Run each side briefly and throw the figures away; a bot that cannot start shows here."""
    until_s = min(WARM_UP_S * setup.speed, setup.until_s or float("inf"))
    brief = replace(setup, until_s=until_s, settle_s=0.0, folder=setup.folder / "warm-up")
    for turn in rounds(1, plan.lanes):
        _run_side_by_side(turn, brief, watch, _demand_start)


def _demand_start(run: Run) -> None:
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


def _run_side_by_side(slots: Sequence[Slot], setup: Setup, watch: Watch, land: Land) -> None:
    """Run ``slots`` at the same time. On any exception the others are stopped before it leaves."""
    with ThreadPoolExecutor(len(slots), thread_name_prefix="run") as pool:
        pending: set[Future[Run]] = {pool.submit(run_trial, slot, setup, watch) for slot in slots}
        try:
            while pending:
                done, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    land(future.result())
        except BaseException:
            watch.interrupted.set()  # leaving the pool waits until the others have come down
            raise
