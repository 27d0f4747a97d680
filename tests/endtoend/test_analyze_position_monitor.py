"""The scan of the position monitor: every problem that its code shows, and none of its remedies."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.endtoend

ROOT = Path(__file__).parents[2]
BOT = Path("fixtures/bots/position_monitor")

# Problem, rule, function in which it shows, and the text of the line that must be named.
SHOWN = [
    ("S2.1 past the cache", "PS508", "get_position_info", "bybit_client.get_position("),
    ("S2.1 asked for each monitor", "PS506", "find_vanished", "bybit_client.get_open_orders("),
    ("S2.2 one by one", "PS201", "run_cycle", "manager.get_position_info("),
    ("S2.2 calls that block the loop", "PS103", "get_prices", "client.get_tickers("),
    ("S2.2 calls that block the loop", "PS103", "get_open_orders", "client.get_open_orders("),
    ("S2.2 calls that block the loop", "PS103", "get_position", "client.get_positions("),
    ("S2.2 calls that block the loop", "PS103", "amend_order", "client.amend_order("),
    ("S2.2 calls that block the loop", "PS103", "cancel_order", "client.cancel_order("),
    ("S2.2 calls that block the loop", "PS103", "place_order", "client.place_order("),
    ("S2.2 calls that block the loop", "PS103", "set_position_stop", "client.set_trading_stop("),
    ("S2.3 pickle on the loop", "PS1101", "run_cycle", "state_store.load_state("),
    ("S2.3 pickle on the loop", "PS1101", "run_cycle", "manager.save("),
    ("S2.3 cleaning on the loop", "PS1101", "run_cycle", "sanitize_monitor_data("),
    ("S2.3 files on the loop", "PS107", "load_state", "open("),
    ("S2.3 files on the loop", "PS107", "save_state", "open("),
    ("S2.3 copies of everything", "PS705", "run_cycle", "copy.deepcopy("),
    ("S2.5 more threads than connections", "PS305", "look_up_all", "ThreadPoolExecutor("),
    ("S2.5 a client per call", "PS301", "make_client", "return HTTP("),
    ("S2.5 threads waited for on the loop", "PS208", "look_up_all", "ThreadPoolExecutor("),
    ("S2.5 threads waited for on the loop", "PS109", "look_up_all", "future.result()"),
    ("S2.6 stale records dropped inline", "PS1101", "run_cycle", "clean_stale_orders("),
    ("S2.7 one failure stops the cycle", "PS607", "run_cycle", "manager.get_position_info("),
    ("S2.7 one failure stops the cycle", "PS607", "run_cycle", "manager.act("),
    ("growing state", "PS1001", "send_alert", "recent_alerts.append("),
    ("order ids searched in a list", "PS701", "find_vanished", "not in open_ids"),
    ("fixed log level", "PS1203", "bot", "basicConfig("),
]


def scan(side: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "perfscan", "analyze", str(BOT / side), "--format", "json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def original() -> tuple[int, dict[str, Any]]:
    return scan("original")


def test_the_original_fails_and_is_read_whole(original: tuple[int, dict[str, Any]]) -> None:
    status, document = original
    assert status == 1
    assert document["errors"] == []
    assert document["summary"]["files"] == len(list((ROOT / BOT / "original").glob("*.py")))


@pytest.mark.parametrize(("problem", "rule", "function", "text"), SHOWN)
def test_each_problem_is_found_where_it_stands(
    original: tuple[int, dict[str, Any]], problem: str, rule: str, function: str, text: str
) -> None:
    lines = [
        (ROOT / finding["path"]).read_text("utf-8").splitlines()[finding["line"] - 1]
        for finding in original[1]["findings"]
        if finding["rule"] == rule
        and finding["symbol"].rpartition(":")[2].rpartition(".")[2] == function
    ]
    assert any(text in line for line in lines), f"{problem}: {rule} in {function}, got {lines}"


def test_the_way_from_the_main_loop_is_shown(original: tuple[int, dict[str, Any]]) -> None:
    made = [f for f in original[1]["findings"] if f["rule"] == "PS301"]
    assert len(made) == 2, "one for each account"
    for finding in made:
        symbols = [step["symbol"].rpartition(":")[2] for step in finding["trace"]]
        assert symbols[:2] == ["monitor_loop", "run_cycle"]


def test_one_finding_a_cause(original: tuple[int, dict[str, Any]]) -> None:
    places = [(f["rule"], f["path"], f["line"], f["column"]) for f in original[1]["findings"]]
    assert len(places) == len(set(places))


def test_the_optimized_bot_has_nothing_of_medium_severity_or_above() -> None:
    status, document = scan("optimized")
    grave = [f for f in document["findings"] if f["severity"] in {"critical", "high", "medium"}]
    assert grave == []
    assert status == 0
    assert document["errors"] == []
    assert document["summary"]["files"] > 20  # it was there to be scanned
