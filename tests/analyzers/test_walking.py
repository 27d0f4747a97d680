from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from perfscan.analyzers.walking import Unlisted, sources_below


def paths(top: Path) -> list[str]:
    found = [path for path in sources_below(top) if isinstance(path, str)]
    return sorted(os.path.relpath(path, top) for path in found)


def test_only_files_never_pipes_sockets_links_or_folders(tmp_path: Path) -> None:
    (tmp_path / "bot.py").touch()
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "link.py").symlink_to("bot.py")
    (tmp_path / "nowhere.py").symlink_to("gone.py")
    (tmp_path / "self").symlink_to(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe.py")
    os.mkfifo(tmp_path / ".gitignore")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.py"))
        assert paths(tmp_path) == ["bot.py"]


def test_folders_nested_a_thousand_deep(tmp_path: Path) -> None:
    made = [tmp_path]
    for _ in range(1_100):
        made.append(made[-1] / "d")
        made[-1].mkdir()
    (made[-1] / "bot.py").touch()
    assert [path.count("d/") for path in paths(tmp_path)] == [1_100]
    (made[-1] / "bot.py").unlink()
    for folder in reversed(made[1:]):  # pytest would remove them with recursion
        folder.rmdir()


def test_a_folder_that_vanishes_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "c.py").touch()
    found = []
    for path in sources_below(tmp_path):
        found.append(path)
        for name in ("a", "b"):
            if (tmp_path / name).exists():
                (tmp_path / name).rmdir()
    reasons = [path.reason for path in found if isinstance(path, Unlisted)]
    assert reasons == ["No such file or directory"] * 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_listed_is_said(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o000)
    (unlisted,) = sources_below(tmp_path)
    assert isinstance(unlisted, Unlisted)
    assert unlisted.reason == "Permission denied"


def test_odd_names_are_files_like_others(tmp_path: Path) -> None:
    for name in (b"new\nline.py", b"\xff.py", b" .py", "日本.py".encode()):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    assert len(paths(tmp_path)) == 4
