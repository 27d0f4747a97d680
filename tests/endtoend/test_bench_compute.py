"""Two functions compared on recorded data, through the command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from endtoend.toy import Done, Perfscan

pytestmark = pytest.mark.endtoend

ORIGINAL = """
import math

def mean_of_windows(prices, period=10):
    result = []
    for end in range(len(prices)):
        if end + 1 < period:
            result.append(math.nan)
        else:
            result.append(sum(prices[end + 1 - period:end + 1]) / period)
    return result
"""
OPTIMIZED = """
import numpy as np

def mean_of_windows(prices, period=10):
    result = np.full(len(prices), np.nan)
    total = np.cumsum(np.insert(prices, 0, 0.0))
    result[period - 1:] = (total[period:] - total[:-period]) / period
    return result
"""


@dataclass(frozen=True)
class Bench:
    folder: Path
    perfscan: Perfscan

    def write(self, side: str, source: str) -> None:
        (self.folder / side / "windows.py").write_text(source, "utf-8")

    def run(self, *words: str) -> tuple[Done, dict[str, Any]]:
        output = self.folder / "run.json"
        done = self.perfscan(
            *("bench", "replay", self.folder / "scenario.yaml", "--no-scan", "--no-history"),
            *("-o", output, *words),
        )
        return done, json.loads(output.read_text("utf-8")) if output.exists() else {}


@pytest.fixture
def bench(tmp_path: Path, perfscan: Perfscan) -> Bench:
    made = Bench(tmp_path, perfscan)
    for side, source in (("original", ORIGINAL), ("optimized", OPTIMIZED)):
        (tmp_path / side).mkdir()
        made.write(side, source)
    np.save(tmp_path / "prices.npy", np.random.default_rng(7).normal(100, 5, 2000))
    scenario = {
        "schema": "perfscan.scenario/1",
        "kind": "compute",
        "name": "windows",
        "data": "prices.npy",
        "sizes": [100, 2000],
        "repeat_s": 0.02,
        "implementations": {
            side: {
                "function": "windows:mean_of_windows",
                "directory": side,
                "arguments": {"period": 20},
            }
            for side in ("original", "optimized")
        },
    }
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(scenario), "utf-8")
    return made


def test_the_faster_function_is_called_faster(bench: Bench) -> None:
    report = bench.folder / "report.md"
    done, run = bench.run("--quick", "--report", str(report))
    assert done.status == 0, done.err
    assert run["verdict"] == "faster"
    assert run["equivalence"] == {
        **run["equivalence"],
        "same": True,
        "items": 2,
        "differences": [],
    }
    primary = run["comparison"]["call_ms.2000"]
    assert primary["label"] == "Time per call, 2,000 rows"
    assert primary["verdict"] == "improved"
    first = run["implementations"]["optimized"]["runs"][0]["metrics"]
    assert {"call_ms.100", "first_call_ms", "import_s", "peak_alloc_mb.2000"} <= first.keys()
    text = report.read_text("utf-8")
    assert "missing values in the same places" in text
    assert "Matching" not in text
    assert "faster" in done.out


def test_another_result_is_different_work(bench: Bench) -> None:
    bench.write("optimized", OPTIMIZED.replace("/ period", "/ (period + 1e-3)"))
    done, run = bench.run("--pairs", "1")
    assert done.status == 4
    assert run["verdict"] == "replies differ"
    assert run["equivalence"]["differences"][0]["kind"] == "wrong"
    assert "result[19] is" in run["equivalence"]["differences"][0]["detail"]


def test_lost_missing_values_are_different_work(bench: Bench) -> None:
    bench.write("optimized", OPTIMIZED.replace("np.nan", "0.0"))
    done, run = bench.run("--pairs", "1")
    assert done.status == 4
    assert "expected nan" in run["equivalence"]["differences"][0]["detail"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def mean_of_windows(prices, period):\n    raise ValueError('no')", "ValueError: no"),
        ("import os\nos.abort()", "killed by SIGABRT"),
        ("x = 1", "has no attribute 'mean_of_windows'"),
    ],
)
def test_a_function_that_fails_is_one_line(bench: Bench, source: str, told: str) -> None:
    bench.write("optimized", source)
    done, _ = bench.run("--pairs", "1")
    assert done.status == 3
    assert told in done.err
    assert "Traceback" not in done.err


def test_options_for_bots_are_refused(bench: Bench) -> None:
    done, _ = bench.run("--until", "3")
    assert done.status == 2
    assert "--until is for replayed traffic" in done.err


def test_a_function_cannot_reach_the_network(bench: Bench) -> None:
    source = """
import socket

def mean_of_windows(prices, period):
    socket.create_connection(("192.0.2.1", 80), timeout=2)
"""
    bench.write("optimized", source)
    done, _ = bench.run("--pairs", "1")
    assert done.status == 3
    assert "OSError" in done.err


def test_a_function_compared_with_itself_is_not_faster(bench: Bench) -> None:
    done, run = bench.run("--quick", "--after", "original")
    assert run["verdict"] in ("no change found", "inconclusive"), run["comparison"]
    assert done.status in (0, 3)
