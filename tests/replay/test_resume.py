from __future__ import annotations

from typing import Any

import pytest

from perfscan.errors import InputError
from perfscan.replay.model import Comparison, Equivalence, Result, Run, Side, SideWork
from perfscan.replay.resume import demand_same, finished_pairs

WORK = SideWork(0, 0, 0, 0)
NOW: dict[str, dict[str, Any]] = {
    "scenario": {"name": "s", "path": "here/s.yaml", "items": {"paths": ("$.a", "$.b")}},
    "recording": {"sha256": "abc"},
    "environment": {"machine": "m", "cpus": 2, "python": "3.11", "platform": "Linux", "load": 3},
    "method": {"pairs": 6, "lanes": 1, "speed": 1.0, "seed": 1, "guard": "namespace"},
}


def saved(**changes: dict[str, Any]) -> Result:
    parts = {name: {**NOW[name], **changes.get(name, {})} for name in NOW}
    nothing = Comparison(0, (), Equivalence(True, 0, WORK, WORK), (), {}, (), "inconclusive")
    return Result(**parts, runs=(), comparison=nothing)


def run(side: Side, pair: int, problem: str = "") -> Run:
    return Run(side, pair, 0, not problem, {}, (), problem=problem)


def test_whole_pairs_are_kept_also_those_that_failed() -> None:
    runs = [run("original", 0), run("optimized", 0, "exit status 1")]
    half = [run("original", 1)]
    stopped = [run("original", 2), run("optimized", 2, "interrupted")]

    assert finished_pairs([*runs, *half, *stopped], 2) == tuple(runs)
    assert finished_pairs([*runs[:1], *half], 1) == (*runs[:1], *half)


def test_the_same_bench_may_go_on_wherever_it_lies() -> None:
    demand_same(saved(), NOW)
    demand_same(
        saved(
            scenario={"path": "elsewhere/s.yaml", "items": {"paths": ["$.a", "$.b"]}},
            environment={"load": 0},
            method={"guard": "hook"},
        ),
        NOW,
    )


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"recording": {"sha256": "other"}}, r"recording.sha256 was \"other\", now it is \"abc\""),
        ({"method": {"pairs": 20}}, "method.pairs was 20, now it is 6"),
        ({"method": {"seed": 2}}, "method.seed"),
        ({"environment": {"machine": "another"}}, "environment.machine"),
        ({"scenario": {"items": {"paths": ["$.a"]}}}, "scenario.items.paths"),
        ({"scenario": {"threshold": 0.5}}, "scenario.threshold was 0.5, now it is null"),
    ],
)
def test_what_is_not_as_it_was_is_named(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(InputError, match=place):
        demand_same(saved(**changes), NOW)
