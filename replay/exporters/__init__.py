"""Formats that recordings are written in, one module each, found by walking this package.

A module offers ``NAME`` (``--to``), ``SUFFIXES`` that choose it by the name of the file, and
``write(recording: Recording, path: Path) -> None``, which raises InputError.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from perfscan.errors import InputError
from perfscan.replay.model import Recording


class Exporter(Protocol):
    """What a module of this package offers."""

    NAME: str
    SUFFIXES: tuple[str, ...]

    def write(self, recording: Recording, path: Path) -> None:
        """Write the recording; raises InputError."""


def choose(path: Path, name: str | None = None) -> Exporter:
    """Return the exporter called ``name``, or the one that the suffix of ``path`` asks for."""
    known = list(_exporters())
    for exporter in known:
        if name == exporter.NAME or (name is None and path.name.endswith(exporter.SUFFIXES)):
            return exporter
    if name is not None:
        names = ", ".join(exporter.NAME for exporter in known)
        raise InputError(f"unknown format {name!r}", where="--to", remedy=f"give one of {names}")
    suffixes = ", ".join(suffix for exporter in known for suffix in exporter.SUFFIXES)
    raise InputError(
        "the suffix names no format", where=str(path), remedy=f"end the name with {suffixes}"
    )


def _exporters() -> Iterator[Exporter]:
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        yield cast(Exporter, import_module(f"{__name__}.{module.name}"))
