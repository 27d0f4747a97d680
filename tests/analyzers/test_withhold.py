from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from perfscan.analyzers.model import Analysis, Confidence, Finding, Severity, Span
from perfscan.analyzers.withhold import without_ignored_paths, without_known, without_possible

FINDING = Finding(
    rule="PS101",
    name="blocking-network-call",
    severity=Severity.CRITICAL,
    confidence=Confidence.DEFINITE,
    path="bots/one/main.py",
    span=Span(1, 1, 1, 2),
    symbol="s",
    message="m",
    why="w",
    fix="f",
    fingerprint="aa",
)
GUESS = replace(FINDING, confidence=Confidence.POSSIBLE, fingerprint="bb")
TEST = replace(FINDING, path="bots/one/tests/test_main.py", rule="PS107", fingerprint="cc")
SCAN = Analysis(root="/srv", files=2, lines=2, findings=(FINDING, GUESS, TEST))


def test_what_is_withheld_is_counted_by_reason() -> None:
    left = without_known(without_possible(SCAN), "baseline", {"aa", "bb"})
    assert left.findings == (TEST,)
    assert left.withheld == {"possible": 1, "baseline": 1}
    assert SCAN.withheld == {}


def test_paths_count_from_the_folder_of_the_configuration() -> None:
    ignores = (("one/tests/**", frozenset({"PS107"})), ("one", frozenset({"PS999"})))
    left = without_ignored_paths(SCAN, ignores, Path("/srv/bots"))
    assert left.findings == (FINDING, GUESS)
    assert left.withheld == {"path": 1}
    assert without_ignored_paths(SCAN, ignores, Path("/elsewhere")) == SCAN
    assert without_ignored_paths(SCAN, ignores, Path("/srv")) == SCAN


def test_a_folder_stands_for_what_lies_in_it() -> None:
    left = without_ignored_paths(SCAN, (("tests", frozenset({"PS107"})),), Path("/srv"))
    assert left.findings == (FINDING, GUESS)
