from __future__ import annotations

import pytest

from perfscan.analyzers.model import Confidence, Finding, Severity, Span, UnusedIgnore
from perfscan.analyzers.suppress import Sifted, read_suppressions, sift

KNOWN = {"PS101", "PS102", "PS301"}


def finding(rule: str, line: int, end_line: int | None = None) -> Finding:
    return Finding(
        rule=rule,
        name="some-rule",
        severity=Severity.HIGH,
        confidence=Confidence.DEFINITE,
        path="bot.py",
        span=Span(line, 1, end_line or line, 9),
        symbol="bot",
        message="m",
        why="w",
        fix="f",
    )


def silenced(source: str, *findings: Finding) -> list[bool]:
    suppressions = read_suppressions("bot.py", source, KNOWN)
    return [any(ignore.silences(one) for ignore in suppressions.ignores) for one in findings]


def test_named_rules_on_the_line() -> None:
    source = "a()  # perfscan: ignore[PS101, ps102] the reason\nb()\n"
    asked = [finding("PS101", 1), finding("PS102", 1), finding("PS301", 1), finding("PS101", 2)]
    assert silenced(source, *asked) == [True, True, False, False]


@pytest.mark.parametrize("comment", ["# perfscan: ignore", "#perfscan:ignore see [docs]"])
def test_every_rule_on_the_line(comment: str) -> None:
    assert silenced(f"a()  {comment}\nb()\n", finding("PS301", 1), finding("PS301", 2)) == [
        True,
        False,
    ]


def test_a_comment_after_the_last_line_of_a_call_counts_one_in_its_middle_does_not() -> None:
    source = "a(\n  1,  # perfscan: ignore[PS102]\n)  # perfscan: ignore[PS101]\n"
    assert silenced(source, finding("PS101", 1, 3), finding("PS102", 1, 3)) == [True, False]


def test_whole_file_wherever_the_comment_stands() -> None:
    source = "a()\n# perfscan: ignore-file[PS101]\n# perfscan: ignore-file[PS102]\n"
    asked = [finding("PS101", 1), finding("PS102", 9), finding("PS301", 1)]
    assert silenced(source, *asked) == [True, True, False]
    assert silenced("# perfscan: ignore-file\n", finding("PS301", 7)) == [True]


@pytest.mark.parametrize(
    "source",
    [
        's = "# perfscan: ignore"\n',
        's = """\n# perfscan: ignore-file\n"""\n',
        "a()  # see perfscan: ignore\n",
        "a()  # noqa\n",
        "a()  # perfscan: ignored\n",
    ],
)
def test_near_misses_silence_nothing(source: str) -> None:
    assert silenced(source, *(finding("PS101", line) for line in (1, 2, 3))) == [False] * 3


@pytest.mark.parametrize(
    ("comment", "complaint"),
    [
        ("# perfscan: ignore[PS101, PS999]", "unknown rules: PS999"),
        ("# perfscan: ignore[PS101 for now", "not closed"),
        ("# perfscan: ignore[]", "names no rule"),
        ("# perfscan: ignroe[PS101]", "unknown comment"),
    ],
)
def test_mistakes_are_reported_where_they_stand(comment: str, complaint: str) -> None:
    (warning,) = read_suppressions("bot.py", f"x = 1\na()  {comment}\n", KNOWN).warnings
    assert (warning.path, warning.line, warning.named) == ("bot.py", 2, False)
    assert complaint in warning.message


def test_a_well_written_comment_gives_no_warning() -> None:
    source = "a()  # perfscan: ignore[PS101] runs once a day\n# perfscan: ignore-file[PS301]\n"
    assert read_suppressions("bot.py", source, KNOWN).warnings == ()


def test_a_source_that_cannot_be_tokenized_keeps_what_came_before() -> None:
    assert silenced('a()  # perfscan: ignore\n"""', finding("PS101", 1)) == [True]


def sifted(source: str, *findings: Finding, ran: set[str] = KNOWN) -> Sifted:
    return sift(findings, {"bot.py": read_suppressions("bot.py", source, KNOWN)}, ran)


def test_what_is_ignored_keeps_its_reason() -> None:
    source = "a()  # perfscan: ignore[PS101] runs once a day\n"
    found = sifted(source, finding("PS101", 1), finding("PS101", 2))
    assert [one.span.line for one in found.kept] == [2]
    assert [(one.finding.span.line, one.reason) for one in found.ignored] == [
        (1, "runs once a day")
    ]
    assert found.unused == ()


@pytest.mark.parametrize(
    ("comment", "idle"),
    [
        ("ignore[PS102]", ("PS102",)),
        ("ignore[PS101, PS102, PS301]", ("PS102", "PS301")),
        ("ignore-file[PS301]", ("PS301",)),
    ],
)
def test_a_comment_that_silences_nothing_is_named(comment: str, idle: tuple[str, ...]) -> None:
    found = sifted(f"a()  # perfscan: {comment}\n", finding("PS101", 1))
    assert found.unused == (UnusedIgnore("bot.py", 1, idle),)


def test_a_comment_for_every_rule_is_unused_only_when_nothing_was_found_there() -> None:
    source = "a()  # perfscan: ignore\nb()  # perfscan: ignore\n"
    assert sifted(source, finding("PS101", 1)).unused == (UnusedIgnore("bot.py", 2, ()),)


def test_of_rules_that_did_not_run_nothing_is_said() -> None:
    source = "a()  # perfscan: ignore[PS102]\n"
    assert sifted(source, finding("PS101", 1), ran={"PS101"}).unused == ()
