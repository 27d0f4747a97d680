"""``--variants``: both sides under other circumstances, beside the bench itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from endtoend.toy import Perfscan, Toy, heed_interrupts, perfscan_command, toy_recording

from perfscan.replay.recording import write_recording

pytestmark = pytest.mark.endtoend
BRIEF = ("--pairs", "1", "--no-scan", "--no-history")
FAILING = """
import os, runpy
os.environ["POOLED"] = "1"
runpy.run_path("bot.py", run_name="__main__")
"""


@pytest.fixture
def varied(toy: Toy) -> Toy:
    """The toy with a variant of every kind; its original dies where it is told to."""
    original = toy.folder / "original" / "bot.py"
    text = original.read_text("utf-8")
    crash = "    if os.environ.get('CRASH') == key: os._exit(7)\n    price ="
    original.write_text(text.replace("    price =", crash), "utf-8")
    write_recording(toy_recording(ticks=4), toy.folder / "short.jsonl")
    (toy.folder / "failing.py").write_text(FAILING, "utf-8")
    scenario: dict[str, Any] = yaml.safe_load(toy.scenario.read_text("utf-8"))
    scenario["variants"] = {
        "far away": {"faults": ["latency=50ms"]},
        "short": {"title": "Half of the traffic", "recording": "short.jsonl"},
        "twice": {"load": "2x"},
        "pooled original": {"original": {"command": ["python", "../failing.py"]}},
        "crash": {"original": {"environment": {"CRASH": "k03"}}},
        "unprepared": {"optimized": {"environment": {"BREAK": "1"}}},
    }
    prepare = ["python", "-c", "import os; 'BREAK' in os.environ and print(1 / 0)"]
    scenario["implementations"]["optimized"]["prepare"] = prepare
    toy.scenario.write_text(yaml.safe_dump(scenario, sort_keys=False), "utf-8")
    return toy


def read(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return result


@pytest.mark.parametrize(("lanes", "manner"), [(1, ""), (4, ", 4 side by side")])
def test_every_variant_runs_and_says_how_both_sides_fared(
    varied: Toy, perfscan: Perfscan, lanes: int, manner: str
) -> None:
    words = ("--variant-pairs", "1", "--lanes", str(lanes), "-o", "run.json")
    words += ("--report", "report.md")
    done = perfscan("bench", "replay", varied.scenario, *BRIEF, *words)
    assert f", then 6 variants{manner} · 14 runs · about" in done.err
    run = read(varied.folder / "run.json")
    assert run["equivalence"]["same"] is True, done.err
    assert run["comparison"]["upstream_requests"]["before"] == 2 * 8
    found = {one["name"]: one for one in run["variants"]}
    assert list(found) == ["far away", "short", "twice", "pooled original", "crash", "unprepared"]
    handled = {
        name: tuple(one["sides"][side]["handled"] for side in ("original", "optimized"))
        for name, one in found.items()
    }
    assert handled["far away"] == (8, 8)
    assert handled["short"] == (4, 4)
    assert handled["twice"] == (16, 16)
    assert handled["crash"] == (3, 8)
    assert [found[name]["pairs"] for name in found] == [1, 1, 1, 1, 0, 0]
    p50 = "item_latency_ms.p50"
    assert found["far away"]["faults"] == ["latency=50ms"]
    assert found["far away"]["comparison"][p50]["before"] > run["comparison"][p50]["before"] + 90
    opened = found["pooled original"]["comparison"]["connections_opened"]
    assert opened["before"] == opened["after"]
    assert "exit status 7" in found["crash"]["sides"]["original"]["problem"]
    assert "preparation of the optimized bot fails" in found["unprepared"]["problem"]

    report = (varied.folder / "report.md").read_text("utf-8")
    section = report.partition("### How each fared")[2].partition("\n\n<sub>")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    assert len(rows) == 6
    assert "short: Half of the traffic | yes | 4 of 4 → 4 of 4" in rows[1]
    assert "original crashed: the bot ended by itself (exit status 7)" in rows[4]
    assert "could not be run: the preparation of the optimized bot fails" in rows[5]
    assert "How each fared:" in done.out
    assert done.status == 3  # one pair proves nothing, whatever became of the variants

    again = perfscan("report", "build", "run.json", "--format", "markdown", "-o", "again.md")
    assert again.status == 0, again.err
    assert (varied.folder / "again.md").read_text("utf-8") == report


def test_a_bench_goes_on_with_the_variants_that_are_left(varied: Toy, perfscan: Perfscan) -> None:
    scenario = yaml.safe_load(varied.scenario.read_text("utf-8"))
    scenario["variants"] = {
        name: scenario["variants"][name] for name in ("short", "pooled original")
    }
    varied.scenario.write_text(yaml.safe_dump(scenario, sort_keys=False), "utf-8")
    words = ("bench", "replay", varied.scenario, *BRIEF)
    assert perfscan(*words, "--variant-pairs", "1", "-o", "run.json").status == 3
    file = varied.folder / "run.json"
    run = read(file)
    runs = run["variants"][1]["implementations"]
    runs["original"]["runs"].clear()  # as if it had been stopped here
    file.write_text(json.dumps(run), "utf-8")
    done = perfscan(*words, "--variant-pairs", "1", "--resume", "run.json")
    after = read(file)
    assert done.status == 3, done.err
    assert [one["pairs"] for one in after["variants"]] == [1, 1]
    kept, made = after["variants"]
    assert kept["implementations"] == run["variants"][0]["implementations"]
    assert made["implementations"]["original"]["runs"]
    assert after["implementations"] == run["implementations"]
    assert "2 runs" in done.err
    finished = perfscan(*words, "--variant-pairs", "1", "--resume", "run.json")
    assert "nothing is left of this bench" in finished.err


def test_stopping_keeps_the_variants_that_are_finished(varied: Toy, perfscan: Perfscan) -> None:
    scenario = yaml.safe_load(varied.scenario.read_text("utf-8"))
    scenario["variants"] = {
        "crash": {"original": {"environment": {"CRASH": "k03"}}},
        "unpooled": {"optimized": {"environment": {"POOLED": "0"}}},
        "slow": {"faults": ["latency=300ms"]},
        "slower": {"faults": ["latency=400ms"]},
    }
    varied.scenario.write_text(yaml.safe_dump(scenario, sort_keys=False), "utf-8")
    words = ("bench", "replay", varied.scenario, *BRIEF, "--variant-pairs", "1", "--lanes", "2")
    file = varied.folder / "run.json"
    with subprocess.Popen(
        perfscan_command(*words, "-o", "run.json"),
        cwd=varied.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=heed_interrupts,
    ) as bench:
        deadline = time.monotonic() + 120
        while bench.poll() is None and time.monotonic() < deadline:
            if file.exists() and made(read(file))[:2] == [(1, 1), (1, 1)]:
                break
            time.sleep(0.1)
        os.kill(bench.pid, signal.SIGINT)
    stopped = read(file)
    assert stopped["interrupted"] is True
    assert made(stopped) == [(1, 1), (1, 1), (0, 0), (0, 0)]

    done = perfscan(*words, "--resume", "run.json")
    after = read(file)
    assert "then 2 variants, 2 side by side · 4 runs" in done.err
    assert made(after) == [(1, 1)] * 4
    assert after["interrupted"] is False
    kept = [one["implementations"] for one in after["variants"][:2]]
    assert kept == [one["implementations"] for one in stopped["variants"][:2]]


def made(run: dict[str, Any]) -> list[tuple[int, int]]:
    """Count the runs of both sides in each variant."""
    sides = [one["implementations"] for one in run["variants"]]
    return [(len(one["original"]["runs"]), len(one["optimized"]["runs"])) for one in sides]


def test_one_variant_is_a_bench_of_its_own(varied: Toy, perfscan: Perfscan) -> None:
    words = ("bench", "replay", varied.scenario, *BRIEF)
    done = perfscan(*words, "--variant", "far away", "-o", "run.json")
    run = read(varied.folder / "run.json")
    assert run["method"]["variant"] == "far away", done.err
    assert run["method"]["faults"] == ["latency=50ms"]
    assert run["scenario"]["title"] == "toy: far away"
    assert run["variants"] == []
    unknown = perfscan(*words, "--variant", "far")
    assert unknown.status == 2
    assert "there is no variant 'far'" in unknown.err
    assert "far away, short, twice" in unknown.err
    both = perfscan(*words, "--variant", "short", "--variants")
    assert "exclude each other" in both.err
