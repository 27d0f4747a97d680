from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.history import History, default_file
from perfscan.replay.model import Comparison, Equivalence, Result, Run, SideWork

WORK = SideWork(0, 0, 0, 0)


def bench(started_at: str, latency_ms: float, scenario: Path = Path("bot/s.yaml")) -> Result:
    runs = tuple(
        Run("optimized", number, 0, True, {"item_latency_ms.p95": latency_ms + number}, ())
        for number in range(6)
    )
    return Result(
        scenario={"name": "s", "path": scenario.as_posix()},
        environment={"machine": "m", "cpus": 2, "git": {"commit": "c0ffee", "changed": True}},
        recording={"sha256": "abc"},
        method={"started_at": started_at},
        runs=runs,
        comparison=Comparison(6, (), Equivalence(True, 0, WORK, WORK), (), {}, (), "faster"),
    )


def test_figures_come_back_oldest_first(tmp_path: Path) -> None:
    with History(tmp_path / "new" / "history.sqlite") as history:
        history.add(bench("2026-02", 200))
        history.add(bench("2026-01", 100))
    with History(tmp_path / "new" / "history.sqlite") as history:
        found = history.entries("s", "item_latency_ms.p95", "optimized")
        by_file = history.entries(Path("bot/s.yaml"), "item_latency_ms.p95", "optimized")

        assert [(one.started_at, one.value) for one in found] == [
            ("2026-01", 102.5),
            ("2026-02", 202.5),
        ]
        assert found == by_file
        first = found[0]
        assert (first.low, first.high, first.runs, first.unit) == (100, 105, 6, "ms")
        assert (first.commit, first.changed, first.machine) == ("c0ffee", True, "2 x m")
        assert history.entries("s", "item_latency_ms.p95", "original") == []
        assert history.entries(Path("other/s.yaml"), "item_latency_ms.p95", "optimized") == []
        assert [(name, number) for name, _, number in history.scenarios()] == [("s", 2)]
        assert history.metrics("s", "optimized") == ["item_latency_ms.p95"]
        assert history.metrics("s", "original") == []


def test_a_resumed_bench_takes_its_own_place(tmp_path: Path) -> None:
    with History(tmp_path / "history.sqlite") as history:
        history.add(bench("2026-01", 100))
        history.add(bench("2026-01", 300))
        found = history.entries("s", "item_latency_ms.p95", "optimized")

    assert [one.value for one in found] == [302.5]


def test_nothing_is_half_written(tmp_path: Path) -> None:
    damaged = replace(bench("2026-01", 100), recording={}, comparison=None)  # type: ignore[arg-type]
    with History(tmp_path / "history.sqlite") as history:
        history.add(bench("2026-01", 100))
        with pytest.raises(AttributeError):
            history.add(damaged)
        assert len(history.entries("s", "item_latency_ms.p95", "optimized")) == 1


def _write(file: Path, number: int) -> None:
    for index in range(10):
        with History(file) as history:
            history.add(bench(f"{number}-{index}", 100))


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    with ThreadPoolExecutor(4) as pool:  # each with a connection of its own
        list(pool.map(partial(_write, file), range(4)))
    with History(file) as history:
        assert len(history.entries("s", "item_latency_ms.p95", "optimized")) == 40


@pytest.mark.parametrize(
    "content", [b"not a database at all, not even a little", b"SQLite format 3"]
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "history.sqlite"
    file.write_bytes(content * 20)

    with pytest.raises(InputError, match="cannot use the history") as caught, History(file):
        pass
    assert "\n" not in str(caught.value)


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    base = sqlite3.connect(tmp_path / "history.sqlite")
    base.execute("PRAGMA user_version = 99")
    base.commit()
    base.close()
    with (
        pytest.raises(InputError, match="later perfscan"),
        History(tmp_path / "history.sqlite"),
    ):
        pass


def test_a_file_of_the_first_version_goes_on(tmp_path: Path) -> None:
    with History(tmp_path / "history.sqlite") as history:
        history.add(bench("2026-01", 100))
    base = sqlite3.connect(tmp_path / "history.sqlite")
    base.executescript("ALTER TABLE benches DROP manner; PRAGMA user_version = 1;")
    base.close()
    with History(tmp_path / "history.sqlite") as history:
        history.add(bench("2026-02", 200))
        assert len(history.entries("s", "item_latency_ms.p95", "optimized")) == 2


def test_an_entry_tells_how_it_was_made(tmp_path: Path) -> None:
    plain = bench("2026-01", 100)
    method = {**plain.method, "started_at": "2026-02", "load": 10.0, "faults": ["loss=5%"]}
    with History(tmp_path / "history.sqlite") as history:
        history.add(plain)
        history.add(replace(plain, method=method))
        found = history.entries("s", "item_latency_ms.p95", "optimized")
    assert [one.manner for one in found] == ["", "load=10, faults=loss=5%"]


def test_the_history_lies_in_the_users_state_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_file() == tmp_path / "perfscan" / "history.sqlite"
