from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from perfscan.analyzers.model import (
    Analysis,
    Confidence,
    FileError,
    Finding,
    Ignored,
    Severity,
    Span,
    TraceStep,
)
from perfscan.reports.findings_text import Detail, Style, render

GOLDENS = Path(__file__).parents[2] / "fixtures" / "reports"


PRICE = (
    "import requests",
    "",
    "async def on_price(update, context):",
    '    reply = requests.get(f"{API}/price/{symbol}", timeout=10)',
    "\treply = requests.post(URL, json={'text': text, 'chat_id': chat, 'parse_mode': 'HTML'})",
    '    name = "価格"; reply = requests.get(name)',
)
HOSTILE = ('x = "\x1b[31mred\x07 \u202elatot\u202c"; time.sleep(2)',)


def finding(
    rule: str = "PS101",
    severity: Severity = Severity.CRITICAL,
    span: Span | None = None,
    path: str = "bot/price.py",
    trace: tuple[TraceStep, ...] = (),
    message: str = "`requests.get` blocks the event loop",
) -> Finding:
    names = {
        "PS101": "blocking-network-call",
        "PS102": "blocking-sleep",
        "PS301": "client-per-call",
    }
    return Finding(
        rule=rule,
        name=names[rule],
        severity=severity,
        confidence=Confidence.DEFINITE,
        path=path,
        span=span or Span(4, 13, 4, 25),
        symbol="bot.price:on_price",
        message=message,
        why="While the call waits for the network, no other coroutine of the bot can run.",
        fix="share one aiohttp.ClientSession and await it, or wrap it in asyncio.to_thread",
        trace=trace,
        fingerprint="0123456789abcdef",
    )


def analysis() -> Analysis:
    trace = (TraceStep("bot/main.py", 12, "bot.main:on_update"),)
    findings = (
        finding(rule="PS102", path="bot/odd.py", span=Span(1, 25, 1, 38), severity=Severity.HIGH),
        finding(trace=trace),
        finding(span=Span(5, 10, 5, 88)),
        finding(span=Span(6, 26, 6, 44)),
        finding(span=Span(6, 13, 6, 15), message="another"),
        finding(rule="PS301", severity=Severity.INFO, path="tests/test_bot.py"),
    )
    return Analysis(
        root="/srv/bot",
        files=58,
        lines=12345,
        findings=findings,
        errors=(FileError("bot/old.py", 3, "Missing parentheses in call to 'print'", named=False),),
        ignored=(Ignored(finding(), "short"), Ignored(finding(), "")),
        sources={"bot/price.py": PRICE, "bot/odd.py": HOSTILE},
    )


CLEAN = Analysis(root="/bot", files=1, lines=1, findings=())


@pytest.mark.parametrize("detail", list(Detail))
def test_golden(detail: Detail) -> None:
    golden = GOLDENS / f"findings_{detail.name.lower()}.txt"
    assert render(analysis(), seconds=0.38, detail=detail) == golden.read_text("utf-8")


@pytest.mark.parametrize("detail", list(Detail))
def test_hostile_source_is_inert_and_no_row_is_wider_than_the_terminal(detail: Detail) -> None:
    report = render(analysis(), seconds=0.38, detail=detail)
    assert not set("\x1b\x07\u202e\u202c\t") & set(report)
    if detail is not Detail.CONCISE:  # one finding, one line
        assert all(len(line) <= 80 for line in report.splitlines())


def test_hostile_names_and_messages_are_inert_too() -> None:
    hostile = finding(path="bot/\x1b]0;x\x07.py", message="\x1b[2J`a`")
    report = render(replace(CLEAN, findings=(hostile,)), seconds=0, detail=Detail.VERBOSE)
    assert "\x1b" not in report
    assert r"bot/\x1b]0;x\x07.py" in report
    assert r"\x1b[2J`a`" in report


def test_colour_only_where_it_is_asked_for_and_never_alone() -> None:
    plain = render(analysis(), seconds=0.38)
    coloured = render(analysis(), seconds=0.38, style=Style(colour=True))
    assert "\x1b[1;31m" in coloured
    without = coloured
    for code in ("1;31", "31", "33", "36", "2", "1", "0"):
        without = without.replace(f"\x1b[{code}m", "")
    assert without == plain


def test_ascii_terminals_get_ascii_from_us() -> None:
    report = render(analysis(), seconds=0.38, style=Style(unicode=False))
    assert [char for char in report if not char.isascii()] == list("価格")


def test_a_clean_scan_says_so_unless_only_findings_are_wanted() -> None:
    assert render(CLEAN, seconds=0.1) == "No findings in 1 file (1 line), 0.10 s.\n"
    assert render(CLEAN, seconds=0.1, detail=Detail.CONCISE) == ""


def test_the_worst_rule_comes_first_and_informational_ones_are_counted() -> None:
    report = render(analysis(), seconds=0.38)
    assert report.index("PS101 ") < report.index("PS102 ")
    assert "tests/test_bot.py" not in report
    assert "tests/test_bot.py" in render(analysis(), seconds=0.38, detail=Detail.ALL)


def test_hidden_possible_findings_are_announced() -> None:
    hiding = replace(CLEAN, withheld={"possible": 3, "baseline": 2})
    report = render(hiding, seconds=0)
    assert "3 possible hidden (show: --show-possible); 2 in the baseline." in report


def test_a_finding_without_source_still_shows_its_place() -> None:
    lonely = finding(path="gone.py", severity=Severity.LOW)
    report = render(replace(CLEAN, findings=(lonely,)), seconds=0)
    assert " --> gone.py:4:13  low" in report


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_carets_stand_below_the_call(width: int) -> None:
    source = " " * 100 + "value = requests.get(url)"
    call = finding(span=Span(1, 109, 1, 126))
    report = render(
        replace(CLEAN, findings=(call,), sources={"bot/price.py": (source,)}),
        seconds=0,
        style=Style(width=width),
    )
    line, carets = (row for row in report.splitlines() if row[1:4] == " | ")
    assert line[carets.index("^") :].startswith("requests.get(")
