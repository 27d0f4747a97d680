from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from perfscan.analyzers.git_tree import tree_at
from perfscan.errors import InputError


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, "utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", name)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path, "bot.py", "x = 1\n")
    return tmp_path


def test_the_old_tree_is_there_and_gone_afterwards(repository: Path) -> None:
    commit(repository, "bot.py", "x = 2\n")
    with tree_at("HEAD~1", repository) as tree:
        assert tree.then(repository / "bot.py").read_text("utf-8") == "x = 1\n"
        assert not tree.then(repository / "other.py").exists()
    assert not tree.there.exists()
    assert (repository / "bot.py").read_text("utf-8") == "x = 2\n"


def test_what_others_did_since_is_left_out(repository: Path) -> None:
    fork = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-qb", "feature")
    commit(repository, "mine.py", "")
    git(repository, "checkout", "-q", "main")
    commit(repository, "theirs.py", "")
    git(repository, "checkout", "-q", "feature")
    with tree_at("main", repository) as tree:
        assert tree.commit == fork
        assert not tree.then(repository / "theirs.py").exists()


def test_nothing_is_left_out_and_the_index_is_left_alone(repository: Path) -> None:
    commit(repository, ".gitattributes", "bot.py export-ignore\n")
    (repository / "staged.py").write_text("", "utf-8")
    git(repository, "add", "staged.py")
    before = git(repository, "status", "--porcelain")
    with tree_at("HEAD", repository) as tree:
        assert {file.name for file in tree.there.iterdir()} == {".gitattributes", "bot.py"}
    assert git(repository, "status", "--porcelain") == before


def test_from_a_folder_inside(repository: Path) -> None:
    inside = repository / "bots"
    inside.mkdir()
    commit(repository, "bots/a.py", "")
    with tree_at("HEAD", inside) as tree:
        assert tree.then(inside / "a.py").exists()


@pytest.mark.parametrize("revision", ["nowhere", "--help", "HEAD:bot.py"])
def test_an_unknown_revision(revision: str, repository: Path) -> None:
    with pytest.raises(InputError, match="revision"), tree_at(revision, repository):
        pass


def test_outside_of_a_repository(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="git says"), tree_at("HEAD", tmp_path):
        pass
