"""The whole loop on the bundled bot: what must come out of the replay of pool_alerts."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cmarkgfm
import pytest
from endtoend.toy import perfscan_command

pytestmark = pytest.mark.endtoend
BOT = Path(__file__).resolve().parents[2] / "fixtures" / "bots" / "pool_alerts"


def replay(folder: Path, scenario: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        perfscan_command(
            "bench", "replay", scenario, "-o", "run.json", "--report", "report.md", *words
        ),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (folder / "run.json").exists(), done.stderr
    return done.returncode, json.loads((folder / "run.json").read_text("utf-8")), done.stderr


@pytest.fixture(scope="module")
def before_after(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Any, str]]:
    folder = tmp_path_factory.mktemp("pool_alerts")
    status, run, _ = replay(folder, BOT / "scenario.yaml", "--quick")
    return status, run, (folder / "report.md").read_text("utf-8")


def median(run: dict[str, Any], metric: str, side: str) -> float:
    value: float = run["comparison"][metric][side]
    return value


def test_no_alert_is_lost_changed_or_doubled(before_after: tuple[int, Any, str]) -> None:
    status, run, _ = before_after
    work = run["equivalence"]
    assert status in (0, 1)  # 1 where a target of the report is proven missed
    assert work["same"] is True, work["differences"]
    assert work["items"] >= 200
    assert work["optimized"] == {
        "handled": 6 * work["items"], "missed": 0, "duplicated": 0, "wrong": 0
    }  # fmt: skip
    assert work["original"]["duplicated"] == work["original"]["wrong"] == 0


def test_the_optimized_bot_is_faster_by_far(before_after: tuple[int, Any, str]) -> None:
    _, run, _ = before_after
    assert run["verdict"] == "faster"
    latency = run["comparison"]["item_latency_ms.p95"]
    assert latency["verdict"] == "improved"
    assert latency["ratio"] <= 1 / 4, latency  # 1/5 and less where nothing else runs


def test_counts_show_how(before_after: tuple[int, Any, str]) -> None:
    _, run, _ = before_after
    assert run["comparison"]["websocket_connects"]["ratio"] <= 1 / 10
    assert run["comparison"]["connections_opened"]["ratio"] < 1
    assert run["comparison"]["success_rate"]["verdict"] == "improved"
    # The original answers fewer pools, so its calls are compared for each alert that was sent.
    for name in ("rugcheck_requests_per_item", "upstream_requests_per_item"):
        assert run["comparison"][name]["verdict"] == "improved", name
        assert run["comparison"][name]["ratio"] < 1


def test_every_request_was_answered_from_the_recording(
    before_after: tuple[int, Any, str],
) -> None:
    _, run, _ = before_after
    for side in run["implementations"].values():
        for one in side["runs"]:
            assert one["ok"], one
            assert one["unmatched"] == 0
            assert one["escapes"] == []


def test_the_report_answers_every_claim(before_after: tuple[int, Any, str]) -> None:
    _, run, report = before_after
    assert len(run["claims"]) >= 10
    assert {claim["verdict"] for claim in run["claims"]} <= {
        "confirmed", "not confirmed", "refuted", "not measured"
    }  # fmt: skip
    for claim in run["claims"]:
        assert claim["measured"], claim
    page = cmarkgfm.github_flavored_markdown_to_html(report)
    assert "<table>" in page
    assert page.count("<table>") >= 3
    assert "|:--" not in page, "a table was not recognised"


def test_findings_go_from_many_to_none(before_after: tuple[int, Any, str]) -> None:
    _, run, report = before_after
    worst = {
        side: {finding["severity"] for finding in run["findings"][side]["findings"]}
        for side in ("original", "optimized")
    }
    assert "high" in worst["original"]
    assert not worst["optimized"] & {"critical", "high", "medium"}
    assert "PS211" in report


def test_a_bot_is_not_faster_than_itself(tmp_path: Path) -> None:
    _, run, _ = replay(
        tmp_path, BOT / "scenario.yaml",
        "--quick", "--until", "40", "--after", "original", "--no-scan",
    )  # fmt: skip
    assert run["verdict"] in ("no change found", "inconclusive")
    assert run["comparison"]["item_latency_ms.p95"]["verdict"] in ("no change", "unclear")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "pool_alerts"
    shutil.copytree(BOT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize(
    ("kind", "sends"),
    [
        ("missed", "0 if self._told() == 5 else 1"),
        ("duplicated", "2 if self._told() == 5 else 1"),
    ],
)
def test_one_alert_dropped_or_doubled_is_different_work(
    copy: Path, tmp_path: Path, kind: str, sends: str
) -> None:
    source = copy / "optimized" / "telegram.py"
    text = source.read_text("utf-8")
    assert "    async def send(" in text
    wrapper = (
        "    _number = 0\n\n"
        "    def _told(self) -> int:\n"
        "        Telegram._number += 1\n"
        "        return Telegram._number\n\n"
        "    async def send(self, *words, **named):\n"
        f"        for _ in range({sends}):\n"
        "            done = await self._send(*words, **named)\n"
        "        return locals().get('done')\n\n"
    )
    changed = text.replace("    async def send(", wrapper + "    async def _send(", 1)
    source.write_text(changed, "utf-8")
    status, run, error = replay(
        tmp_path, copy / "scenario.yaml", "--pairs", "1", "--until", "15", "--no-scan"
    )
    assert status == 4, error
    assert run["verdict"] == "replies differ"
    assert [difference["kind"] for difference in run["equivalence"]["differences"]] == [kind]
    title = (tmp_path / "report.md").read_text("utf-8").splitlines()
    headline = " ".join(title[:8])
    assert "faster" not in headline
