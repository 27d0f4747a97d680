"""Goldens are written anew with PERFSCAN_WRITE_GOLDENS=1; read the difference before keeping it."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from perfscan.replay.model import Ablation, Claim, ClaimResult, Difference, Result, SwitchEffect
from perfscan.replay.result import decode_result, encode_result
from perfscan.reports.run_markdown import BUDGET, render_markdown

GOLDENS = Path(__file__).resolve().parents[2] / "fixtures" / "reports"
EVIL = "a | b\n| c | `d` @you </td><script>alert(1)</script> ::error::x | $e$ \\"


def html(markdown: str) -> str:
    return str(cmarkgfm.github_flavored_markdown_to_html(markdown, Options.CMARK_OPT_UNSAFE))


def test_the_report_of_an_invented_run_is_the_golden_one(faster: Result) -> None:
    golden = GOLDENS / "pool_alerts.md"
    if os.environ.get("PERFSCAN_WRITE_GOLDENS"):
        golden.write_text(render_markdown(faster), "utf-8")

    assert render_markdown(faster) == golden.read_text("utf-8")


def test_a_saved_result_gives_the_same_bytes(faster: Result) -> None:
    assert render_markdown(decode_result(encode_result(faster))) == render_markdown(faster)


def test_every_table_is_a_table_on_github(faster: Result, unequal: Result, failed: Result) -> None:
    for result in (faster, unequal, failed):
        text = render_markdown(result)
        page = html(text)

        tables = len(re.findall(r"^\|.*\|\n\| [:-]", text, re.M))
        assert page.count("<table>") == tables >= 4
        assert not re.search(r"<p>[^<]*\|", page), "no row fell out of its table"
        assert page.count("<details>") == page.count("</details>")
        for table in re.findall(r"<table>.*?</table>", page, re.S):
            assert 2 <= table.split("</tr>")[0].count("<th ") <= 6


def test_text_of_others_breaks_nothing(faster: Result) -> None:
    comparison = replace(
        faster.comparison,
        claims=(ClaimResult(Claim(EVIL, EVIL), "not measured", EVIL),),
        equivalence=replace(
            faster.comparison.equivalence,
            differences=(Difference(EVIL, "original", "wrong", EVIL),),
        ),
    )
    evil = replace(
        faster,
        comparison=comparison,
        scenario={**faster.scenario, "title": EVIL, "simulated": EVIL, "name": "x --> <b>"},
        recording={**faster.recording, "path": EVIL},
        findings={
            "original": {
                "findings": [
                    {"rule": EVIL, "name": EVIL, "severity": "low", "path": EVIL, "line": 1}
                ]
            }
        },
    )
    page = html(render_markdown(evil))

    assert "<script" not in page
    assert "@you" not in re.sub(r"<code>.*?</code>", "", page)
    assert page.count("<table>") == html(render_markdown(faster)).count("<table>") + 1
    assert page.startswith("<!-- perfscan:report key=x--b schema=perfscan.report/1 -->")


def test_different_work_shows_no_speed_above_the_fold(unequal: Result) -> None:
    text = render_markdown(unequal)
    above = text.split("<details>")[0]

    assert "## perfscan: replies differ\n" in text
    assert "> [!CAUTION]" in above
    assert "item_latency" not in above
    assert "x less" not in above
    assert not re.search(r"\d (ms|s) \|", above)
    assert "### Work that was not the same" in above
    assert "### Results" not in text


def test_failed_runs_show_their_last_lines(failed: Result) -> None:
    text = render_markdown(failed)

    assert "> [!WARNING]" in text
    assert "````text\nTraceback ```\n  | boom\n::error::x\n````" in text
    assert "**BotCrashed**: 1 run failed, first optimized of pair 2" in text


def test_a_long_report_keeps_within_the_budget_and_says_what_is_missing(faster: Result) -> None:
    many = [
        {"rule": f"PS{n}", "name": "x" * 60, "severity": "low", "path": "p" * 80, "line": n}
        for n in range(1500)
    ]
    long = render_markdown(replace(faster, findings={"original": {"findings": many}}))

    assert len(long) <= BUDGET
    assert "### Results" in long
    assert "What the code scan says" not in long
    assert "Parts were left out" in long
    claims = [ClaimResult(Claim("t" * 400, "s"), "not measured", "m")] * 400
    endless = replace(faster, comparison=replace(faster.comparison, claims=tuple(claims)))
    assert len(render_markdown(endless)) <= BUDGET


def test_the_fullest_report_has_six_columns_and_keeps_within_the_budget(faster: Result) -> None:
    metric = faster.comparison.metrics[0]
    effects = [SwitchEffect(f"s{n}", "helps", "", metric, metric, (metric,) * 9) for n in range(20)]
    claims = [ClaimResult(Claim("t" * 150, "s"), "not measured", "m" * 100)] * 50
    differences = [Difference(f"k{n}", "original", "wrong", "d" * 200) for n in range(500)]
    comparison = replace(
        faster.comparison,
        claims=tuple(claims),
        equivalence=replace(faster.comparison.equivalence, differences=tuple(differences)),
    )
    ablation = Ablation(6, tuple(effects), ())
    text = render_markdown(replace(faster, comparison=comparison, ablation=ablation))
    rows = [line for line in text.splitlines() if line.startswith("|")]

    assert len(text) <= BUDGET
    assert "and 475 more in the result file" in text
    assert "What each optimisation brought" in text
    assert "50 not measured" in text
    assert max(line.count(" | ") for line in rows) == 5, "six columns at most"


@pytest.mark.parametrize(
    ("verdict", "alert"),
    [("faster", "NOTE"), ("slower", "WARNING"), ("inconclusive", "WARNING")],
)
def test_the_alert_fits_the_verdict(faster: Result, verdict: str, alert: str) -> None:
    comparison = replace(faster.comparison, verdict=verdict)  # type: ignore[arg-type]
    text = render_markdown(replace(faster, comparison=comparison))

    assert f"> [!{alert}]" in text
    assert ("confidence." in text.split("\n")[4]) is (verdict != "inconclusive")
