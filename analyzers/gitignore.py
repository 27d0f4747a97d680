"""Which paths the .gitignore files of a tree hide, whether or not git itself is installed.

``pathspec`` does the pattern matching: the rules of negation, anchoring and ``**`` are many, and
asking ``git ls-files`` would need git, a repository and a process, none of which an unpacked
source archive has.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

from perfscan.analyzers.source import Unreadable, read


class Ignored:
    """The .gitignore files that apply to what lies in one folder."""

    def __init__(self, files: Sequence[_IgnoreFile] = ()) -> None:
        self._files = tuple(files)
        """The deepest first."""

    def below(self, folder: str) -> Ignored:
        """Return what applies in ``folder``, which has a .gitignore of its own."""
        data = read(Path(folder, ".gitignore"))
        if isinstance(data, Unreadable):
            return self
        lines = data.decode("utf-8", "replace").splitlines()
        return Ignored((_IgnoreFile(folder, lines), *self._files))

    def hides(self, path: str, *, folder: bool) -> bool:
        """Say whether git would ignore ``path``, whose parents it does not."""
        for file in self._files:
            verdict = file.verdict(path, folder)
            if verdict is not None:  # the deepest file with an opinion wins
                return verdict
        return False


def _names_a_place(line: str) -> bool:
    """Tell whether a pattern has a slash within: then it counts from the folder of its file."""
    return "/" in line.strip().rstrip("/")


class _IgnoreFile:
    """One .gitignore.

    Most patterns say nothing of where a file lies, and few names are unusual: each name is matched
    once. Only when a pattern has something to say is the order of all of them asked for.
    """

    def __init__(self, folder: str, lines: Sequence[str]) -> None:
        placed = [line for line in lines if _names_a_place(line)]
        self._start = len(folder.rstrip(os.sep)) + 1
        self._all = _spec_of(lines)
        self._by_place = _spec_of(placed)
        self._by_name = _spec_of([line for line in lines if not _names_a_place(line)])
        self._silent: dict[str, bool] = {}

    def verdict(self, path: str, folder: bool) -> bool | None:
        relative = path[self._start :].replace(os.sep, "/") + "/" * folder
        name = relative[relative.rfind("/", 0, -1) + 1 :]
        silent = self._silent.get(name)
        if silent is None:
            silent = self._silent[name] = self._by_name.check_file(name).include is None
        if silent and self._by_place.check_file(relative).include is None:
            return None
        return self._all.check_file(relative).include


def _spec_of(lines: Iterable[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:  # git skips a pattern that means nothing, and keeps the others
        return GitIgnoreSpec.from_lines([line for line in lines if _means_something(line)])


def _means_something(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def ignored_above(top: Path) -> Ignored:
    """Return what the repository around ``top`` hides below it.

    Nothing when it hides ``top`` itself: the user named it. The .gitignore of ``top`` is left to
    ``Ignored.below``.
    """
    repository = repository_of(top)
    ignored = Ignored()
    if repository is None:
        return ignored
    folder = repository
    for name in top.relative_to(repository).parts:
        ignored = ignored.below(str(folder))
        folder = folder / name
        if ignored.hides(str(folder), folder=True):
            return Ignored()
    return ignored


def repository_of(folder: Path) -> Path | None:
    """Return the nearest folder at or above ``folder`` that holds ``.git``, if any."""
    return next((p for p in (folder, *folder.parents) if os.path.lexists(p / ".git")), None)
