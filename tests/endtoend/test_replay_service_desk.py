"""The whole loop on the bundled service desk: what must come out of its replay."""

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
BOT = Path(__file__).resolve().parents[2] / "fixtures" / "bots" / "service_desk"


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
    folder = tmp_path_factory.mktemp("service_desk")
    words = ("--pairs", "2", "--lanes", "2", "--until", "80")
    status, run, _ = replay(folder, BOT / "scenario.yaml", *words)
    return status, run, (folder / "report.md").read_text("utf-8")


def test_every_update_has_the_same_reply_once(before_after: tuple[int, Any, str]) -> None:
    status, run, _ = before_after
    work = run["equivalence"]
    assert status == 3  # two pairs are too few for a verdict on speed
    assert work["same"] is True, work["differences"]
    assert work["items"] >= 150
    whole = {"handled": 2 * work["items"], "missed": 0, "duplicated": 0, "wrong": 0}
    assert work["original"] == whole
    assert work["optimized"] == whole


def test_replies_come_sooner_by_far(before_after: tuple[int, Any, str]) -> None:
    _, run, _ = before_after
    for metric in ("item_latency_ms.p50", "item_latency_ms.p95"):
        assert run["comparison"][metric]["ratio"] <= 1 / 2, run["comparison"][metric]


@pytest.mark.parametrize(
    ("count", "at_most"),
    [
        ("desk_requests", 1 / 2),
        ("catalogue_requests", 1 / 10),
        ("user_requests", 1 / 5),
        ("connections_opened", 1 / 5),
        ("wire_bytes_in", 1 / 2),
    ],
)
def test_counts_show_how(before_after: tuple[int, Any, str], count: str, at_most: float) -> None:
    compared = before_after[1]["comparison"][count]
    assert compared["ratio"] <= at_most, compared


def test_what_the_bot_says_of_its_cache_fits_what_was_asked(
    before_after: tuple[int, Any, str],
) -> None:
    _, run, _ = before_after
    for one in run["implementations"]["optimized"]["runs"]:
        metrics = one["metrics"]
        assert 0.6 < metrics["hit_rate"] <= 1
        assert metrics["api_calls"] == metrics["desk_requests"]


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
    assert len(run["claims"]) >= 15
    assert {claim["verdict"] for claim in run["claims"]} <= {
        "confirmed", "not confirmed", "refuted", "not measured"
    }  # fmt: skip
    for claim in run["claims"]:
        assert claim["measured"], claim
        assert "no finished pair holds" not in claim["measured"], claim
    page = cmarkgfm.github_flavored_markdown_to_html(report)
    assert page.count("<table>") >= 3


def test_findings_go_from_many_to_none(before_after: tuple[int, Any, str]) -> None:
    _, run, report = before_after
    worst = {
        side: {finding["severity"] for finding in run["findings"][side]["findings"]}
        for side in ("original", "optimized")
    }
    assert "high" in worst["original"]
    assert not worst["optimized"] & {"critical", "high", "medium"}
    assert "PS301" in report


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "service_desk"
    shutil.copytree(BOT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_a_reply_in_other_words_is_different_work(copy: Path, tmp_path: Path) -> None:
    source = copy / "optimized" / "general.py"
    text = source.read_text("utf-8")
    assert text.count("this is the service desk") == 1
    source.write_text(text.replace("this is the service desk", "this is our desk"), "utf-8")
    status, run, error = replay(
        tmp_path, copy / "scenario.yaml", "--pairs", "1", "--until", "8", "--no-scan"
    )
    assert status == 4, error
    assert run["verdict"] == "replies differ"
    assert {difference["kind"] for difference in run["equivalence"]["differences"]} == {"wrong"}
    headline = " ".join((tmp_path / "report.md").read_text("utf-8").splitlines()[:8])
    assert "faster" not in headline
