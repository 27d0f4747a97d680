"""Private copies of a bot's folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay import workspace


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    folder = tmp_path / "bot"
    (folder / "package").mkdir(parents=True)
    (folder / "bot.py").write_text("import package\n")
    (folder / "package" / "__init__.py").write_text("VALUE = 1\n")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("")
    return folder


def test_a_run_starts_from_what_the_user_wrote(bot: Path, tmp_path: Path) -> None:
    prepared = workspace.prepare(bot, tmp_path / "prepared")
    first = workspace.fresh_copy(prepared, tmp_path / "first")
    (first / "bot.log").write_text("left behind")
    second = workspace.fresh_copy(prepared, tmp_path / "second")
    assert sorted(entry.name for entry in second.iterdir()) == ["__pycache__", "bot.py", "package"]
    assert not (bot / "bot.log").exists()


def test_sockets_and_pipes_stay_behind(bot: Path, tmp_path: Path) -> None:
    os.mkfifo(bot / "control")
    (bot / "gone").symlink_to("nowhere")
    prepared = workspace.prepare(bot, tmp_path / "prepared")
    assert not (prepared / "control").exists()
    assert (prepared / "gone").is_symlink()


def test_bytecode_stays_valid_in_the_copy(bot: Path, tmp_path: Path) -> None:
    prepared = workspace.prepare(bot, tmp_path / "prepared")
    copy = workspace.fresh_copy(prepared, tmp_path / "copy")
    assert list((copy / "__pycache__").glob("bot.*.pyc"))
    assert (copy / "bot.py").stat().st_mtime_ns == (bot / "bot.py").stat().st_mtime_ns


def test_a_huge_folder_is_refused(
    bot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "LIMIT_BYTES", 10)
    with pytest.raises(InputError, match="folder holds over"):
        workspace.prepare(bot, tmp_path / "prepared")
    assert not (tmp_path / "prepared").exists()
