"""The order of a bench: warm-up, rounds, what happens when something goes wrong."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from perfscan.errors import InputError, NotMeasurableError, PerfscanError
from perfscan.replay import runner
from perfscan.replay.model import Miss, Run
from perfscan.replay.runner import Plan, run_bench
from perfscan.replay.schedule import Slot, pair_batches, stage_batches
from perfscan.replay.trial import Setup, StatusReport, Watch

SETUP = Setup(
    scenario=cast(Any, None),
    recording=cast(Any, None),
    folder=Path("runs"),
    prepared={},
    authority=cast(Any, None),
)


def plan(pairs: int, lanes: int = 1, budget_s: float | None = None) -> Plan:
    return Plan(pair_batches(range(pairs), lanes), pair_batches([0], lanes)[0], budget_s)


def finished(slot: Slot, problem: str = "") -> Run:
    return Run(slot.side, slot.pair, slot.position, not problem, {}, (), problem=problem)


class Trials:
    """Stands in for real runs and remembers what was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[Slot, Setup]] = []
        self.failing: dict[str, Run] = {}
        self.raising: BaseException | None = None
        self._lock = threading.Lock()
        monkeypatch.setattr(runner, "run_trial", self.run)

    def run(self, slot: Slot, setup: Setup, watch: Watch) -> Run:
        with self._lock:
            self.made.append((slot, setup))
        if self.raising and setup.folder == SETUP.folder and slot.pair == 1:
            raise self.raising
        if setup.folder != SETUP.folder and slot.side in self.failing:
            return self.failing[slot.side]
        return finished(slot)


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> Trials:
    return Trials(monkeypatch)


def test_a_brief_warm_up_comes_first_and_does_not_count(trials: Trials) -> None:
    landed: list[Run] = []
    outcome = run_bench(plan(2), SETUP, StatusReport(), lambda _, run: landed.append(run))

    warm, measured = trials.made[:2], trials.made[2:]
    assert all(setup.until_s == runner.WARM_UP_S for _, setup in warm)
    assert all(setup.until_s is None for _, setup in measured)
    sides = [slot.side for slot, _ in measured]
    assert sides == ["original", "optimized", "optimized", "original"]
    assert len(landed) == 4
    assert not outcome.interrupted


def test_a_shorter_bench_has_a_shorter_warm_up(trials: Trials) -> None:
    run_bench(plan(1), replace(SETUP, until_s=2.0), StatusReport(), lambda *_: None)
    assert {setup.until_s for _, setup in trials.made} == {2.0}


def test_with_lanes_both_sides_of_a_pair_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = threading.Barrier(4, timeout=20)

    def meet(slot: Slot, setup: Setup, _: Watch) -> Run:
        if setup.folder == SETUP.folder:
            meeting.wait()  # breaks unless two whole pairs are under way together
        return finished(slot)

    monkeypatch.setattr(runner, "run_trial", meet)
    landed: list[Run] = []
    run_bench(plan(2, lanes=2), SETUP, StatusReport(), lambda _, run: landed.append(run))
    assert len(landed) == 4


def test_a_bot_that_fails_its_warm_up_ends_the_bench(trials: Trials) -> None:
    failed = replace(finished(Slot("optimized", 0, 1), "ended (exit status 1)"), log="a\nboom\n")
    trials.failing["optimized"] = failed
    with pytest.raises(NotMeasurableError, match=r"optimized bot failed.*exit status 1.*boom"):
        run_bench(plan(6), SETUP, StatusReport(), lambda *_: None)
    assert len(trials.made) == 2


def test_leaving_the_recording_names_the_nearest_request(trials: Trials) -> None:
    missed = replace(
        finished(Slot("original", 0, 0), "the recording does not hold GET a"),
        misses=(Miss("GET a", ("GET b: path differs",)),),
    )
    trials.failing["original"] = missed
    with pytest.raises(NotMeasurableError, match=r"GET a.*nearest recorded: GET b"):
        run_bench(plan(6), SETUP, StatusReport(), lambda *_: None)


def test_interrupting_returns_what_is_finished(trials: Trials) -> None:
    trials.raising = KeyboardInterrupt()
    landed: list[Run] = []
    outcome = run_bench(plan(3), SETUP, StatusReport(), lambda _, run: landed.append(run))
    assert outcome.interrupted
    assert [run.pair for run in landed] == [0, 0]


def test_any_other_error_goes_on_to_the_caller(trials: Trials) -> None:
    trials.raising = NotMeasurableError("service redis did not answer")
    landed: list[Run] = []
    with pytest.raises(NotMeasurableError, match="redis"):
        run_bench(plan(3), SETUP, StatusReport(), lambda _, run: landed.append(run))
    assert len(landed) == 2, "what had finished was handed over before"


