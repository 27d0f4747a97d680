from pathlib import Path

import pytest

from perfscan.analyzers.source import Parsed, Unreadable, decode, parse, read


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"x = 1\n", "x = 1\n"),
        ("# ä\n".encode(), "# ä\n"),
        (b"\xef\xbb\xbfx = 1", "x = 1"),
        (b"# -*- coding: latin-1 -*-\n# \xe4\n", "# -*- coding: latin-1 -*-\n# ä\n"),
        (b"", ""),
    ],
    ids=["ascii", "utf-8", "byte order mark", "cookie", "empty"],
)
def test_decodes_as_python_does(data: bytes, text: str) -> None:
    assert decode(data) == text


@pytest.mark.parametrize(
    ("data", "line", "word"),
    [
        (b"x = 1\ny = '\x00'\n", 2, "NUL"),
        (b"x = 1\n\n# \xe4\n", 3, "not valid utf-8"),
        (b"# coding: klingon\n", 1, "encoding"),
        (b"print 'two'\n", 1, "not valid Python 3"),
        (b"def f(:\n", 1, "not valid Python 3"),
        (b"(" * 300 + b")" * 300, 1, "not valid Python 3"),
    ],
    ids=["NUL", "bad bytes", "unknown cookie", "Python 2", "syntax", "brackets"],
)
def test_says_why_a_file_cannot_be_read(data: bytes, line: int, word: str) -> None:
    reason = parse(data)
    assert isinstance(reason, Unreadable)
    assert word in reason.message
    assert reason.line == line


def test_absurd_nesting_is_a_reason_and_not_a_crash() -> None:
    assert isinstance(parse(b"-" * 100_000 + b"1"), Unreadable)


@pytest.mark.parametrize(
    ("data", "lines"), [(b"", 0), (b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"a\r\nb\r\n", 2)]
)
def test_counts_lines(data: bytes, lines: int) -> None:
    parsed = parse(data)
    assert isinstance(parsed, Parsed)
    assert parsed.lines == lines


def test_notices_suppression_comments() -> None:
    silent, speaking = parse(b"x = 1"), parse(b"x = 1  # perfscan: ignore")
    assert isinstance(silent, Parsed)
    assert isinstance(speaking, Parsed)
    assert (silent.comments, speaking.comments) == (False, True)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    assert isinstance(read(tmp_path), Unreadable)
