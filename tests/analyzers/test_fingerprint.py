from __future__ import annotations

from perfscan.analyzers.fingerprint import with_fingerprints
from perfscan.analyzers.model import Confidence, Finding, Severity, Span

SOURCE = ("def f():", "    get(a)", "    get(a)", "    get(b)")


def finding(line: int, rule: str = "PS101", symbol: str = "bot:f", path: str = "bot.py") -> Finding:
    return Finding(
        rule=rule,
        name="some-rule",
        severity=Severity.HIGH,
        confidence=Confidence.DEFINITE,
        path=path,
        span=Span(line, 5, line, 11),
        symbol=symbol,
        message="m",
        why="w",
        fix="f",
    )


def prints(source: tuple[str, ...], *findings: Finding) -> list[str]:
    named = with_fingerprints((one, "".join(source[one.span.line - 1 :][:1])) for one in findings)
    return [one.fingerprint for one in named]


def test_fifty_blank_lines_on_top_change_nothing() -> None:
    before = prints(SOURCE, finding(2), finding(3), finding(4))
    after = prints(("",) * 50 + SOURCE, finding(52), finding(53), finding(54))
    assert before == after


def test_equal_lines_differ() -> None:
    assert len(set(prints(SOURCE, finding(2), finding(3)))) == 2


def test_indentation_does_not_count_the_text_does() -> None:
    deeper = ("", "          get(a)", "get(a)", "    get(c)")
    before = prints(SOURCE, finding(2), finding(4))
    after = prints(deeper, finding(2), finding(4))
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_rule_symbol_and_path_each_tell_findings_apart() -> None:
    others = [finding(2, rule="PS301"), finding(2, symbol="bot:g"), finding(2, path="other.py")]
    assert len(set(prints(SOURCE, finding(2), *others))) == 4


def test_a_source_shorter_than_the_finding_is_survived() -> None:
    assert len(prints((), finding(2))[0]) == 16