STAGES = {name: replace(SETUP, folder=Path(name)) for name in ("good", "broken", "late")}


class Landed:
    """What a bench of several stages handed over."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, str, int]] = []
        self.failed: list[tuple[str, str]] = []

    def land(self, slot: Slot, run: Run) -> None:
        self.runs.append((slot.stage, run.side, run.pair))

    def fail(self, slot: Slot, error: PerfscanError) -> None:
        self.failed.append((slot.stage, error.what))


def test_a_slot_is_played_with_what_belongs_to_its_stage(trials: Trials) -> None:
    landed = Landed()
    batches = stage_batches([("good", 0), ("late", 0)], 2)
    run_bench(Plan(batches, (), stages=STAGES), SETUP, StatusReport(), landed.land)
    assert {(slot.stage, str(setup.folder)) for slot, setup in trials.made} == {
        *(("good", "good"), ("late", "late")),
    }
    assert len(landed.runs) == 4


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_a_stage_that_cannot_be_run_keeps_no_other_from_it(
    monkeypatch: pytest.MonkeyPatch, lanes: int
) -> None:
    made: list[Slot] = []

    def attempt(slot: Slot, _: Setup, watch: Watch) -> Run:
        made.append(slot)
        if slot.stage != "broken":
            return finished(slot)
        if slot.side == "optimized":
            raise InputError("the preparation fails", remedy="run it by hand")
        if lanes > 1:  # it goes on until it is stopped
            assert watch.interrupted.wait(20)
            return finished(slot, "interrupted")
        return finished(slot)

    monkeypatch.setattr(runner, "run_trial", attempt)
    landed = Landed()
    pairs = [("good", 0), ("broken", 0), ("broken", 1), ("late", 0), ("late", 1)]
    plan = Plan(stage_batches(pairs, lanes), (), stages=STAGES)
    outcome = run_bench(plan, SETUP, StatusReport(), landed.land, landed.fail)
    assert landed.failed == [("broken", "the preparation fails")]
    assert sum(stage == "good" for stage, *_ in landed.runs) == 2
    assert sum(stage == "late" for stage, *_ in landed.runs) == 4
    assert all(run == ("broken", "original", 0) for run in landed.runs if run[0] == "broken")
    assert lanes > 2 or all(slot.pair == 0 for slot in made if slot.stage == "broken")
    assert not outcome.interrupted


def test_interrupting_stops_the_runs_of_every_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []

    def attempt(slot: Slot, _: Setup, watch: Watch) -> Run:
        if slot.stage == "broken":
            raise KeyboardInterrupt
        assert watch.interrupted.wait(20)
        stopped.append(slot.stage)
        return finished(slot, "interrupted")

    monkeypatch.setattr(runner, "run_trial", attempt)
    landed = Landed()
    plan = Plan(stage_batches([(name, 0) for name in STAGES], 3), (), stages=STAGES)
    outcome = run_bench(plan, SETUP, StatusReport(), landed.land, landed.fail)
    assert outcome.interrupted
    assert sorted(stopped) == ["good", "good", "late", "late"]
    assert (landed.runs, landed.failed) == ([], [])


def test_what_goes_on_is_told_apart_by_stage() -> None:
    report = StatusReport()
    storm, burst = Slot("original", 0, 0, stage="storm"), Slot("original", 0, 0, stage="burst")
    report.update(storm, {"effects": 1})
    report.update(burst, {"effects": 5})
    report.finish(storm)
    assert report.latest() == {burst: {"effects": 5}}


class Clock:
    """A pair takes ``pair_s``; two readings are made of each, and one before the first."""

    def __init__(self, pair_s: float) -> None:
        self.now, self.pair_s, self.readings = 0.0, pair_s, 0

    def __call__(self) -> float:
        self.readings += 1
        if self.readings > 1 and self.readings % 2:
            self.now += self.pair_s
        return self.now


@pytest.mark.parametrize(("budget_s", "pairs"), [(10.0, 1), (29.0, 2), (30.0, 3), (1000.0, 6)])
def test_no_pair_begins_that_would_not_fit(trials: Trials, budget_s: float, pairs: int) -> None:
    landed: list[Run] = []
    outcome = run_bench(
        *(plan(6, budget_s=budget_s), SETUP, StatusReport()),
        lambda _, run: landed.append(run),
        clock=Clock(10.0),
    )
    assert len(landed) == 2 * pairs
    assert outcome.left_out == 6 - pairs
    assert not outcome.interrupted
