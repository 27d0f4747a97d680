import os
import socket
from pathlib import Path

import pytest

from perfscan.analyzers.source import LARGEST, Parsed, Unreadable, decode, parse, read


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
        (b"# coding: rot13\n", 1, "encoding"),
        (b"# coding: undefined\n", 1, "not valid undefined"),
        (b"\xff\xfex\0=\0", 1, "NUL"),
        (b"print 'two'\n", 1, "not valid Python 3"),
        (b"def f(:\n", 1, "not valid Python 3"),
        (b"(" * 300 + b")" * 300, 1, "not valid Python 3"),
    ],
    ids=[
        "NUL",
        "bad bytes",
        "unknown cookie",
        "no text",
        "no codec",
        "UTF-16",
        "Python 2",
        "syntax",
        "brackets",
    ],
)
def test_says_why_a_file_cannot_be_read(data: bytes, line: int, word: str) -> None:
    reason = parse(data)
    assert isinstance(reason, Unreadable)
    assert word in reason.message
    assert reason.line == line


def test_absurd_nesting_is_a_reason_and_not_a_crash() -> None:
    assert isinstance(parse(b"-" * 100_000 + b"1"), Unreadable)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", 0),
        (b"a", 1),
        (b"a\n", 1),
        (b"a\nb", 2),
        (b"a\r\nb\r\n", 2),
        (b"a\rb", 2),
        (b"a\rb\r", 2),
    ],
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


def test_odd_escapes_and_encodings_warn_nobody() -> None:
    assert isinstance(parse(rb"x = '\d'"), Parsed)
    assert isinstance(parse(b"# coding: unicode_escape\nx = '\\d'"), Parsed)


def reason(path: Path) -> str:
    data = read(path)
    assert isinstance(data, Unreadable)
    return data.message


def test_only_files_are_read_and_nothing_waits(tmp_path: Path) -> None:
    assert "a folder" in reason(tmp_path)
    pipe = tmp_path / "pipe.py"
    os.mkfifo(pipe)
    assert "a pipe" in reason(pipe)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.py"))
        assert "socket" in reason(tmp_path / "s.py")
    assert "device" in reason(Path("/dev/zero"))


def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "loop.py").symlink_to(tmp_path / "loop.py")
    for path in (tmp_path / "gone.py", tmp_path / "loop.py", tmp_path / ("x" * 300), Path("a\0b")):
        assert reason(path).startswith("cannot be read: ")
        assert "\n" not in reason(path)


def test_a_huge_file_is_data(tmp_path: Path) -> None:
    huge = tmp_path / "huge.py"
    with huge.open("wb") as stream:
        stream.truncate(LARGEST)
    assert len(read(huge)) == LARGEST
    with huge.open("ab") as stream:
        stream.write(b"#")
    assert "larger than 5 MB" in reason(huge)
