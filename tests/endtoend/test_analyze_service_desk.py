"""The scan of the bundled service desk: every problem of its code, and none of its remedies."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.endtoend

ROOT = Path(__file__).parents[2]
BOT = Path("fixtures/bots/service_desk")

# Problem, rule, function in which it shows, and the text of the line that must be named.
METHODS = (
    *("get_health", "get_categories", "get_request_types", "get_sides", "get_faq", "get_news"),
    *("get_agents", "get_user", "get_tickets", "get_ticket", "get_comments", "search_tickets"),
    *("get_queue", "get_report", "create_ticket", "add_comment", "close_ticket", "reopen_ticket"),
    *("rate_ticket", "assign_ticket", "broadcast"),
)
SHOWN = [
    *(("S1.1 client per request", "PS301", name, "httpx.AsyncClient(") for name in METHODS),
    ("S1.2 static data again", "PS501", "get_categories", "client.get("),
    ("S1.2 static data again", "PS501", "get_sides", "client.get("),
    ("S1.2 static data again", "PS501", "get_faq", "client.get("),
    ("S1.2 static data again", "PS501", "get_agents", "client.get("),
    ("S1.2 asked twice for one update", "PS501", "start_command", "api.get_user("),
    ("S1.2 one after another", "PS201", "new_command", "get_request_types("),
    ("S1.2 one after another", "PS201", "services_command", "get_request_types("),
    ("S1.2 one after another", "PS202", "new_description", "get_categories("),
    ("S1.2 one after another", "PS202", "comment_text", "get_ticket("),
    ("S1.3 no metrics", "PS1404", "start_command", "async def start_command("),
    ("S1.3 fixed log level", "PS1203", "bot", "basicConfig("),
    ("S1.3 eager logs", "PS1201", "check_user", "json.dumps("),
    ("S1.4 one module", "PS1403", "bot", ""),
    ("S1.5 unclosed client", "PS303", "get_report", "httpx.AsyncClient("),
    ("S1.5 growing state", "PS1001", "remember_activity", "activity.append("),
    ("S1.6 heavy import", "PS1301", "bot", "import matplotlib"),
    ("S1.6 whole tables at start", "PS904", "load_visitors", "SELECT * FROM visitors"),
    ("S1.6 whole tables at start", "PS904", "load_history", "SELECT * FROM audit"),
    ("S1.6 slow start", "PS202", "warm_up", "get_health("),
    ("S1.7 blocking database", "PS104", "check_user", "remember_visitor("),
    ("S1.7 blocking database", "PS104", "check_user", "write_audit("),
    ("S1.7 blocking database", "PS104", "new_type", "get_settings("),
    ("S1.7 blocking database", "PS104", "settings_notify", "save_settings("),
    ("S1.7 connection per query", "PS903", "save_visitor", "sqlite3.connect("),
    ("S1.7 connection per query", "PS903", "get_settings", "sqlite3.connect("),
    ("S1.7 connection per query", "PS903", "save_settings", "sqlite3.connect("),
    ("S1.7 connection per query", "PS903", "write_audit", "sqlite3.connect("),
    ("S1.7 blocking file", "PS107", "remember_activity", "open("),
    ("S1.7 spreadsheet on the loop", "PS1101", "export_command", "to_excel("),
    ("S1.7 heavy work", "PS1101", "export_command", "plt.subplots("),
    ("S1.8 refuses compression", "PS307", "__init__", "self.headers = {"),
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
    assert document["summary"]["files"] == 1
    assert len((ROOT / BOT / "original" / "bot.py").read_text("utf-8").splitlines()) > 1600


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
