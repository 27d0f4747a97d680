"""``prepare:`` in whole runs: a bot finds what was made for it, and none of that is measured."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from endtoend.toy import Perfscan, Toy

pytestmark = pytest.mark.endtoend
BRIEF = ("--pairs", "1", "--no-scan", "--no-history")
MAKE = """
import os, sys, time
from pathlib import Path

work = b"".join(os.urandom(1_000_000) for _ in range(400))
time.sleep(2)
Path(sys.argv[1]).write_text(os.environ["POOLED"])
"""


def prepared(toy: Toy, *words: str) -> None:
    scenario: dict[str, Any] = yaml.safe_load(toy.scenario.read_text("utf-8"))
    scenario["implementations"]["optimized"]["prepare"] = list(words)
    toy.scenario.write_text(yaml.safe_dump(scenario), "utf-8")
    toy.change('os.environ.get("POOLED") == "1"', 'open("state.txt").read() == "1"')


def test_the_bot_finds_its_state_and_is_not_charged_for_it(toy: Toy, perfscan: Perfscan) -> None:
    (toy.folder / "make.py").write_text(MAKE, "utf-8")
    prepared(toy, "python", "../make.py", "state.txt")
    done = perfscan("bench", "replay", toy.scenario, *BRIEF, "-o", "run.json")
    run = json.loads((toy.folder / "run.json").read_text("utf-8"))
    assert run["equivalence"]["same"] is True, done.err
    sides = run["implementations"]
    before, after = (sides[side]["runs"][0]["metrics"] for side in ("original", "optimized"))
    assert after["connections_opened"] < before["connections_opened"]
    assert after["startup_s"] < 2
    assert after["peak_rss_mb"] < 300
    assert not (toy.folder / "optimized" / "state.txt").exists()


def test_a_preparation_that_fails_ends_the_bench_in_one_line(toy: Toy, perfscan: Perfscan) -> None:
    prepared(toy, "python", "../make.py", "state.txt")
    done = perfscan("bench", "replay", toy.scenario, *BRIEF, "--keep", "kept")
    assert done.status == 2
    assert "the preparation of the optimized bot fails: exit status 2" in done.err
    assert "No such file" in done.err
    assert "help: run it by hand in a copy of" in done.err
    assert "Traceback" not in done.err
    (log,) = (toy.folder / "kept").rglob("prepare.log")
    assert "No such file" in log.read_text("utf-8")
