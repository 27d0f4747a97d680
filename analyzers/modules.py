"""Which scanned file an import means: absolute, relative, script-style siblings, src layouts."""

from __future__ import annotations

import sys
from collections.abc import Sequence

Parts = tuple[str, ...]

_SOURCE_FOLDERS = ("", "src", "lib")


def parts_of(path: str) -> Parts:
    """Return the dotted parts of a file below the root: ``a/b/__init__.py`` is ``(a, b)``."""
    parts = path.removesuffix(".py").removesuffix(".pyi").split("/")
    return tuple(parts[:-1] if parts[-1] == "__init__" else parts)


class Modules:
    """Finds the scanned file behind a module name, seen from an importing file."""

    def __init__(self, paths: Sequence[str], libraries: frozenset[str]) -> None:
        """``libraries`` are import names that a file inside a package does not shadow."""
        self._by_parts: dict[Parts, int] = {}
        self.parts = [parts_of(path) for path in paths]
        self._packages = {parts_of(p) for p in paths if p.rpartition("/")[2] == "__init__.py"}
        self._libraries = libraries | sys.stdlib_module_names
        folders: set[Parts] = set()
        for index, parts in enumerate(self.parts):
            self._by_parts.setdefault(parts, index)
            folders.update(parts[:end] for end in range(1, len(parts)))
        self._folders = folders
        self._homes = [self._home(path) for path in paths]

    def _home(self, path: str) -> Parts:
        """Return the folder of the file, outside of every package that holds it."""
        home = tuple(path.split("/")[:-1])
        while home and home in self._packages:
            home = home[:-1]
        return home

    def name(self, index: int) -> str:
        """Return the dotted name under which a file is imported."""
        parts, home = self.parts[index], self._homes[index]
        return ".".join(parts[len(home) :]) or ".".join(parts) or "__init__"

    def package(self, index: int, path: str) -> Parts:
        """Return the package in which relative imports of this file start."""
        parts = self.parts[index]
        return parts if path.rpartition("/")[2] == "__init__.py" else parts[:-1]

    def relative(self, index: int, path: str, level: int, module: str) -> Parts | None:
        """Return the parts that ``from ..module`` means, None above the root."""
        base = self.package(index, path)
        if level - 1 > len(base):
            return None
        base = base[: len(base) - (level - 1)]
        return base + tuple(module.split(".")) if module else base

    def absolute(self, index: int, module: str) -> Parts | None:
        """Return the parts of a scanned module or package named ``module``, None for others."""
        wanted = tuple(module.split("."))
        folder = self.parts[index][:-1]
        home = self._homes[index]
        starts = [home[:end] for end in range(len(home), -1, -1)]
        if folder != home and wanted[0] not in self._libraries:
            starts.append(folder)  # scripts that are run from inside a package's folder
        for start in starts:
            for source in _SOURCE_FOLDERS:
                parts = (*start, source, *wanted) if source else (*start, *wanted)
                if self.exists(parts) and (self.file(parts) != index or parts in self._packages):
                    return parts
        return None

    def exists(self, parts: Parts) -> bool:
        """Tell whether ``parts`` is a scanned module or a folder of scanned files."""
        return parts in self._by_parts or parts in self._folders

    def file(self, parts: Parts) -> int:
        """Return the index of the file, -1 for a folder without ``__init__.py``."""
        return self._by_parts.get(parts, -1)
