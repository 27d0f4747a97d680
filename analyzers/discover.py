"""Which files a scan reads: sources, without what nobody on the project wrote."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from perfscan.analyzers.gitignore import GitIgnore, repository_of
from perfscan.analyzers.model import FileError
from perfscan.analyzers.texts import is_text
from perfscan.errors import InputError

SKIPPED_FOLDERS = frozenset(
    {"__pycache__", "__pypackages__", "node_modules", "site-packages", "venv", "virtualenv"}
    | {"vendor", "_vendor", "vendored", "third_party", "thirdparty", "build", "dist", "htmlcov"}
)
"""Virtual environments, caches, build output and vendored code; names with a dot go as well."""

OUTPUT_FOLDERS = frozenset({"build", "dist"})
"""Of these, a folder with an ``__init__.py`` is a package of the project and is read."""

TEST_FOLDERS = frozenset({"test", "tests", "testing"})
SETUP_FILES = frozenset({"setup.py", "noxfile.py", "fabfile.py", "conf.py", "versioneer.py"})

_TEST_FILE = re.compile(r"(test_.*|.*_tests?|conftest)\.py")
_GENERATED_FILE = re.compile(r".*_pb2(_grpc)?\.py")
_HANDS_OFF = re.compile(rb"(do not|don't) (edit|modify)|be overwritten", re.IGNORECASE)
_HEAD_BYTES = 2048
"""Generators put their mark into the opening comment; protoc's is within the first 200 bytes."""


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
    """Relative to the scanned root, with forward slashes."""
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
    found: dict[Path, SourceFile] = {}
    errors: list[FileError] = []
    for place in named:
        if place.is_dir():
            for file in _walk(place, root, errors):
                if not exclude(file):
                    role = _role(file.relative_to(place))
                    found.setdefault(file, SourceFile(file, _posix(file, root), False, role))
        else:
            role = _role(place.relative_to(root))
            found[place] = SourceFile(place, _posix(place, root), True, role)
    ordered = sorted(found.values(), key=lambda source: source.path)
    texts = [source for source in ordered if is_text(source.file)]
    files = [source for source in ordered if not is_text(source.file)]
    complaints = tuple(sorted(errors, key=lambda error: error.path))
    return Discovery(root, tuple(files), complaints, tuple(texts))


def _existing(path: Path, cwd: Path) -> Path:
    place = Path(os.path.normpath(cwd / path))
    if not os.path.lexists(place):
        raise InputError("no such file or folder", where=str(path), remedy=_nearest(place))
    if not place.exists():
        raise InputError("the link leads nowhere", where=str(path), remedy="restore its target")
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


def _posix(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _walk(top: Path, root: Path, errors: list[FileError]) -> Iterator[Path]:
    """Yield the sources below ``top``; links are left out, their targets are met in place."""
    ignore = _gitignore_for(top)

    def unreadable(error: OSError) -> None:
        folder = Path(error.filename)
        reason = f"cannot list this folder: {error.strerror}"
        errors.append(FileError(_posix(folder, root), None, reason, named=folder == top))

    for folder, subfolders, files in os.walk(top, onerror=unreadable):
        here = Path(folder)
        subfolders[:] = sorted(
            name
            for name in subfolders
            if not _skipped(here / name) and not ignore.hides(here / name, folder=True)
        )
        for name in sorted(files):
            file = here / name
            if (
                (name.endswith(".py") or is_text(file))
                and not _left_out(file)
                and not ignore.hides(file, folder=False)
            ):
                yield file


def _gitignore_for(top: Path) -> GitIgnore:
    """Rules of the whole repository, unless they hide ``top`` itself, which the user named."""
    repository = repository_of(top)
    if repository is None or repository == top:
        return GitIgnore(top)
    whole = GitIgnore(repository)
    parents = [place for place in top.parents if place.is_relative_to(repository)]
    lineage = [place for place in (top, *parents) if place != repository]
    hidden = any(whole.hides(place, folder=True) for place in lineage)
    return GitIgnore(top) if hidden else whole


def _skipped(folder: Path) -> bool:
    name = folder.name
    if name.startswith(".") or name.endswith(".egg-info") or (folder / "pyvenv.cfg").exists():
        return True
    if name in OUTPUT_FOLDERS:
        return not (folder / "__init__.py").exists()
    return name in SKIPPED_FOLDERS


def _left_out(file: Path) -> bool:
    """Leave out links, pipes and generated code; an unreadable file stays, to be reported."""
    if file.is_symlink() or not file.is_file() or _GENERATED_FILE.fullmatch(file.name):
        return True
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return False
    comment = b" ".join(_opening_comment(head))
    # "generated by ..." alone is said of code that people keep by hand, too.
    marked = b"generated" in comment.lower() and _HANDS_OFF.search(comment) is not None
    return marked or b"@generated" in comment


def _opening_comment(head: bytes) -> Iterator[bytes]:
    for line in head.splitlines():
        text = line.strip()
        if text and not text.startswith(b"#"):
            return
        yield text


def _role(relative: Path) -> Role:
    if TEST_FOLDERS.intersection(relative.parts[:-1]) or _TEST_FILE.fullmatch(relative.name):
        return Role.TEST
    return Role.SETUP if relative.name in SETUP_FILES else Role.BOT
