from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.calibration import (
    Calibration,
    calibrate,
    dump_calibration,
    quote_calibration,
    read_calibration,
)
from perfscan.replay.model import (
    Implementation,
    Item,
    ItemRules,
    KeyRule,
    PushStimulus,
    RequestEffect,
    Run,
    Scenario,
    Side,
)

SIDE = Implementation("original", ("python",), Path())
SCENARIO = Scenario(
    *("s", "s", Path("s.yaml"), Path(), SIDE, SIDE),
    ItemRules(
        PushStimulus("wss://h/", KeyRule("$.id")),
        RequestEffect(("POST https://h/y",), KeyRule("$.id")),
    ),
    primary="item_latency_ms.p50",
)
SIDES: tuple[Side, Side] = ("original", "optimized")


def runs(pairs: int, spread: float, faster: float = 1.0) -> list[Run]:
    chance = random.Random(pairs)
    made = []
    for pair in range(pairs):
        for side in SIDES:
            factor = faster if side == "optimized" else 1.0
            latency = 100 * factor * chance.lognormvariate(0, spread)
            items = tuple(Item(str(key), 0, "handled", latency + key, "c") for key in range(5))
            slot = int((side == "optimized") != bool(pair % 2))
            metrics = {"cpu_s": chance.lognormvariate(0, spread)}
            made.append(Run(side, pair, slot, True, metrics, items))
    return made


def test_the_same_code_is_rarely_called_different() -> None:
    found = calibrate(runs(20, 0.05), SCENARIO, comparisons=60, seed=1)

    assert [size.pairs for size in found] == [6, 12, 20]
    for size in found:
        assert size.comparisons == 60
        assert size.false_alarms <= 3
        assert size.other_false_alarms <= 3
        assert 0 < size.noise["cpu_s"] < 0.2
    smallest = [size.detectable["item_latency_ms.p50"] for size in found]
    assert smallest == sorted(smallest, reverse=True), "more pairs see smaller changes"


def test_names_are_drawn_anew_so_that_a_difference_of_the_sides_is_only_spread() -> None:
    # A calibration of two sides that do differ must not call the difference in every bench.
    found = calibrate(runs(12, 0.02, faster=0.5), SCENARIO, comparisons=60, seed=1)

    assert all(size.false_alarms < 20 for size in found if size.comparisons)


def test_with_fewer_pairs_the_rest_is_extrapolated_and_says_so() -> None:
    found = calibrate(runs(8, 0.05), SCENARIO, comparisons=40, seed=1)

    assert [(size.pairs, size.comparisons) for size in found] == [
        (6, 40),
        (8, 40),
        (12, 0),
        (20, 0),
    ]
    assert (
        found[3].detectable["cpu_s"] < found[2].detectable["cpu_s"] < found[1].detectable["cpu_s"]
    )
    assert found[3].detectable["cpu_s"] >= SCENARIO.threshold


def test_it_is_seeded() -> None:
    made = runs(8, 0.05)
    assert calibrate(made, SCENARIO, comparisons=5, seed=2) == calibrate(
        made, SCENARIO, comparisons=5, seed=2
    )


def calibration() -> Calibration:
    sizes = calibrate(runs(6, 0.05), SCENARIO, comparisons=5, seed=1)
    return Calibration(
        *("s", "item_latency_ms.p50", 0.05, "abc", "m", 2, "original", 6, "2026-01-01", sizes)
    )


def test_a_calibration_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    assert read_calibration(path) is None
    path.write_text(dump_calibration(calibration()), "utf-8")
    assert read_calibration(path) == calibration()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"schema": "perfscan.calibration/1"}'])
def test_another_file_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match="not a calibration"):
        read_calibration(path)


def test_only_a_calibration_of_this_recording_machine_and_manner_is_quoted(tmp_path: Path) -> None:
    scenario = replace(SCENARIO, path=tmp_path / "s.yaml")
    here = {"machine": "m", "cpus": 2}
    assert quote_calibration(scenario, "abc", here, {}) is None
    (tmp_path / "calibration.json").write_text(dump_calibration(calibration()), "utf-8")

    found = quote_calibration(scenario, "abc", here, {"lanes": 1, "speed": 1.0})
    assert found is not None
    assert json.loads(json.dumps(found)) == found
    assert found["sizes"][0]["pairs"] == 6
    assert found["sizes"][0]["comparisons"] == 5
    assert quote_calibration(scenario, "other", here, {}) is None
    assert quote_calibration(scenario, "abc", {**here, "cpus": 4}, {}) is None
    assert quote_calibration(scenario, "abc", here, {"lanes": 6}) is None
