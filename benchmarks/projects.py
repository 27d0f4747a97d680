"""The projects that are scanned: given folders, or releases from the configured package index."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

RELEASES = {
    "freqtrade": "freqtrade==2026.9",
    "homeassistant": "homeassistant==2024.3.3",
    "ccxt": "ccxt==4.5.90",
}
_IMPORTED = re.compile(r"^\s*(?:from|import)\s+([\w.]+)", re.MULTILINE)


@dataclass(frozen=True)
class Project:
    """A copy of a project that may be edited."""

    name: str
    folder: Path
    files: int
    lines: int
    middling: Path
    """A file of middling size."""
    hub: Path
    """The file that most others import."""


def fetch(name: str, given: Path | None, work: Path) -> Project:
    """Copy a given folder, or download and unpack a release, to below ``work``."""
    folder = work / name
    if given is not None:
        shutil.copytree(given, folder, ignore=shutil.ignore_patterns("__pycache__", ".git"))
    else:
        _unpack(_download(RELEASES[name], work / "downloads"), folder)
    return _described(name, folder)


def _download(requirement: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    name = requirement.partition("==")[0]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    subprocess.run([*command, str(folder), requirement], check=True)
    return next(folder.glob(f"{name}-*"))


def _unpack(archive: Path, folder: Path) -> None:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
    else:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")


def _described(name: str, folder: Path) -> Project:
    texts = {file: file.read_text("utf-8", "replace") for file in sorted(folder.rglob("*.py"))}
    by_size = sorted(texts, key=lambda file: (len(texts[file]), str(file)))
    imported = Counter(module for text in texts.values() for module in _IMPORTED.findall(text))
    modules = {".".join(file.relative_to(folder).with_suffix("").parts): file for file in texts}
    known = [module for module, _ in imported.most_common() if module in modules]
    return Project(
        name,
        folder,
        len(texts),
        sum(text.count("\n") for text in texts.values()),
        by_size[len(by_size) * 3 // 4],
        modules[known[0]] if known else by_size[-1],
    )
