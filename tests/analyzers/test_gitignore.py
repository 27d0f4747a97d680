from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from perfscan.analyzers.gitignore import Ignored, ignored_above, repository_of


def ignored_in(folder: Path, text: str) -> Ignored:
    (folder / ".gitignore").write_text(text)
    return Ignored().below(str(folder))


@pytest.mark.parametrize(
    ("text", "path", "hidden"),
    [
        ("*.log", "a.log", True),
        ("/a.py", "a.py", True),
        ("/a.py", "b/a.py", False),
        ("b/a.py", "b/a.py", True),
        ("b/a.py", "c/b/a.py", False),
        ("**/b/a.py", "c/b/a.py", True),
        ("*.py\n!keep.py", "keep.py", False),
        ("!keep.py\n*.py", "keep.py", True),
        ("a.py/", "a.py", False),
        ("# a.py", "a.py", False),
        ("\\#a.py", "#a.py", True),
        ("b/*\n!b/a.py", "b/a.py", False),
        ("!\n*.py", "a.py", True),
        ("", "a.py", False),
    ],
)
def test_patterns(tmp_path: Path, text: str, path: str, hidden: bool) -> None:
    ignored = ignored_in(tmp_path, text)
    for _ in range(2):  # the second answer may come from memory
        assert ignored.hides(str(tmp_path / path), folder=False) is hidden


def test_a_pattern_for_folders_hides_folders(tmp_path: Path) -> None:
    ignored = ignored_in(tmp_path, "data/\nlogs")
    for name, of_file in (("data", False), ("logs", True)):
        assert ignored.hides(str(tmp_path / name), folder=True)
        assert ignored.hides(str(tmp_path / name), folder=False) is of_file


def test_the_deepest_file_with_an_opinion_wins(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    outer = ignored_in(tmp_path, "*.py")
    (tmp_path / "b/.gitignore").write_text("!a.py")
    inner = outer.below(str(tmp_path / "b"))
    hidden = [inner.hides(str(tmp_path / "b" / name), folder=False) for name in ("a.py", "c.py")]
    assert hidden == [False, True]


def test_the_repository_around_a_folder_counts(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "bot/deep").mkdir(parents=True)
    (tmp_path / ".gitignore").write_text("scratch.py\nlocal/\n")
    scratch = str(tmp_path / "bot/deep/scratch.py")
    assert repository_of(tmp_path / "bot/deep") == tmp_path
    assert ignored_above(tmp_path / "bot/deep").hides(scratch, folder=False)
    assert not ignored_above(tmp_path / "local").hides(scratch, folder=False)


WORDS = st.sampled_from(["a", "b", "*", "?", "**", "[ab]", "[!a]", "a*", "*.py", "b.py"])
PATTERNS = st.builds(
    lambda sign, start, words, end: sign + start + "/".join(words) + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(WORDS, min_size=1, max_size=3),
    st.sampled_from(["", "", "/", " "]),
)
NAMES = ["a", "b", "ab", "a.py", "b.py"]
PATHS = [*NAMES, *(f"{one}/{two}" for one in ("a", "b", "ab") for two in NAMES)]


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(patterns=st.lists(PATTERNS, min_size=1, max_size=4))
def test_asking_by_name_first_changes_no_answer(tmp_path: Path, patterns: list[str]) -> None:
    ignored = ignored_in(tmp_path, "\n".join(patterns))
    slow = GitIgnoreSpec.from_lines(patterns)
    for path in (*PATHS, *PATHS):
        parent = path.rpartition("/")[0]
        if parent and slow.check_file(parent + "/").include:
            continue  # never asked
        for folder in (False, True):
            expected = slow.check_file(path + "/" * folder).include is True
            assert ignored.hides(str(tmp_path / path), folder=folder) is expected, (patterns, path)
