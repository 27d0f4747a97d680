"""Lines of scanned files for excerpts, read when a report asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from perfscan.analyzers.source import Unreadable, decode, read


def lines_of(file: Path) -> tuple[str, ...]:
    """Return the lines of a file without their ends, as Python counts them."""
    data = read(file)
    text = data if isinstance(data, Unreadable) else decode(data)
    if isinstance(text, Unreadable):
        return ()
    # Python ends lines at these three only; ``str.splitlines`` knows many more.
    return tuple(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))


class SourceLines(Mapping[str, tuple[str, ...]]):
    """The lines of some files by path."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._lines: dict[str, tuple[str, ...]] = {}

    def __getitem__(self, path: str) -> tuple[str, ...]:
        if path not in self._lines:
            self._lines[path] = lines_of(self._files[path])
        return self._lines[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)
