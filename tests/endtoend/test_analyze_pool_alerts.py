"""The scan of the bundled bot: every problem that its code shows, and none of its remedies."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.endtoend

ROOT = Path(__file__).parents[2]
BOT = Path("fixtures/bots/pool_alerts")

# Problem, rule, function in which it shows, and the text of the line that must be named.
SHOWN = [
    ("S0.1 blocking requests", "PS211", "get_transaction", "requests.post("),
    ("S0.1 blocking requests", "PS211", "get_rugcheck_report", "requests.get("),
    ("S0.1 blocking requests", "PS211", "send_telegram_message", "requests.post("),
    ("S0.2 WebSocket per pool", "PS402", "connect_websocket", "websocket.create_connection("),
    ("S0.3 connection per request", "PS301", "get_transaction", "requests.post("),
    ("S0.3 connection per request", "PS301", "get_token_metadata", "requests.post("),
    ("S0.3 connection per request", "PS301", "get_rugcheck_report", "requests.get("),
    ("S0.3 connection per request", "PS301", "send_telegram_message", "requests.post("),
    ("S0.4 one pool at a time", "PS211", "get_token_metadata", "requests.post("),
    ("S0.5 growing state", "PS1001", "find_new_pool", "seen_signatures.append("),
    ("S0.5 growing state", "PS1001", "process_pool", "pool_history.append("),
    ("S0.5 growing log", "PS1001", "append_to_log", "open("),
    ("S0.6 asked again", "PS501", "format_message", "get_token_metadata("),
    ("S0.6 asked again", "PS501", "format_message", "get_rugcheck_report("),
    ("S0.8 fixed retries", "PS602", "get_transaction", "time.sleep("),
    ("S0.8 fixed retries", "PS602", "get_token_metadata", "time.sleep("),
    ("S0.8 fixed retries", "PS602", "get_rugcheck_report", "time.sleep("),
    ("S0.8 fixed retries", "PS602", "send_telegram_message", "time.sleep("),
    ("S0.2 hasty reconnects", "PS401", "main", "wait_for_pool("),
    ("S0.7 no rate limit", "PS605", "main", "process_pool("),
    ("S0.9 no metrics", "PS1404", "main", "while True"),
    ("S0.10 heavy import", "PS1301", "bot", "rich"),
    ("S0.10 long timeouts", "PS606", "get_transaction", "requests.post("),
    ("S0.10 fixed log level", "PS1203", "bot", "basicConfig("),
    ("S0.10 eager logs", "PS1201", "process_pool", "json.dumps("),
    ("S0.10 eager logs", "PS1201", "find_new_pool", "json.dumps("),
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
        if finding["rule"] == rule and finding["symbol"].rpartition(":")[2] == function
    ]
    assert any(text in line for line in lines), f"{problem}: {rule} in {function}, got {lines}"


def test_the_way_from_the_main_loop_is_shown(original: tuple[int, dict[str, Any]]) -> None:
    (connect,) = [f for f in original[1]["findings"] if f["rule"] == "PS402"]
    symbols = [step["symbol"].rpartition(":")[2] for step in connect["trace"]]
    assert symbols == ["main", "wait_for_pool", "connect_websocket"]


def test_one_finding_a_cause(original: tuple[int, dict[str, Any]]) -> None:
    places = [(f["rule"], f["path"], f["line"], f["column"]) for f in original[1]["findings"]]
    assert len(places) == len(set(places))


def test_the_optimized_bot_has_nothing_of_medium_severity_or_above() -> None:
    status, document = scan("optimized")
    grave = [f for f in document["findings"] if f["severity"] in {"critical", "high", "medium"}]
    assert grave == []
    assert status == 0
    assert document["errors"] == []
    assert document["summary"]["files"] > 5  # it was there to be scanned
