"""Which files a scan reads: sources, without what nobody on the project wrote."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from perfscan.analyzers.model import FileError
from perfscan.analyzers.texts import is_text
from perfscan.analyzers.walking import Unlisted, sources_below
from perfscan.errors import InputError

TEST_FOLDERS = frozenset({"test", "tests", "testing", "pytest"})
SETUP_FILES = frozenset({"setup.py", "noxfile.py", "fabfile.py", "conf.py", "versioneer.py"})

_TEST_FILE = re.compile(r"(test_.*|.*_tests?|conftest)\.py")
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Line ends and the like, and bytes of a name that are no text."""


class Role(StrEnum):
    """What a file is for; only ``BOT`` code keeps the severity of its findings."""

    BOT = "bot"
    TEST = "test"
    SETUP = "setup"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to scan."""

    file: Path
    """Absolute."""
    path: str
    """Relative to the scanned root, with forward slashes; what cannot be printed is escaped."""
    named: bool
    """True when the user named this file on the command line."""
    role: Role


@dataclass(frozen=True, slots=True)
class Discovery:
    """The files of one scan, ordered by path, and the folders that could not be listed."""

    root: Path
    files: tuple[SourceFile, ...]
    errors: tuple[FileError, ...] = ()
    texts: tuple[SourceFile, ...] = ()
    """SQL and lists of requirements, ordered by path as well."""


def _nothing(file: Path) -> bool:
    return False


def discover(
    paths: Sequence[Path], cwd: Path, exclude: Callable[[Path], bool] = _nothing
) -> Discovery:
    """Find the sources at or below ``paths``; raise ``InputError`` for one that does not exist.

    The root is ``cwd`` when everything lies in it, so that paths can be clicked in a terminal,
    else the nearest folder that holds everything. ``exclude`` tells which files to leave out
    (absolute paths); a path that the user names is never skipped.
    """
    named = [_existing(path, cwd) for path in paths]
    root = _root_of(named, cwd)
    found: dict[str, SourceFile] = {}
    errors: list[FileError] = []
    for place in named:
        if not place.is_dir():
            role = role_of(_below(root, str(place)))
            found[str(place)] = SourceFile(place, _shown(root, str(place)), True, role)
            continue
        for path in sources_below(place):
            if isinstance(path, Unlisted):
                shown, is_named = _shown(root, path.folder), path.folder == str(place)
                reason = f"cannot list this folder: {path.reason}"
                errors.append(FileError(shown, None, reason, is_named))
            elif path not in found and not exclude(file := Path(path)):
                role = role_of(_below(place, path))
                found[path] = SourceFile(file, _shown(root, path), False, role)
    ordered = sorted(found.values(), key=lambda source: source.path)
    texts = [one for one in ordered if not one.path.endswith(".py") and is_text(one.file)]
    files = [one for one in ordered if one.path.endswith(".py") or not is_text(one.file)]
    complaints = tuple(sorted(errors, key=lambda error: error.path))
    return Discovery(root, tuple(files), complaints, tuple(texts))


def _existing(path: Path, cwd: Path) -> Path:
    place = Path(os.path.normpath(cwd / path))
    if not os.path.lexists(place):
        raise InputError("no such file or folder", where=str(path), remedy=_nearest(place))
    try:
        place.stat()
    except FileNotFoundError:
        where, remedy = str(path), "restore its target"
        raise InputError("the link leads nowhere", where=where, remedy=remedy) from None
    except OSError as error:
        raise InputError(f"cannot be looked at: {error.strerror}", where=str(path)) from None
    return place


def _nearest(missing: Path) -> str:
    """Say what the user may have meant."""
    from difflib import get_close_matches

    parent = missing.parent
    if not parent.is_dir():
        return f"{parent} does not exist either; check the spelling"
    try:
        siblings = sorted(entry.name for entry in parent.iterdir())
    except OSError:
        siblings = []
    close = get_close_matches(missing.name, siblings, n=1)
    return f"did you mean {parent / close[0]}?" if close else "check the spelling"


def _root_of(named: Sequence[Path], cwd: Path) -> Path:
    if all(place.is_relative_to(cwd) for place in named):
        return cwd
    folders = [place if place.is_dir() else place.parent for place in named]
    return Path(os.path.commonpath(folders))


def _below(folder: Path, path: str) -> str:
    """Return ``path`` relative to ``folder``; ``Path.relative_to`` is ten times slower."""
    return path[len(str(folder).rstrip(os.sep)) + 1 :].replace(os.sep, "/")


def _shown(root: Path, path: str) -> str:
    """Return what people read instead of ``path``, on one line whatever the file is called."""
    return _ODD.sub(lambda odd: odd[0].encode("unicode_escape").decode(), _below(root, path)) or "."


def role_of(relative: str) -> Role:
    """Return what the file at a path below the root is for, by its name and folders."""
    *folders, name = relative.split("/")
    if not TEST_FOLDERS.isdisjoint(folders) or _TEST_FILE.fullmatch(name):
        return Role.TEST
    return Role.SETUP if name in SETUP_FILES else Role.BOT
