from __future__ import annotations

import json

from perfscan.analyzers.model import (
    Analysis,
    Confidence,
    FileError,
    Finding,
    Ignored,
    Severity,
    Span,
    TraceStep,
    UnusedIgnore,
)
from perfscan.reports.findings_json import render

FINDING = Finding(
    rule="PS101",
    name="blocking-network-call",
    severity=Severity.CRITICAL,
    confidence=Confidence.DEFINITE,
    path="bot/price.py",
    span=Span(4, 13, 4, 25),
    symbol="bot.price:on_price",
    message="`requests.get` blocks \x1b the event loop",
    why="why",
    fix="fix",
    trace=(TraceStep("bot/main.py", 12, "bot.main:on_update"),),
    fingerprint="0123456789abcdef",
)
ANALYSIS = Analysis(
    root="/bot",
    files=2,
    lines=30,
    findings=(FINDING,),
    errors=(FileError("bot/old.py", None, "is not UTF-8", named=True),),
    ignored=(Ignored(FINDING, "runs once a day"),),
    withheld={"old": 2},
    unused_ignores=(UnusedIgnore("bot/main.py", 8, ("PS102",)),),
)


def test_the_document_by_the_contract() -> None:
    assert json.loads(render(ANALYSIS, version="0.1.0", seconds=0.12345)) == {
        "schema": "perfscan.findings/1",
        "version": "0.1.0",
        "root": "/bot",
        "summary": {
            "files": 2,
            "lines": 30,
            "findings": 1,
            "by_rule": {"PS101": 1},
            "by_severity": {"critical": 1, "high": 0, "medium": 0, "low": 0, "info": 0},
            "suppressed": 1,
            "withheld": {"old": 2},
            "seconds": 0.123,
            "cached_files": 0,
            "errors": 1,
        },
        "findings": [
            {
                "rule": "PS101",
                "name": "blocking-network-call",
                "severity": "critical",
                "confidence": "definite",
                "path": "bot/price.py",
                "line": 4,
                "column": 13,
                "end_line": 4,
                "end_column": 25,
                "symbol": "bot.price:on_price",
                "message": "`requests.get` blocks \x1b the event loop",
                "why": "why",
                "fix": "fix",
                "fixable": "no",
                "trace": [{"path": "bot/main.py", "line": 12, "symbol": "bot.main:on_update"}],
                "estimate": None,
                "measured": None,
                "fingerprint": "0123456789abcdef",
            }
        ],
        "ignored": [
            {
                "rule": "PS101",
                "path": "bot/price.py",
                "line": 4,
                "fingerprint": "0123456789abcdef",
                "reason": "runs once a day",
            }
        ],
        "unused_ignores": [{"path": "bot/main.py", "line": 8, "rules": ["PS102"]}],
        "errors": [{"path": "bot/old.py", "line": None, "message": "is not UTF-8"}],
    }


def test_a_terminal_that_shows_the_json_obeys_nothing_in_it() -> None:
    text = render(ANALYSIS, version="0.1.0", seconds=0.0)
    assert text.isascii()
    assert "\x1b" not in text


def test_only_the_seconds_differ_between_runs() -> None:
    first, second = (render(ANALYSIS, version="0.1.0", seconds=s) for s in (0.1, 7.5))
    assert first != second
    assert first.replace('"seconds": 0.1,', '"seconds": 7.5,') == second


def test_a_clean_scan_has_empty_lists() -> None:
    clean = json.loads(render(Analysis("/bot", 0, 0, ()), version="0.1.0", seconds=0.0))
    assert (clean["findings"], clean["errors"]) == ([], [])
