from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.commits import check_out


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.test")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "bot").mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / "README").write_text("nothing yet", "utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "without a scenario")
    for version in ("one", "two"):
        (folder / "bot" / "scenario.yaml").write_text(version, "utf-8")
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", version)
    (folder / "bot" / "scenario.yaml").write_text("not committed", "utf-8")
    return folder


def test_each_commit_is_laid_out_as_it_was(repository: Path, tmp_path: Path) -> None:
    scenario = repository / "bot" / "scenario.yaml"
    earlier = check_out(scenario, "HEAD~1", tmp_path / "a")
    later = check_out(scenario, "HEAD", tmp_path / "b")

    assert earlier == tmp_path / "a" / "bot" / "scenario.yaml"
    assert (earlier.read_text("utf-8"), later.read_text("utf-8")) == ("one", "two")
    assert scenario.read_text("utf-8") == "not committed", "the working copy is left alone"


def test_a_commit_without_the_scenario_is_named(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"HEAD~2 has no bot/scenario\.yaml"):
        check_out(repository / "bot" / "scenario.yaml", "HEAD~2", tmp_path / "a")


def test_links_are_followed_for_the_folder_and_none_leads_out(
    repository: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("elsewhere", "utf-8")
    (repository / "bot" / "linked.yaml").symlink_to(outside)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "a link out of the repository")
    (tmp_path / "short").symlink_to(repository / "bot")

    found = check_out(tmp_path / "short" / "scenario.yaml", "HEAD", tmp_path / "a")
    assert found.read_text("utf-8") == "not committed", "as the last commit has it"
    with pytest.raises(InputError, match=r"HEAD has no bot/linked\.yaml"):
        check_out(repository / "bot" / "linked.yaml", "HEAD", tmp_path / "b")


@pytest.mark.parametrize("commit", ["nowhere", "--help", ""])
def test_an_unknown_commit_is_one_line(repository: Path, tmp_path: Path, commit: str) -> None:
    with pytest.raises(InputError) as caught:
        check_out(repository / "bot" / "scenario.yaml", commit, tmp_path / "a")
    assert "\n" not in str(caught.value)


def test_outside_of_git_there_are_no_commits(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text("", "utf-8")
    with pytest.raises(InputError, match="not a git repository"):
        check_out(tmp_path / "scenario.yaml", "HEAD", tmp_path / "a")
