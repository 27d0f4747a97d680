"""What a result says of the machine and the commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

from perfscan import __version__
from perfscan.replay.circumstances import environment, git_state


def test_a_folder_outside_of_git_has_no_commit(tmp_path: Path) -> None:
    assert git_state(tmp_path) is None


def test_uncommitted_changes_are_told(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "bot.py").write_text("")
    git("add", ".")
    git("commit", "-qm", "first")
    clean = git_state(tmp_path)
    (tmp_path / "bot.py").write_text("changed")
    changed = git_state(tmp_path)

    assert clean is not None
    assert changed is not None
    assert len(clean["commit"]) == 40
    assert (clean["changed"], changed["changed"]) == (False, True)


def test_versions_of_what_takes_part(tmp_path: Path) -> None:
    found = environment(tmp_path, 0.123)
    assert found["perfscan"] == __version__
    assert found["load"] == 0.12
    assert found["cpus"] >= 1
    assert "websockets" in found["versions"]
