"""Foreign recording formats, one module each, found by walking this package.

A module offers ``NAME`` (for messages), ``detect(head: bytes) -> bool`` on the unpacked first
bytes of a file, and ``read(raw: bytes, path: Path) -> Recording``, which gets all of the unpacked
file and raises InputError (``path`` is for its messages).
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from perfscan.replay.model import Recording

HEAD_BYTES = 65_536


class Importer(Protocol):
    """What a module of this package offers."""

    NAME: str

    def detect(self, head: bytes) -> bool:
        """Tell whether a file that begins with ``head`` is in this format."""

    def read(self, raw: bytes, path: Path) -> Recording:
        """Read the unpacked content of the file at ``path``; raises InputError."""


def find(raw: bytes) -> Importer | None:
    """Return the importer that recognises the beginning of ``raw``, or None."""
    head = raw[:HEAD_BYTES]
    return next((importer for importer in _importers() if importer.detect(head)), None)


def names() -> list[str]:
    """Return the names of all formats, sorted."""
    return sorted(importer.NAME for importer in _importers())


def _importers() -> Iterator[Importer]:
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        yield cast(Importer, import_module(f"{__name__}.{module.name}"))
