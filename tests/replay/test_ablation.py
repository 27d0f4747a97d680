from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.ablation import ablation, chosen_switches, variants
from perfscan.replay.model import (
    Implementation,
    Item,
    ItemRules,
    KeyRule,
    PushStimulus,
    RequestEffect,
    Run,
    Scenario,
    SwitchEffect,
)
from perfscan.replay.schedule import round_batches

SWITCHES = {"cache": {"CACHE": "0"}, "pool": {"POOL": "0"}, "idle": {"IDLE": "1"}}
SIDE = Implementation("optimized", ("python",), Path(), {"A": "1", "POOL": "9"}, switches=SWITCHES)
BENCH = Scenario(
    *("s", "s", Path(), Path(), SIDE, SIDE),
    ItemRules(
        PushStimulus("wss://h/", KeyRule("$.id")),
        RequestEffect(("POST https://h/y",), KeyRule("$.id")),
    ),
    primary="item_latency_ms.p50",
)


def test_variants_switch_off_one_all_but_one_and_all() -> None:
    made = variants(SIDE, tuple(SWITCHES))

    assert list(made) == [
        *("all on", "all off", "without cache", "only cache"),
        *("without pool", "only pool", "without idle", "only idle"),
    ]
    assert made["all on"] == SIDE
    assert made["without cache"].environment == {"A": "1", "POOL": "9", "CACHE": "0"}
    assert made["only idle"].environment == {"A": "1", "POOL": "0", "CACHE": "0"}
    assert made["all off"].environment == {"A": "1", "POOL": "0", "CACHE": "0", "IDLE": "1"}


def test_what_is_the_same_runs_once() -> None:
    assert list(variants(SIDE, ("cache",))) == ["all on", "all off"]
    assert list(variants(SIDE, ("cache", "pool"))) == [
        *("all on", "all off", "without cache", "without pool"),
    ]


def test_unknown_switches_name_those_there_are() -> None:
    assert chosen_switches(SIDE, ()) == ("cache", "pool", "idle")
    assert chosen_switches(SIDE, ("pool",)) == ("pool",)
    with pytest.raises(InputError, match="no switch 'pol'"):
        chosen_switches(SIDE, ("pol",))
    with pytest.raises(InputError, match="names no switches"):
        chosen_switches(replace(SIDE, switches={}), ())


def made(cost_ms: Callable[[set[str]], float], rounds: int = 6) -> dict[str, SwitchEffect]:
    """Run every variant of a bot whose latency follows from what is switched on."""
    chance = random.Random(4)
    runs: dict[str, list[Run]] = {}
    sides = variants(SIDE, tuple(SWITCHES))
    for batch in round_batches(list(sides), rounds, 1):
        for (slot,) in batch:
            environment = sides[slot.variant].environment
            on = {name for name, off in SWITCHES.items() if not off.items() <= environment.items()}
            latency = cost_ms(on) * chance.uniform(0.99, 1.01)
            items = tuple(Item(str(key), 0, "handled", latency + key, "c") for key in range(9))
            metrics = {"success_rate": 1.0, "connections_opened": 1.0 if "pool" in on else 9.0}
            run = Run("optimized", slot.pair, slot.position, True, metrics, items)
            runs.setdefault(slot.variant, []).append(run)
    found = ablation(runs, tuple(SWITCHES), BENCH)
    assert found.rounds == rounds
    assert len(found.runs) == rounds * len(sides)
    return {effect.name: effect for effect in found.switches}


def test_each_switch_is_told_what_it_brought() -> None:
    effects = made(lambda on: 1000 - 400 * ("cache" in on) + 300 * ("idle" in on))

    assert {name: effect.verdict for name, effect in effects.items()} == {
        "cache": "helps",
        "pool": "brings nothing",
        "idle": "hurts",
    }
    cache = effects["cache"].without
    assert cache is not None
    assert cache.ratio == pytest.approx(900 / 1300, rel=0.02)
    assert cache.ci_high is not None
    assert cache.ci_high < 1
    others = {metric.name: metric.verdict for metric in effects["pool"].others}
    assert others["connections_opened"] == "improved", "it brings something, though not speed"
    assert {one.name.partition(".")[0] for one in effects["cache"].others} == {"item_latency_ms"}
    assert {effect.interaction for effect in effects.values()} == {""}


def test_what_only_works_together_is_told() -> None:
    effects = made(lambda on: 500 if {"cache", "pool"} <= on else 1000)

    assert effects["cache"].verdict == effects["pool"].verdict == "helps"
    assert effects["cache"].interaction == "only with others"


def test_what_others_make_up_for_is_told() -> None:
    effects = made(lambda on: 500 if {"cache", "pool"} & on else 1000)

    assert effects["cache"].verdict == "brings nothing"
    assert effects["cache"].interaction == "others make up for it"


def test_too_few_rounds_decide_nothing() -> None:
    effects = made(lambda on: 1000 - 400 * ("cache" in on), rounds=4)

    assert effects["cache"].verdict == "unclear"


def test_failed_runs_drop_out_with_their_round() -> None:
    sides = variants(SIDE, ("cache",))
    runs = {
        name: [Run("optimized", number, 0, number != 3, {}, (), problem="") for number in range(6)]
        for name in sides
    }
    found = ablation(runs, ("cache",), BENCH)

    assert found.rounds == 5
    assert found.switches[0].verdict == "unclear"
