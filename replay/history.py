"""Results of earlier benches in a SQLite file, by scenario, commit and machine."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from perfscan.errors import InputError
from perfscan.replay.figures import figures
from perfscan.replay.manner import manner
from perfscan.replay.model import Result, Side
from perfscan.replay.schedule import SIDES

BUSY_S = 30.0
"""How long a writer waits for another one."""
_VERSION = 2
_TABLES = """
CREATE TABLE IF NOT EXISTS benches (
    id INTEGER PRIMARY KEY, started_at TEXT NOT NULL, scenario TEXT NOT NULL, path TEXT NOT NULL,
    recording TEXT NOT NULL, manner TEXT NOT NULL, machine TEXT NOT NULL, version TEXT NOT NULL,
    changed INTEGER NOT NULL, verdict TEXT NOT NULL, UNIQUE (started_at, path, machine)
);
CREATE TABLE IF NOT EXISTS figures (
    bench INTEGER NOT NULL REFERENCES benches (id) ON DELETE CASCADE, side TEXT NOT NULL,
    metric TEXT NOT NULL, unit TEXT NOT NULL, value REAL NOT NULL, low REAL NOT NULL,
    high REAL NOT NULL, runs INTEGER NOT NULL, PRIMARY KEY (bench, side, metric)
);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One metric of one side in one bench."""

    started_at: str
    scenario: str
    recording: str
    """SHA-256 of the recording."""
    manner: str
    """How the bench was made, where not by the defaults."""
    machine: str
    commit: str
    """Empty outside of git."""
    changed: bool
    """The scenario's folder held changes that were not committed."""
    verdict: str
    unit: str
    value: float
    low: float
    high: float
    runs: int


class History:
    """An open history file; a context manager. Several processes may write to it at once."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> Self:
        with self._errors():
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(self._file, timeout=BUSY_S)
            try:
                self._prepare()
            except BaseException:
                self._base.close()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._base.close()

    def _prepare(self) -> None:
        """Make the tables, or bring them up to date."""
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA foreign_keys = ON")
        version = self._base.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise sqlite3.DatabaseError(f"version {version} is of a later perfscan")
        if version == 1:
            self._base.execute("ALTER TABLE benches ADD manner TEXT NOT NULL DEFAULT ''")
        self._base.executescript(_TABLES + f"PRAGMA user_version = {_VERSION};")

    def add(self, result: Result) -> None:
        """Add a result in one step; the same bench, resumed, takes the place of its earlier part.

        A side without a finished run has no figures.
        """
        with self._errors(), self._base:
            place = (
                str(result.method.get("started_at") or ""),
                _path(Path(str(result.scenario["path"]))),
                _machine(result),
            )
            self._base.execute(
                "DELETE FROM benches WHERE started_at = ? AND path = ? AND machine = ?", place
            )
            git = result.environment.get("git") or {}
            bench = self._base.execute(
                "INSERT INTO benches (started_at, path, machine, scenario, recording, manner,"
                " version, changed, verdict) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *place,
                    str(result.scenario["name"]),
                    str(result.recording.get("sha256") or ""),
                    manner(result.method),
                    str(git.get("commit") or ""),
                    bool(git.get("changed")),
                    result.comparison.verdict,
                ),
            ).lastrowid
            for side in SIDES:
                self._base.executemany(
                    "INSERT INTO figures VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [
                        (bench, side, one.name, one.unit, one.value, one.low, one.high, one.runs)
                        for one in figures(result.runs, side, {})
                    ],
                )

    def entries(self, scenario: Path | str, metric: str, side: Side) -> list[Entry]:
        """Return one metric over all benches of a scenario, given by file or name, oldest first."""
        where = "path" if isinstance(scenario, Path) else "scenario"
        wanted = _path(scenario) if isinstance(scenario, Path) else scenario
        rows = self._query(
            "SELECT started_at, scenario, recording, manner, machine, version, changed, verdict,"
            " unit, value, low, high, runs FROM benches JOIN figures ON bench = id"
            f" WHERE {where} = ? AND metric = ? AND side = ? ORDER BY started_at, id",
            (wanted, metric, side),
        )
        return [Entry(*(*row[:6], bool(row[6]), *row[7:])) for row in rows]

    def scenarios(self) -> list[tuple[str, str, int]]:
        """Return name and file of every scenario, with the number of its benches."""
        return self._query(
            "SELECT scenario, path, count(*) FROM benches GROUP BY scenario, path ORDER BY 1, 2", ()
        )

    def metrics(self, scenario: Path | str, side: Side) -> list[str]:
        """Return the names of all metrics that a scenario has figures of."""
        where = "path" if isinstance(scenario, Path) else "scenario"
        wanted = _path(scenario) if isinstance(scenario, Path) else scenario
        rows = self._query(
            "SELECT DISTINCT metric FROM benches JOIN figures ON bench = id"
            f" WHERE {where} = ? AND side = ? ORDER BY 1",
            (wanted, side),
        )
        return [row[0] for row in rows]

    def _query(self, statement: str, values: Sequence[Any]) -> list[Any]:
        with self._errors():
            return self._base.execute(statement, values).fetchall()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what SQLite and the file system say into one line."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"cannot use the history: {error}",
                where=str(self._file),
                remedy="move the file away to begin a new one, or name another",
            ) from error
        except OSError as error:
            raise InputError(
                f"cannot use the history: {error.strerror}",
                where=str(self._file),
                remedy="name a file in a folder that can be written",
            ) from error


def default_file() -> Path:
    """Return where the history of this user lies: no project gets files that it did not ask for."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "perfscan" / "history.sqlite"


def _path(scenario: Path) -> str:
    return scenario.resolve().as_posix()


def _machine(result: Result) -> str:
    seen = result.environment
    return f"{seen.get('cpus')} x {seen.get('machine') or seen.get('platform')}"
