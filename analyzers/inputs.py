"""What a scan reads, told by content: which files have changed since an earlier scan."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from perfscan.analyzers.discover import SourceFile
from perfscan.analyzers.source import Unreadable, read

_SETTLED_NS = 2_000_000_000
"""A file that was changed less than this before it was read may be changed again without a new
time stamp: some file systems count in steps of two seconds. Its content is looked at next time."""


class Record(NamedTuple):
    """A file as it was read: what ``stat`` said, and its content in short."""

    size: int
    changed_ns: int
    digest: bytes
    settled: bool


class Status(NamedTuple):
    """What reading a file came to."""

    digest: bytes
    lines: int
    comments: bool
    """The text speaks of perfscan, so there may be suppression comments."""
    unreadable: Unreadable | None = None


Records = Mapping[str, Record]
"""By path below the root."""


def digest_of(data: bytes) -> bytes:
    """Return the content in short."""
    return hashlib.blake2b(data, digest_size=20).digest()


def take_stock(
    sources: Sequence[SourceFile], known: Records, now_ns: int
) -> tuple[dict[str, Record], bool]:
    """Return the records of the files that can be read, and whether any had to be opened."""
    found: dict[str, Record] = {}
    opened = False
    for source in sources:
        try:
            status = os.stat(source.file)  # noqa: PTH116  # thousands of files: no Path objects
            record = known.get(source.path)
            size, changed = status.st_size, status.st_mtime_ns
            if record is None or not record.settled or record[:2] != (size, changed):
                opened = True
                data = read(source.file)
                if isinstance(data, Unreadable):
                    continue  # to be read again and reported
                record = Record(size, changed, digest_of(data), now_ns - changed > _SETTLED_NS)
        except OSError:
            opened = True  # to be read again and reported
            continue
        found[source.path] = record
    return found, opened


def own_digest() -> bytes:
    """Return perfscan's own analyser in short: code, knowledge and the Python that runs it."""
    summary = hashlib.blake2b(digest_size=20)
    summary.update(sys.version.encode())
    folder = Path(__file__).parent
    for file in sorted([*folder.rglob("*.py"), *folder.rglob("*.yaml")]):
        summary.update(file.name.encode())
        summary.update(digest_of(file.read_bytes()))
    return summary.digest()
