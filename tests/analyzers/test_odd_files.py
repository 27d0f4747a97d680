"""Scans of what may lie in a folder besides programs: no crash, no wait, one clear line each."""

from __future__ import annotations

import ast
import os
import random
import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from perfscan.analyzers.engine import analyze

BOT = b"import time\nasync def run():\n    time.sleep(1)\n"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder with one file of each kind, among them BOT in several disguises."""
    good = {
        b"bot.py": BOT,
        b"new\nline.py": BOT,
        b"\xff.py": BOT,
        b"bom.py": b"\xef\xbb\xbf" + BOT,
        b"cr.py": BOT.replace(b"\n", b"\r"),
        b"crlf.py": BOT.replace(b"\n", b"\r\n"),
        b"form_feed.py": BOT.replace(b"    time", b"\x0c    time"),
        b"cookie.py": b"# coding: latin-1\n# \xe4\n" + BOT,
        b"wide.py": BOT + b"async def wide(): [" + b" " * 70_000 + b"time.sleep(2)]",
        b"surrogate.py": BOT + b"open('\\ud800')\n",
    }
    bad = {
        b"nul.py": BOT + b"\0",
        b"cut.py": BOT[:-1] + b"(",
        b"bytes.py": BOT + b"# \xe4",
        b"deep.py": b"x = " + b"lambda: " * 2_000 + b"1",
        b"deeper.py": b"x = " + b"-" * 100_000 + b"1",
        b"huge.py": b"#" * 5_000_001,
    }
    for name, data in (good | bad).items():
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(data)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "self.py").symlink_to("self.py")
    os.mkfifo(tmp_path / "pipe.py")
    return tmp_path


def test_a_folder_of_oddities(odd: Path) -> None:
    scan = analyze([odd], root=odd, select=["PS102"])
    assert sorted(finding.path for finding in scan.findings) == [
        *("\\udcff.py", "bom.py", "bot.py", "cookie.py", "cr.py", "crlf.py", "form_feed.py"),
        *("new\\nline.py", "surrogate.py", "wide.py", "wide.py"),
    ]
    assert [error.path for error in scan.errors] == [
        *("bytes.py", "cut.py", "deep.py", "deeper.py", "huge.py", "nul.py")
    ]
    assert all(error.message.isprintable() for error in scan.errors)


def test_what_is_named_is_not_waited_for(odd: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(odd / "s"))
        named = [odd / "pipe.py", odd / "s", Path("/dev/zero")]
        scan = analyze(named, root=odd, select=["PS102"])
    assert [error.named for error in scan.errors] == [True, True, True]
    assert {error.message for error in scan.errors} == {
        "is a pipe, socket or device and not a file"
    }


def test_nothing_of_the_scanned_code_is_imported_or_run(tmp_path: Path) -> None:
    write = f"open({str(tmp_path / 'ran')!r}, 'w')"
    for name in ("bot", "conftest", "sitecustomize", "setup", "json"):
        (tmp_path / f"{name}.py").write_text(
            f"{write}\nimport bot, json\nclass A(metaclass={write}): x: {write} = {write}\n"
        )
    analyze([tmp_path], root=tmp_path)
    assert not (tmp_path / "ran").exists()
    places = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    assert not [name for name, file in places.items() if str(tmp_path) in str(file)]


def test_rules_bear_code_that_makes_little_sense(tmp_path: Path) -> None:
    chance = random.Random(7)
    for number, fixture in enumerate(sorted((ROOT / "fixtures/rules").rglob("*.py"))):
        lines = fixture.read_text("utf-8").split("\n")
        for _ in range(min(20, len(lines) // 3)):
            changed = list(lines)
            one, other = (chance.randrange(len(lines)) for _ in "ab")
            changed[one], changed[other] = changed[other], changed[one]
            del changed[chance.randrange(len(lines))]
            with suppress(SyntaxError):
                ast.parse("\n".join(changed))
                lines = changed
        (tmp_path / f"m{number}.py").write_text("\n".join(lines), "utf-8")
    scan = analyze([tmp_path], root=tmp_path, possible=True)
    assert scan.findings
    assert not scan.errors
