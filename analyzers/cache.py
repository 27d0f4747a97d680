"""What earlier scans have worked out, in one SQLite file of the user's cache folder.

Everything in it can be worked out again. So whatever goes wrong (a full disk, a read-only folder,
a file that is no database, a lock that is not released) means that nothing is known, never an
error: a cache that has failed once is silent from then on. The file is never kept in the scanned
project, which may come from anybody: what is unpickled here was written by the user's own scans.
"""

from __future__ import annotations

import os
import pickle
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

FOLDER_VARIABLE = "PERFSCAN_CACHE_DIR"
MAX_BYTES = 1 << 30
"""Beyond this, what was not used for longest goes; Home Assistant takes about 60 MB."""

_FILE = "scans.sqlite"
_KEEP = 0.7
"""The share of ``MAX_BYTES`` that is left after a clean-up."""

_WAIT_S = 10.0
"""For another scan that is writing."""

_KEY_BYTES = 100
"""No key is longer."""

_DELETE_RANGE = "DELETE FROM entries WHERE key BETWEEN ? AND ?"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    key BLOB PRIMARY KEY, data BLOB NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID
"""
_FAILURES = (
    sqlite3.Error, OSError, zlib.error, pickle.PickleError, EOFError, AttributeError, ImportError,
    IndexError, KeyError, TypeError, ValueError, MemoryError,
)  # fmt: skip
"""All that a broken file, a broken entry or a full disk can bring about."""


def cache_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder of the cache: PERFSCAN_CACHE_DIR, else the user's cache folder."""
    values = os.environ if environment is None else environment
    if values.get(FOLDER_VARIABLE):
        return Path(values[FOLDER_VARIABLE])
    base = values.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return Path(base) / "perfscan"


class Cache:
    """Entries by key; opened when first used, by each process for itself."""

    def __init__(self, folder: Path | None, clock: Callable[[], float]) -> None:
        """``folder`` None makes a cache that knows nothing and keeps nothing."""
        self._folder = folder
        self._clock = clock
        self._database: sqlite3.Connection | None = None

    @property
    def keeps(self) -> bool:
        """Tell whether entries are kept, as far as is known."""
        return self._folder is not None

    def get(self, key: bytes) -> Any:
        """Return an entry, None when it is not there."""
        return self.get_all([key]).get(key)

    def get_all(self, keys: Sequence[bytes]) -> dict[bytes, Any]:
        """Return the entries that are there."""
        found: dict[bytes, Any] = {}
        try:
            database = self._open()
            for key in keys:
                if database is None:
                    break
                row = database.execute("SELECT data FROM entries WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    found[key] = _unpacked(row[0])
        except _FAILURES:
            self._give_up()
            return {}
        return found

    def replace_all(self, prefix: bytes, entries: Iterable[tuple[bytes, Any]]) -> None:
        """Keep entries in place of all those whose keys begin with ``prefix``."""
        self.put_all(entries, instead_of=prefix)

    def put_all(
        self, entries: Iterable[tuple[bytes, Any]], *, instead_of: bytes | None = None
    ) -> None:
        """Keep entries, all or none of them."""
        now = int(self._clock())
        try:
            database = self._open()
            if database is not None:
                rows = [(key, _packed(value), now) for key, value in entries]
                with database:
                    if instead_of is not None:
                        last = instead_of + b"\xff" * _KEY_BYTES
                        database.execute(_DELETE_RANGE, (instead_of, last))
                    database.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)
                    _make_room(database)
        except _FAILURES:
            self._give_up()

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
        self._database = None

    def _open(self) -> sqlite3.Connection | None:
        if self._database is None and self._folder is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = self._folder / _FILE
            try:
                self._database = _connected(file)
            except sqlite3.DatabaseError as error:
                if not isinstance(error, sqlite3.OperationalError):  # no database: make one
                    file.unlink(missing_ok=True)
                raise
        return self._database

    def _give_up(self) -> None:
        self.close()
        self._folder = None


def _connected(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=_WAIT_S, isolation_level="IMMEDIATE")
    try:
        # A killed process leaves a log that the next one completes or drops; only a crash of the
        # whole machine can tear the file, and then it is made anew.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.execute(_SCHEMA)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _make_room(database: sqlite3.Connection) -> None:
    """Drop the oldest entries of a cache that has grown too large; their pages are used again."""
    pages = _pragma(database, "page_count") - _pragma(database, "freelist_count")
    surplus = pages * _pragma(database, "page_size") - MAX_BYTES
    if surplus <= 0:
        return
    surplus += int(MAX_BYTES * (1 - _KEEP))
    oldest = database.execute("SELECT key, length(data) FROM entries ORDER BY used").fetchall()
    going: list[tuple[bytes]] = []
    for key, size in oldest:
        if surplus <= 0:
            break
        going.append((key,))
        surplus -= size
    database.executemany("DELETE FROM entries WHERE key = ?", going)


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


def _packed(value: Any) -> bytes:
    return zlib.compress(pickle.dumps(value, pickle.HIGHEST_PROTOCOL), 1)


def _unpacked(data: bytes) -> Any:
    return pickle.loads(zlib.decompress(data))  # the checksum of zlib finds broken entries
