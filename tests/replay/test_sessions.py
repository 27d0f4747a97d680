from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from perfscan.errors import InputError
from perfscan.replay.model import Comparison, Equivalence, Item, Result, Run, Side, SideWork
from perfscan.replay.sessions import Session, compare_sessions

WORK = SideWork(0, 0, 0, 0)
METRIC = "item_latency_ms.p50"
SIDES: tuple[Side, Side] = ("original", "optimized")


def session(
    name: str,
    optimized_ms: float,
    *,
    machine: float = 1.0,
    original: str = "same",
    seed: int = 0,
    **changes: Any,
) -> Session:
    """Store a bench of 8 pairs; ``machine`` slows all of its runs down."""
    chance, runs = random.Random(f"{name} {seed}"), []
    for pair in range(8):
        for side in SIDES:
            base = optimized_ms if side == "optimized" else 400.0
            latency = base * machine * chance.uniform(0.98, 1.02)
            items = tuple(Item(str(key), 0, "handled", latency + key, "c") for key in range(5))
            runs.append(Run(side, pair, SIDES.index(side), True, {"success_rate": 1.0}, items))
    sides = {"original": {"sha256": original}, "optimized": {"sha256": name}}
    parts: dict[str, dict[str, Any]] = {
        "scenario": {
            "name": "s",
            "primary": METRIC,
            "threshold": 0.05,
            "targets": {},
            "implementations": sides,
        },
        "environment": {"machine": "m", "cpus": 2},
        "recording": {"sha256": "abc"},
        "method": {"lanes": 1, "speed": 1.0, "until_s": None, "pairs": 8},
    }
    for place, value in changes.items():
        part, _, key = place.partition("__")
        parts[part][key] = value
    nothing = Comparison(0, (), Equivalence(True, 0, WORK, WORK), (), {}, (), "inconclusive")
    return Session(f"{name}.json", Result(**parts, runs=tuple(runs), comparison=nothing))


def verdict(earlier: Session, later: Session, side: Side = "optimized") -> str:
    return compare_sessions(earlier, later, side).comparison.verdict


def test_a_clear_change_between_two_sessions_is_found() -> None:
    result = compare_sessions(session("a", 200), session("b", 100), "optimized")

    assert result.comparison.verdict == "faster"
    metric = next(one for one in result.comparison.metrics if one.name == METRIC)
    assert metric.before == pytest.approx(202, rel=0.03)
    assert metric.after == pytest.approx(102, rel=0.03)
    assert metric.ratio == pytest.approx(0.5, rel=0.04)
    assert "NotInterleaved" in [doubt.code for doubt in result.comparison.doubts]
    assert result.method["control"] == "the original of each session"


def test_the_original_of_each_session_takes_the_machine_out() -> None:
    slow_day = session("b", 200, machine=1.3)
    assert verdict(session("a", 200), slow_day) in ("no change found", "inconclusive")


def test_without_a_common_original_the_interval_keeps_a_reserve() -> None:
    controlled = compare_sessions(session("a", 200), session("b", 185), "optimized")
    alone = compare_sessions(session("a", 200), session("b", 185, original="new"), "optimized")
    wide, narrow = (
        next(one for one in result.comparison.metrics if one.name == METRIC)
        for result in (alone, controlled)
    )
    assert alone.method["control"] is None
    assert wide.ci_high is not None
    assert wide.ci_low is not None
    values = [run.items[0].latency_ms or 0 for run in alone.runs]
    assert wide.ci_high / wide.ci_low > 1.02
    assert len(values) == 16
    assert narrow.ratio == pytest.approx(wide.ratio, rel=0.03)


def test_the_same_code_is_rarely_called_different() -> None:
    changes = [
        verdict(session("a", 200, original="x", seed=s), session("b", 200, original="y", seed=s))
        for s in range(20)
    ]
    assert not {"faster", "slower", "mixed"} & set(changes)


def missing_first(whole: Session) -> Session:
    """Let every run of the optimized side miss its first item."""
    missed = Item("0", 0, "missed", None)
    runs = tuple(
        replace(run, items=(missed, *run.items[1:])) if run.side == "optimized" else run
        for run in whole.result.runs
    )
    return Session(whole.name, replace(whole.result, runs=runs))


def test_work_that_differs_is_told() -> None:
    assert verdict(session("a", 200), missing_first(session("b", 100))) == "replies differ"


def test_what_was_missed_under_faults_is_no_different_work() -> None:
    earlier, later = (session(*one, method__faults=["loss=5%"]) for one in (("a", 200), ("b", 100)))
    result = compare_sessions(earlier, missing_first(later), "optimized")
    assert result.comparison.equivalence.same
    assert "FaultsInjected" in [doubt.code for doubt in result.comparison.doubts]


def test_readings_of_the_bot_keep_their_unit() -> None:
    rule = {"log": "queue (\\d+)", "unit": "messages", "better": "higher"}
    both = []
    for name in ("a", "b"):
        made = session(name, 200, scenario__readings={"queue": rule})
        runs = [replace(run, metrics={**run.metrics, "queue": 3.0}) for run in made.result.runs]
        both.append(Session(name, replace(made.result, runs=tuple(runs))))
    found = compare_sessions(both[0], both[1], "optimized").comparison.metrics
    queue = next(one for one in found if one.name == "queue")
    assert (queue.unit, queue.better) == ("messages", "higher")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"recording__sha256": "other"}, "recording differs"),
        ({"environment__machine": "other"}, "machine differs"),
        ({"scenario__name": "other"}, "scenario differs"),
        ({"method__speed": 2.0}, "manner differs, defaults and speed=2"),
        ({"method__load": 10.0}, "manner differs, defaults and load=10"),
        ({"method__faults": ["loss=5%"]}, "manner differs"),
    ],
)
def test_what_cannot_be_compared_is_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        verdict(session("a", 200), session("b", 100, **change))
