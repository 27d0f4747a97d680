"""Which paths the .gitignore files of a tree hide, whether or not git itself is installed.

``pathspec`` does the pattern matching: the rules of negation, anchoring and ``**`` are many, and
asking ``git ls-files`` would need git, a repository and a process, none of which an unpacked
source archive has.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec


class GitIgnore:
    """The .gitignore files that apply below ``top``, read once each, when first asked for."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._specs: dict[Path, GitIgnoreSpec | None] = {}

    def hides(self, path: Path, *, folder: bool) -> bool:
        """Say whether git would ignore ``path``, which must lie below ``top``."""
        for base in self._folders_above(path):
            spec = self._spec(base)
            if spec is None:
                continue
            relative = path.relative_to(base).as_posix() + ("/" if folder else "")
            verdict = spec.check_file(relative).include
            if verdict is not None:  # the deepest file with an opinion wins
                return verdict
        return False

    def _folders_above(self, path: Path) -> Iterator[Path]:
        for parent in path.parents:
            yield parent
            if parent == self._top:
                return

    def _spec(self, base: Path) -> GitIgnoreSpec | None:
        if base not in self._specs:
            self._specs[base] = _read(base / ".gitignore")
        return self._specs[base]


def _read(file: Path) -> GitIgnoreSpec | None:
    try:
        text = file.read_text("utf-8", errors="replace")
        return GitIgnoreSpec.from_lines(text.splitlines())
    except (OSError, ValueError):  # absent, unreadable, or a pattern that git would skip too
        return None


def repository_of(folder: Path) -> Path | None:
    """Return the nearest folder at or above ``folder`` that holds ``.git``, if any."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)
