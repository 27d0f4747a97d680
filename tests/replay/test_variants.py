"""Variants of a scenario: what is run in each, and how both sides fared in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.faults import read_faults
from perfscan.replay.model import (
    Change,
    Claim,
    Emulated,
    Implementation,
    Item,
    ItemRules,
    ItemState,
    KeyRule,
    PushStimulus,
    RequestEffect,
    Run,
    Scenario,
    Side,
    Variant,
)
from perfscan.replay.variants import chosen_variant, demand_variants, fared, with_variant

BAD_LINE = Variant("bad line", "A bad line", faults=read_faults(["loss=20%"]))
FAILING = Variant(
    *("failing", "Without a cache", (), Path("burst.jsonl"), 2.0),
    optimized=Change(("python", "../failing.py"), {"CACHE": "off"}),
)
SCENARIO = Scenario(
    name="s",
    title="S",
    path=Path("scenario.yaml"),
    recording=Path("traffic.jsonl"),
    original=Implementation("original", ("python", "bot.py"), Path("original")),
    optimized=Implementation(
        *("optimized", ("python", "bot.py"), Path("optimized")), environment={"A": "1", "CACHE": ""}
    ),
    items=ItemRules(
        PushStimulus("wss://h/", KeyRule("$.id")),
        RequestEffect(("POST https://h/send",), KeyRule("$.id")),
    ),
    emulated=Emulated(read_faults(["latency=1s"])),
    claims=(Claim("faster", "here", "item_latency_ms.p95", ratio=(0.1, 0.2)),),
    targets={"item_latency_ms.p95": 1000.0},
    variants=(BAD_LINE, FAILING),
)


def test_a_variant_changes_what_it_names_and_nothing_else() -> None:
    line = with_variant(SCENARIO, BAD_LINE)
    assert [fault.spec for fault in line.emulated.faults] == ["latency=1s", "loss=20%"]
    assert (line.title, line.name) == ("S: A bad line", "s")
    assert (line.recording, line.optimized) == (SCENARIO.recording, SCENARIO.optimized)
    assert (line.claims, line.targets, line.variants) == ((), {}, ())
    failing = with_variant(SCENARIO, FAILING)
    assert failing.recording == Path("burst.jsonl")
    assert failing.optimized.command == ("python", "../failing.py")
    assert failing.optimized.environment == {"A": "1", "CACHE": "off"}
    assert failing.original == SCENARIO.original


def test_variants_are_chosen_by_name() -> None:
    assert chosen_variant(SCENARIO, "failing") is FAILING
    assert demand_variants(SCENARIO) == (BAD_LINE, FAILING)
    with pytest.raises(InputError, match="no variant 'bad lin'; did you mean 'bad line'") as wrong:
        chosen_variant(SCENARIO, "bad lin")
    assert wrong.value.remedy == "choose one of: bad line, failing"
    with pytest.raises(InputError, match="names no variants"):
        demand_variants(replace(SCENARIO, variants=()))


def run(side: Side, pair: int, *states: ItemState, problem: str = "") -> Run:
    slow = 400.0 if side == "original" else 100.0
    items = tuple(
        Item(str(number), number, state, slow if state == "handled" else None, "c")
        for number, state in enumerate(states)
    )
    metrics = {"item_latency_ms.p95": slow, "success_rate": 1.0}
    return Run(side, pair, side == "optimized", not problem, metrics, items, problem=problem)


def test_what_was_missed_under_faults_is_counted_and_no_different_work() -> None:
    runs = [
        *(run("original", 0, "handled", "missed"), run("optimized", 0, "handled", "handled")),
        *(run("optimized", 1, "handled", "missed"), run("original", 1, "handled", "handled")),
    ]
    found = fared(BAD_LINE, runs, with_variant(SCENARIO, BAD_LINE))
    assert found.comparison.pairs == 2
    assert found.comparison.equivalence.same
    assert (found.sides["original"].handled, found.sides["original"].expected) == (3, 4)
    assert (found.sides["optimized"].handled, found.sides["optimized"].failed) == (3, 0)
    assert found.faults == ("latency=1s", "loss=20%")
    primary = next(one for one in found.comparison.metrics if one.name == "item_latency_ms.p95")
    assert (primary.before, primary.after) == (400.0, 100.0)
    assert {doubt.code for doubt in found.comparison.doubts} == set(), "the table says these"
    undisturbed = replace(with_variant(SCENARIO, BAD_LINE), emulated=Emulated())
    assert fared(BAD_LINE, runs, undisturbed).comparison.verdict == "replies differ"


def test_a_crash_is_a_result_of_its_side() -> None:
    runs = [
        run("original", 0, "handled", "missed", problem="the bot ended by itself"),
        *(run("optimized", 0, "handled", "handled"), run("original", 1, problem="interrupted")),
    ]
    found = fared(FAILING, runs, with_variant(SCENARIO, FAILING))
    original, optimized = found.sides["original"], found.sides["optimized"]
    assert (original.runs, original.failed, original.handled) == (1, 1, 1)
    assert original.problem == "the bot ended by itself"
    assert (optimized.runs, optimized.failed, optimized.handled) == (1, 0, 2)
    assert found.comparison.pairs == 0
    assert found.comparison.doubts == ()


def test_what_could_not_be_run_keeps_its_reason() -> None:
    found = fared(FAILING, [], with_variant(SCENARIO, FAILING), problem="no such program")
    assert (found.problem, found.runs, found.load) == ("no such program", (), 2.0)
    assert found.recording == "burst.jsonl"
