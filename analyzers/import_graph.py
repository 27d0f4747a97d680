"""Which modules are loaded while the program starts, and which only when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Import
from perfscan.analyzers.service import is_main_guard
from perfscan.analyzers.survey import survey


class Loading(NamedTuple):
    """When a file of the program is loaded."""

    imported: bool
    """By another scanned file, at the top or in a function."""
    at_start: bool
    """It is run by itself, or imported at the top of one that is. A file that others import in
    functions only is loaded when those functions run, and a part of a package that nobody imports
    when something outside asks for it."""


class _Imports(NamedTuple):
    """The scanned files that a file imports."""

    at_once: tuple[int, ...]
    """While it is loaded itself."""
    later: tuple[int, ...]
    may_start: bool
    """It stands outside of packages, is one itself, or says what to do when it is run."""


def loading(where: Where) -> Loading:
    """Return when the file is loaded."""
    return _loadings(where)[where.index]


def _merge(parts: Sequence[_Imports]) -> Mapping[int, Loading]:
    """Start from the files that nobody imports and follow what runs on import."""
    imported = {target for part in parts for target in (*part.at_once, *part.later)}
    found = {
        file for file, part in enumerate(parts) if file not in imported and part.may_start
    } or set(range(len(parts)))
    queue = list(found)
    while queue:
        fresh = [target for target in parts[queue.pop()].at_once if target not in found]
        found.update(fresh)
        queue.extend(fresh)
    return {file: Loading(file in imported, file in found) for file in range(len(parts))}


@survey(_merge)
def _loadings(where: Where) -> _Imports:
    """Return which scanned files the imports of a file load."""
    at_once: dict[int, None] = {}
    later: dict[int, None] = {}
    for entry in where.file.imports:
        block = where.block(entry.block)
        now = block.function < 0 and block.kind in {"module", "try", "class"}
        (at_once if now else later).update(dict.fromkeys(_targets(entry, where)))
    alone = "." not in where.program.modules.name(where.index)
    guarded = any(is_main_guard(b.value) for b in where.file.blocks if b.kind == "if")
    return _Imports(tuple(at_once), tuple(later), alone or guarded)


def _targets(entry: Import, where: Where) -> list[int]:
    """Return the files that an import loads: the module, its packages, a module named in it."""
    modules = where.program.modules
    if entry.level:
        parts = modules.relative(where.index, where.file.path, entry.level, entry.module)
    else:
        parts = modules.absolute(where.index, entry.module)
    if parts is None:
        return []
    wanted = [parts[:end] for end in range(1, len(parts) + 1)] + [(*parts, entry.name)]
    files = [modules.file(one) for one in wanted]
    return [file for file in files if file >= 0 and file != where.index]
