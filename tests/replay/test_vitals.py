"""What event loops tell of themselves: the probe on a loop of a test, and its figures."""

from __future__ import annotations

import heapq
from ast import literal_eval
from collections.abc import Callable
from pathlib import Path

import pytest

from perfscan.replay.agent import vitals
from perfscan.replay.agent.vitals import INTERVAL_NS, Heart, Vitals, bucket_of, middle_ns
from perfscan.replay.vitals import read_vitals

MS = 1_000_000


class Loop:
    """An event loop on a clock of its own: what blocks it moves the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 0
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        monkeypatch.setattr(vitals.time, "monotonic_ns", lambda: self.now_ns)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Loop:
        due = self.now_ns + round(delay_s * 1e9)
        heapq.heappush(self._timers, (due, len(self._timers), callback))
        return self

    def cancel(self) -> None:
        self._timers.clear()

    def block(self, ms: float) -> None:
        self.now_ns += round(ms * MS)

    def run(self, until_ms: float) -> None:
        while self._timers and max(self._timers[0][0], self.now_ns) <= until_ms * MS:
            due, _, callback = heapq.heappop(self._timers)
            self.now_ns = max(self.now_ns, due)
            callback()
        self.now_ns = max(self.now_ns, round(until_ms * MS))


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    monkeypatch.setattr(Heart, "_count_tasks", lambda _: 5)
    return Loop(monkeypatch)


def told(tmp_path: Path, *records: Vitals) -> dict[str, float]:
    for number, record in enumerate(records):
        record.path = str(tmp_path / f"{number}.txt")
        record.tell()
    return read_vitals(tmp_path)


def test_a_loop_that_is_never_blocked_has_no_lag(loop: Loop, tmp_path: Path) -> None:
    record = Vitals("")
    Heart(loop, record)
    loop.run(995)
    metrics = told(tmp_path, record)
    assert metrics["blocked_ms"] == 0
    assert metrics["loop_lag_ms.max"] == 0
    assert metrics["loop_lag_ms.p50"] < 0.02
    assert "loop_lag_ms.p99" not in metrics, "99 beats say nothing about the slowest in a hundred"


@pytest.mark.parametrize("block_ms", [20, 50, 400])
def test_blocks_are_found_whatever_their_phase(loop: Loop, tmp_path: Path, block_ms: int) -> None:
    record = Vitals(str(tmp_path / "0.txt"))
    Heart(loop, record)
    for number in range(20):
        loop.run(loop.now_ns / MS + 500 + number / 2)  # the phases cover an interval
        loop.block(block_ms)
    loop.run(loop.now_ns / MS + 500)
    metrics = told(tmp_path, record)
    assert metrics["blocked_ms"] == pytest.approx(20 * block_ms, rel=0.03)
    assert metrics["loop_lag_ms.max"] <= block_ms


def test_one_long_block_is_more_than_one_late_beat(loop: Loop, tmp_path: Path) -> None:
    record = Vitals(str(tmp_path / "0.txt"))
    Heart(loop, record)
    loop.run(5_000)
    loop.block(5_000)
    loop.run(10_001)
    # Half of the time nothing could run; callbacks due in it waited 2.5 s on average.
    assert sum(record.lags.values()) == pytest.approx(1000, abs=2)
    assert told(tmp_path, record)["loop_lag_ms.p50"] < 20
    late = sum(number for bucket, number in record.lags.items() if middle_ns(bucket) > 2500 * MS)
    assert late == pytest.approx(250, abs=12)


def test_a_block_that_ends_the_loop_counts(loop: Loop, tmp_path: Path) -> None:
    record = Vitals(str(tmp_path / "0.txt"))
    heart = Heart(loop, record)
    loop.run(55)
    loop.block(300)
    heart.stop()
    assert told(tmp_path, record)["blocked_ms"] == pytest.approx(300)


def test_tasks_at_the_end_are_those_before_the_bot_cleans_up(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Vitals(str(tmp_path / "0.txt"))
    heart = Heart(loop, record)
    loop.run(3000)
    monkeypatch.setattr(Heart, "_count_tasks", lambda _: 0)
    heart.stop()
    assert told(tmp_path, record)["tasks_end"] == 5


def test_loops_are_added_up_and_lags_pooled(tmp_path: Path) -> None:
    first, second, idle = Vitals(""), Vitals(""), Vitals("")
    for _ in range(1000):
        first.note(MS)
    second.note(60 * MS)
    first.tasks_max, second.tasks_max, first.gc_ns = 7, 3, 5 * MS
    metrics = told(tmp_path, first, second, idle)
    assert metrics["tasks_max"] == 10
    assert metrics["gc_ms"] == 5
    assert metrics["blocked_ms"] == pytest.approx(65)
    assert metrics["loop_lag_ms.max"] == 60
    assert metrics["loop_lag_ms.p50"] == pytest.approx(1, rel=0.04)
    assert metrics["loop_lag_ms.p99"] == pytest.approx(1, rel=0.04)


def test_without_a_loop_there_are_no_figures(tmp_path: Path) -> None:
    assert told(tmp_path) == {}
    assert told(tmp_path, Vitals("")) == {}


@pytest.mark.parametrize("lag_ns", [0, 16_383, 16_384, 20_000, MS, 7 * MS, 123_456_789, 10**11])
def test_buckets_are_narrow(lag_ns: int) -> None:
    assert middle_ns(bucket_of(lag_ns)) == pytest.approx(lag_ns, rel=0.04, abs=9_000)


def test_buckets_are_in_order() -> None:
    lags = [round(1.01**power) for power in range(2500)]
    assert [bucket_of(lag) for lag in lags] == sorted(bucket_of(lag) for lag in lags)
    assert INTERVAL_NS == 10 * MS


def test_a_folder_that_is_gone_does_not_end_the_bot(tmp_path: Path) -> None:
    Vitals(str(tmp_path / "gone" / "1.txt")).tell()
    assert not list(tmp_path.iterdir())


def test_what_is_told_names_every_figure(tmp_path: Path) -> None:
    Vitals(str(tmp_path / "1.txt")).tell()
    assert set(literal_eval((tmp_path / "1.txt").read_text())) == set(Vitals.TOLD)
