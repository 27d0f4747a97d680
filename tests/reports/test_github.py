from __future__ import annotations

from dataclasses import replace

from perfscan.analyzers.model import Analysis, Severity
from perfscan.reports.github import LIMIT, render


def test_one_command_a_line_whatever_the_texts_hold(scan: Analysis) -> None:
    lines = render(scan, prefix="bots/").splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::warning", "::notice"]
    assert "file=bots/bot/price%2C ü.py,line=2,endLine=2," in lines[0]
    assert "blocks [the loop](http://x)%0A::error::50 %25 |" in lines[0]


def test_columns_only_within_one_line(scan: Analysis) -> None:
    one, several, _ = render(scan).splitlines()
    assert ",col=5,endColumn=12::" in one
    assert "col=" not in several
    assert "line=3,endLine=5," in several


def test_the_worst_come_first_and_the_rest_is_counted(scan: Analysis) -> None:
    critical = scan.findings[1]
    high = replace(critical, severity=Severity.HIGH)
    many = replace(scan, findings=(*[high] * 20, critical))
    lines = render(many).splitlines()
    assert len(lines) == LIMIT
    assert lines[-1].startswith("::error title=perfscan%3A 12 more::")
    full = render(replace(scan, findings=tuple([high] * LIMIT))).splitlines()
    assert (len(full), "more" in full[-1]) == (LIMIT, False)


def test_a_clean_scan_says_nothing(clean: Analysis) -> None:
    assert render(clean) == ""
