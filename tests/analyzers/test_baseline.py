from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from perfscan.analyzers.baseline import baseline_text, read_baseline, stale_entries
from perfscan.analyzers.engine import analyze
from perfscan.analyzers.model import Confidence, Finding, Severity, Span
from perfscan.errors import InputError

FINDING = Finding(
    rule="PS102",
    name="blocking-sleep",
    severity=Severity.CRITICAL,
    confidence=Confidence.DEFINITE,
    path="bot/main.py",
    span=Span(4, 1, 4, 9),
    symbol="bot.main:tick",
    message='sleeps, "quoted"',
    why="w",
    fix="f",
    fingerprint="aa",
)
OTHER = replace(FINDING, path="bot/feed.py", fingerprint="bb")
ALL = {"PS102"}


def kept(folder: Path, *findings: Finding) -> Path:
    file = folder / "baseline.json"
    file.write_text(baseline_text(findings), "utf-8")
    return file


def test_a_baseline_comes_back_as_it_was_written(tmp_path: Path) -> None:
    entries = read_baseline(kept(tmp_path, FINDING, OTHER))
    assert [(e.path, e.fingerprint) for e in entries] == [
        ("bot/feed.py", "bb"),
        ("bot/main.py", "aa"),
    ]
    assert entries[1].message == FINDING.message
    assert read_baseline(kept(tmp_path)) == ()


def test_the_order_of_the_findings_does_not_show() -> None:
    assert baseline_text([FINDING, OTHER]) == baseline_text([OTHER, FINDING])


def test_an_entry_without_its_finding_is_stale(tmp_path: Path) -> None:
    entries = read_baseline(kept(tmp_path, FINDING, OTHER))
    fresh = replace(FINDING, fingerprint="cc")
    found = stale_entries([FINDING, fresh], entries, ran=ALL, scanned=["."])
    assert [entry.fingerprint for entry in found] == ["bb"]
    assert stale_entries([], entries, ran=ALL, scanned=["bot/main.py"]) == (entries[1],)


@pytest.mark.parametrize(
    ("ran", "scanned"), [({"PS101"}, ["."]), (ALL, ["bot/main.py"]), (ALL, ["bo"]), (ALL, [])]
)
def test_what_was_not_looked_for_is_not_stale(
    ran: set[str], scanned: list[str], tmp_path: Path
) -> None:
    entries = read_baseline(kept(tmp_path, OTHER))
    assert stale_entries([], entries, ran=ran, scanned=scanned) == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a perfscan.baseline/1 file"),
        ('{"schema": "perfscan.findings/1", "findings": []}', "is not a perfscan.baseline/1"),
        ('{"schema": "perfscan.baseline/1"}', "no list"),
        ('{"schema": "perfscan.baseline/1", "findings": [{"rule": "PS1"}]}', "needs fingerprint"),
    ],
)
def test_something_else_is_refused(text: str, what: str, tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError, match=what):
        read_baseline(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_baseline(tmp_path / "absent.json")


def test_it_survives_lines_that_move(tmp_path: Path) -> None:
    source = tmp_path / "bot.py"
    body = "import time\nasync def tick():\n    time.sleep(1)\n"
    source.write_text(body, "utf-8")
    entries = read_baseline(kept(tmp_path, *analyze([source], root=tmp_path).findings))
    source.write_text(f"# a\n# b\nX = 1\n{body.replace('(1)', '(1)  # short')}", "utf-8")
    moved = analyze([source], root=tmp_path).findings
    assert [finding.span.line for finding in moved] == [6]
    # The comment is part of the line, so the finding counts as rewritten; without it, as the same.
    assert len(stale_entries(moved, entries, ran=ALL, scanned=["."])) == 1
    source.write_text(f"# a\n# b\nX = 1\n{body}", "utf-8")
    moved = analyze([source], root=tmp_path).findings
    assert [one.fingerprint for one in moved] == [entry.fingerprint for entry in entries]
    assert stale_entries(moved, entries, ran=ALL, scanned=["."]) == ()
