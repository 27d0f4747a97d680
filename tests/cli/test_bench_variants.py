"""Which runs the variants of a scenario get, and how long they are expected to take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from perfscan.cli.bench_plan import START_AND_STOP_S, Planned, with_variants
from perfscan.cli.bench_run import Order
from perfscan.cli.bench_stage import Stage
from perfscan.cli.bench_variants import VariantPlans, plan_variants
from perfscan.replay.model import (
    Comparison,
    Implementation,
    ItemRules,
    KeyRule,
    Message,
    Open,
    PushStimulus,
    Recording,
    RecordingHeader,
    Request,
    RequestEffect,
    Response,
    Result,
    Run,
    Scenario,
    Variant,
    VariantOutcome,
)
from perfscan.replay.runner import Plan

SETTLE_S = 2.0
ORDER = Order(Path("scenario.yaml"), Path("run.json"))
PLANNED = Planned(Plan((), ()), runs=24, expected_s=100.0, manner="12 pairs")
BOT = Implementation("original", ("python", "bot.py"), Path())
SCENARIO = Scenario(
    *("s", "S", Path("scenario.yaml"), Path("traffic.jsonl"), BOT, BOT),
    items=ItemRules(
        PushStimulus("wss://h/", KeyRule("$.id")),
        RequestEffect(("POST https://h/send",), KeyRule("$.id")),
        settle_s=SETTLE_S,
    ),
)


def stage(seconds: float) -> Stage:
    """What is played for so long."""
    upgrade = (("Upgrade", "websocket"),)
    times = (0, round(seconds * 1e9))
    pushed = (Message(1, at, "received", f'{{"id": {at}}}') for at in times)
    connected = (Open(1, 0, "https", "h", 443), Request(1, 1, 0, "GET", "/", upgrade))
    events = (*connected, Response(1, 1, 0, 0, 101, upgrade), *pushed)
    return Stage(SCENARIO, Recording(RecordingHeader(source="test"), events), 1.0)


def planned(
    seconds: dict[str, float], pairs: int, lanes: int, saved: Result | None = None
) -> VariantPlans:
    variants = [(Variant(name, name), stage(length)) for name, length in seconds.items()]
    return plan_variants(variants, pairs, lanes, saved)


def met(plans: VariantPlans) -> list[str]:
    """Return which variants and pairs each batch holds, in each of its turns."""
    return [
        " ".join("+".join(f"{slot.stage}{slot.pair}" for slot in turn) for turn in batch)
        for batch in plans.batches
    ]


def test_variants_share_the_lanes() -> None:
    plans = planned({"a": 1, "b": 1, "c": 1}, pairs=2, lanes=4)
    assert met(plans) == ["a0+a0+a1+a1+b0+b0+b1+b1", "c0+c0+c1+c1"]
    assert plans.runs == 12
    assert met(planned({"a": 1, "b": 1}, pairs=3, lanes=2)) == [
        *("a0+a0+a1+a1", "a2+a2+b0+b0", "b1+b1+b2+b2"),
    ]


def test_on_one_lane_they_follow_each_other() -> None:
    assert met(planned({"a": 1, "b": 1}, pairs=1, lanes=1)) == ["a0 a0", "b0 b0"]


def test_what_an_earlier_bench_made_is_kept() -> None:
    run = Run("original", 0, 0, True, {}, ())
    ended = (run, replace(run, side="optimized", slot=1), replace(run, pair=1))
    outcome = VariantOutcome("a", "a", (), "t", 1.0, {}, cast(Comparison, None), runs=ended)
    saved = cast(Any, type("Saved", (), {"variants": (outcome,)}))
    plans = planned({"a": 1, "b": 1}, pairs=2, lanes=3, saved=saved)
    assert met(plans) == ["a1+a1+b0+b0+b1+b1"]
    assert [plan.kept for plan in plans.each] == [ended[:2], ()]


@pytest.mark.parametrize(
    ("pairs", "lanes", "seconds", "manner"),
    [
        (1, 1, 2 * 10 + 2 * 20 + 2 * 30, "3 variants"),
        (1, 2, 20 + 30, "3 variants, 2 side by side"),
        (2, 4, 20 + 30, "3 variants, 2 side by side"),
        (1, 8, 30, "3 variants, 3 side by side"),
        (4, 2, 2 * 10 + 2 * 20 + 2 * 30, "3 variants"),
    ],
)
def test_a_batch_takes_as_long_as_its_longest_run(
    pairs: int, lanes: int, seconds: float, manner: str
) -> None:
    plans = planned({"a": 10, "b": 20, "c": 30}, pairs, lanes)
    turns = sum(len(batch) for batch in plans.batches)
    told = with_variants(ORDER, PLANNED, plans)
    assert told.expected_s == pytest.approx(100 + seconds + turns * (SETTLE_S + START_AND_STOP_S))
    assert told.runs == 24 + 3 * 2 * pairs
    assert told.manner == f"12 pairs, then {manner}"


def test_a_budget_bounds_what_is_expected_and_nothing_left_adds_nothing() -> None:
    plans = planned({"a": 60}, pairs=2, lanes=1)
    assert with_variants(replace(ORDER, budget_s=120.0), PLANNED, plans).expected_s == 120
    assert with_variants(ORDER, PLANNED, planned({}, pairs=2, lanes=1)) == PLANNED
