from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from perfscan.analyzers.discover import discover
from perfscan.analyzers.texts import decode_text, is_text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("schema.sql", True),
        ("full.sql.postgres", True),
        ("bot.sqlite", False),
        ("requirements.txt", True),
        ("requirements-dev.txt", True),
        ("test_requirements.in", True),
        ("constraints.txt", True),
        ("requirements/base.txt", True),
        ("pyproject.toml", True),
        ("setup.cfg", True),
        ("notes.txt", False),
        ("requirements.py", False),
        ("other.toml", False),
        ("docs/base.txt", False),
    ],
)
def test_known_by_name(path: str, expected: bool) -> None:
    assert is_text(PurePath(path)) == expected


def test_found_beside_the_sources(tmp_path: Path) -> None:
    for name in ("bot.py", "requirements.txt", "db/schema.sql", "venv/requirements.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    found = discover([Path()], tmp_path)
    assert [source.path for source in found.files] == ["bot.py"]
    assert [source.path for source in found.texts] == ["db/schema.sql", "requirements.txt"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_decoded_whatever_the_shell_wrote(encoding: str) -> None:
    assert decode_text("aiohttp\r\nüber".encode(encoding)) == "aiohttp\nüber"


def test_dumps_are_not_read() -> None:
    assert decode_text(b"x" * 1_000_001) == ""
