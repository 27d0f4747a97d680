from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from perfscan.replay.model import Claim, ClaimResult, Difference, Doubt, Result
from perfscan.reports.run_terminal import WIDTH, render_terminal
from perfscan.reports.run_words import title, verdict_sentences

GOLDEN = Path(__file__).resolve().parents[2] / "fixtures" / "reports" / "pool_alerts.txt"


def test_the_summary_of_an_invented_run_is_the_golden_one(faster: Result) -> None:
    if os.environ.get("PERFSCAN_WRITE_GOLDENS"):
        GOLDEN.write_text(render_terminal(faster) + "\n", "utf-8")

    assert render_terminal(faster) + "\n" == GOLDEN.read_text("utf-8")


def test_no_line_is_wider_than_a_terminal(faster: Result, unequal: Result, failed: Result) -> None:
    for result in (faster, unequal, failed):
        assert max(len(line) for line in render_terminal(result).splitlines()) <= WIDTH


def test_the_words_are_those_of_the_markdown_report(faster: Result, unequal: Result) -> None:
    for result in (faster, unequal):
        flat = " ".join(render_terminal(result).split())

        assert title(result) in flat
        for sentence in verdict_sentences(result):
            assert " ".join(sentence.split()) in flat


def test_no_speed_is_told_of_different_work(unequal: Result) -> None:
    text = render_terminal(unequal)

    assert "after/before" not in text
    assert "Claims:" not in text
    assert "missed by optimized (6 runs): no effect" in text


def test_no_line_begins_with_text_of_others(faster: Result) -> None:
    evil = "::error::x\n::error::y \x1b[31m"
    comparison = replace(
        faster.comparison,
        claims=(ClaimResult(Claim(evil, evil), "not measured", evil),),
        doubts=(Doubt("Code", evil, evil),),
        equivalence=replace(
            faster.comparison.equivalence,
            differences=(Difference(evil, "original", "wrong", evil),) * 20,
        ),
    )
    named = {**faster.scenario, "title": f"long {evil}"}
    text = render_terminal(replace(faster, comparison=comparison, scenario=named))

    assert not [line for line in text.splitlines() if line.startswith("::")]
    assert "\x1b" not in text
    assert "and 12 more" in text
