"""The other words of ``perfscan bench`` on a small bot: parts of a bench, and what follows it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from endtoend.toy import Perfscan, Toy, heed_interrupts, perfscan_command

pytestmark = pytest.mark.endtoend


def read(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return result


def sides(run: dict[str, Any]) -> dict[str, int]:
    return {side: len(made["runs"]) for side, made in run["implementations"].items()}


def test_one_side_alone_has_figures_and_nothing_is_compared(toy: Toy, perfscan: Perfscan) -> None:
    text = toy.scenario.read_text("utf-8")
    toy.scenario.write_text(text[: text.rindex("}")] + ', "targets": {"success_rate": 0.5}}')
    words = ("--only", "original", "--pairs", "2", "--no-scan", "-o", "run.json")
    done = perfscan("bench", "replay", toy.scenario, *words)
    run = read(toy.folder / "run.json")
    assert done.status == 0, done.err
    assert sides(run) == {"original": 2, "optimized": 0}
    assert run["comparison"] == {}
    figures = {figure["name"]: figure for figure in run["figures"]}
    assert figures["upstream_requests"]["value"] == 16
    assert figures["success_rate"]["target_met"] == "not proven", "two runs prove nothing"
    assert "original alone" in done.out
    assert "NoPairs" not in done.out


def test_an_interrupted_bench_goes_on_where_it_stopped(toy: Toy, perfscan: Perfscan) -> None:
    words = ("bench", "replay", toy.scenario, "--no-scan", "--pairs", "2")
    with subprocess.Popen(
        perfscan_command(*words, "-o", "run.json"),
        cwd=toy.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=heed_interrupts,
    ) as bench:
        deadline = time.monotonic() + 90
        saved = toy.folder / "run.json"
        while time.monotonic() < deadline:
            if saved.exists() and sides(read(saved)) == {"original": 1, "optimized": 1}:
                break
            time.sleep(0.1)
        os.kill(bench.pid, signal.SIGINT)
    first = read(saved)
    assert first["interrupted"] is True

    done = perfscan(*words, "--seed", "2", "--resume", "run.json")
    assert done.status == 2
    assert "method.seed was 1, now it is 2" in done.err

    done = perfscan(*words, "--resume", "run.json")
    after = read(saved)
    assert done.status == 3, "two pairs decide nothing"
    assert after["interrupted"] is False
    assert sides(after) == {"original": 2, "optimized": 2}
    kept = first["implementations"]["original"]["runs"][0]
    assert after["implementations"]["original"]["runs"][0] == kept
    assert after["method"]["started_at"] == first["method"]["started_at"]


def test_a_budget_that_is_too_small_for_anything_is_one_line(toy: Toy, perfscan: Perfscan) -> None:
    done = perfscan("bench", "replay", toy.scenario, "--budget", "2s", "-o", "run.json")
    assert done.status == 2
    assert "give --budget" in done.err
    assert not (toy.folder / "run.json").exists()


def test_a_budget_ends_a_bench_between_pairs(toy: Toy, perfscan: Perfscan) -> None:
    words = ("--pairs", "200", "--no-scan", "--budget", "40s", "-o", "run.json")
    begun = time.monotonic()
    done = perfscan("bench", "replay", toy.scenario, *words)
    run = read(toy.folder / "run.json")
    assert time.monotonic() - begun < 200
    assert "BudgetSpent" in done.out
    made = sides(run)
    assert made["original"] == made["optimized"] < 200
    assert run["interrupted"] is False


def test_each_optimisation_is_switched_off_and_on_alone(toy: Toy, perfscan: Perfscan) -> None:
    scenario = read(toy.scenario)
    side = scenario["implementations"]["optimized"]
    side["switches"] = {"pooling": {"POOLED": "0"}, "nothing": {"NOTHING": "1"}}
    toy.scenario.write_text(json.dumps(scenario), "utf-8")
    words = ("--pairs", "1", "--lanes", "4", "--no-scan", "--ablate", "-o", "run.json")
    done = perfscan("bench", "replay", toy.scenario, *words)
    found = read(toy.folder / "run.json")["ablation"]
    assert found["rounds"] == 6, done.err
    assert len(found["runs"]) == 6 * 4
    effects = {effect["name"]: effect for effect in found["switches"]}
    # A new connection for each request costs 60 ms of handshakes, far more than any noise.
    assert effects["pooling"]["verdict"] == "helps"
    assert effects["pooling"]["without"]["ratio"] < 0.6
    assert effects["nothing"]["verdict"] in ("brings nothing", "unclear")
    assert "What each optimisation brought" in done.out


def test_unknown_switches_are_one_line(toy: Toy, perfscan: Perfscan) -> None:
    done = perfscan("bench", "replay", toy.scenario, "--ablate")
    assert done.status == 2
    assert "names no switches" in done.err


def test_two_results_are_compared_and_remembered(toy: Toy, perfscan: Perfscan) -> None:
    words = ("--pairs", "1", "--no-scan")
    perfscan("bench", "replay", toy.scenario, *words, "-o", "a.json")
    perfscan("bench", "replay", toy.scenario, *words, "-o", "b.json")
    done = perfscan("bench", "compare", "a.json", "b.json", "--json")
    assert done.status == 3, done.err
    run = json.loads(done.out)
    assert "NotInterleaved" in [doubt["code"] for doubt in run["doubts"]]
    assert run["method"]["control"] == "the original of each session"

    listed = perfscan("bench", "history", toy.scenario, "--format", "json")
    assert listed.status == 0, listed.err
    history = json.loads(listed.out)
    assert history["metric"] == "item_latency_ms.p50"
    assert len(history["benches"]) == 2
    assert history["changes"] == []


def test_two_commits_run_in_turn(toy: Toy, perfscan: Perfscan) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.test")
        subprocess.run(["git", *identity, *words], cwd=toy.folder, check=True, capture_output=True)

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    toy.change("    alert(key, price)", "    key == 'k03' or alert(key, price)")
    git("commit", "-qam", "two")
    done = perfscan("bench", "compare", "--commits", "HEAD~1", "HEAD", toy.scenario, "--pairs", "1")
    assert done.status == 4, (done.out, done.err)
    assert "k03: missed" in done.out
    done = perfscan("bench", "compare", "--commits", "HEAD", "nowhere", toy.scenario)
    assert done.status == 2
    assert len(done.err.splitlines()) <= 2


def test_a_calibration_is_quoted_in_later_reports(toy: Toy, perfscan: Perfscan) -> None:
    done = perfscan(
        *("bench", "calibrate", toy.scenario, "--pairs", "6", "--lanes", "6"),
        *("--comparisons", "40"),
    )
    assert done.status in (0, 3), done.err
    found = read(toy.folder / "calibration.json")
    assert found["pairs"] == 6
    assert [size["pairs"] for size in found["sizes"]] == [6, 12, 20]
    words = ("--pairs", "6", "--lanes", "6", "--no-scan", "-o", "run.json", "--report", "r.md")
    perfscan("bench", "replay", toy.scenario, *words)
    assert read(toy.folder / "run.json")["method"]["calibration"]["pairs"] == 6
    assert "Calibration (original against itself, 6 pairs)" in (toy.folder / "r.md").read_text()
