"""A private copy of a bot's folder for every run, so that no run finds what another left."""

from __future__ import annotations

import compileall
import hashlib
import shutil
from pathlib import Path

from perfscan.errors import InputError

LEFT_OUT = (".git", ".hg", ".venv", "venv", "node_modules", ".mypy_cache", ".pytest_cache")
LIMIT_BYTES = 500_000_000


def prepare(directory: Path, into: Path) -> Path:
    """Copy a bot's folder once and compile it, so that runs do not start with cold bytecode.

    Version control, virtual environments, caches and sockets stay behind. Raises InputError when
    the folder is larger than LIMIT_BYTES, since every run gets a copy.
    """
    size = 0
    for path in _files(directory):
        size += path.lstat().st_size
        if size > LIMIT_BYTES:
            raise InputError(
                f"the bot's folder holds over {LIMIT_BYTES // 1_000_000} MB",
                where=str(directory),
                remedy="keep data outside of it and name it by environment",
            )
    _copy(directory, into)
    compileall.compile_dir(into, quiet=2)
    return into


def source_digest(directory: Path) -> str:
    """Return the SHA-256 of all that :func:`prepare` copies, bytecode aside: the bot's code."""
    digest = hashlib.sha256()
    for path in sorted(_files(directory)):
        if "__pycache__" in path.parts or not path.is_file():
            continue
        name = path.relative_to(directory).as_posix().encode()
        digest.update(b"%d %s %d " % (len(name), name, path.stat().st_size) + path.read_bytes())
    return digest.hexdigest()


def fresh_copy(prepared: Path, into: Path) -> Path:
    """Copy a prepared folder for one run; times are kept, so its bytecode stays valid."""
    _copy(prepared, into)
    return into


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=_left_out, dirs_exist_ok=True)


def _left_out(folder: str, names: list[str]) -> list[str]:
    """Return what is not copied: also sockets and pipes, which belong to whoever runs."""
    entries = ((name, Path(folder, name)) for name in names)
    return [
        name
        for name, path in entries
        if name in LEFT_OUT or not (path.is_symlink() or path.is_file() or path.is_dir())
    ]


def _files(directory: Path) -> list[Path]:
    found: list[Path] = []
    for entry in directory.iterdir():
        if entry.name in LEFT_OUT:
            continue
        if entry.is_dir() and not entry.is_symlink():
            found.extend(_files(entry))
        else:
            found.append(entry)
    return found
