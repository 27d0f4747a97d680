from __future__ import annotations

from dataclasses import replace

import cmarkgfm

from perfscan.analyzers.model import Analysis
from perfscan.reports.findings_markdown import BUDGET, MOST_PLACES, render


def test_texts_of_others_stay_texts(scan: Analysis) -> None:
    report = render(scan)
    html = cmarkgfm.github_flavored_markdown_to_html(report)
    assert "<b>" not in html
    assert "<a " not in html
    assert "fetch() blocks [the loop](http" in html.replace("\u200b", "")
    assert html.count("<table>") == 1
    assert report.startswith("## perfscan: 3 findings (1 critical, 1 medium, 1 low)\n")
    assert "Not listed: 2 accepted by the baseline." in report
    assert "`bot/old.py` was not scanned" in report


def test_the_path_to_the_call_is_told(scan: Analysis) -> None:
    assert "Reached by `on_price` (`bot/price, ü.py:2`) → `fetch` (`bot/api.py:9`)" in render(scan)


def test_it_fits_into_a_comment_and_counts_what_it_left_out(scan: Analysis) -> None:
    some = [
        replace(scan.findings[1], rule=f"PS{1000 + number}", message="x" * 900)
        for number in range(100)
    ]
    report = render(replace(scan, findings=tuple(some)))
    assert BUDGET * 0.9 < len(report) <= BUDGET
    told = report.count("\n### PS")
    assert f"_{100 - told} findings left out here" in report


def test_many_places_of_one_rule_are_counted(scan: Analysis) -> None:
    many = replace(scan, findings=tuple([scan.findings[1]] * (MOST_PLACES + 5)))
    assert "- and 5 more\n" in render(many)


def test_a_clean_scan(clean: Analysis) -> None:
    assert render(clean) == "## perfscan: no findings\n\n1 file, 1 line scanned.\n"
