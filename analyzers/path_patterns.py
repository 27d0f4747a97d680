"""Patterns of .gitignore's syntax in a configuration, counted from its folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path


def matcher(patterns: Sequence[str], folder: Path) -> Callable[[Path], bool]:
    """Return whether a file, given by its absolute path, matches; nothing outside ``folder`` does.

    ``scripts/`` stands for everything below a folder of that name.
    """
    if not patterns:
        return lambda file: False
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines(patterns)

    def matches(file: Path) -> bool:
        inside = file.is_relative_to(folder)
        return inside and spec.match_file(file.relative_to(folder).as_posix())

    return matches
