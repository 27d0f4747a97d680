"""Workers find together what one process finds alone, and never outlive the scan."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perfscan.analyzers import fresh
from perfscan.analyzers.engine import analyze
from perfscan.analyzers.workers import Exchange, WorkerLostError, alone, can_fork, together

BOTS = Path(__file__).parents[2] / "fixtures" / "bots"

pytestmark = pytest.mark.skipif(not can_fork(), reason="nothing is forked here")


def test_parts_go_round_in_order() -> None:
    def work(number: int, exchange: Exchange) -> list[Any]:
        return [exchange(number), exchange([number] * 100_000)[1][0]]

    assert together(work, 3) == [[[0, 1, 2], 1]] * 3
    assert alone("part") == ["part"]


def test_what_a_worker_raises_comes_out_with_its_traceback() -> None:
    def work(number: int, exchange: Exchange) -> None:
        if number == 1:
            raise LookupError("here")

    with pytest.raises(LookupError, match="here") as caught:
        together(work, 2)
    assert "raise LookupError" in caught.value.__notes__[0]


def test_a_killed_worker_is_noticed(tmp_path: Path) -> None:
    def work(number: int, exchange: Exchange) -> None:
        (tmp_path / str(os.getpid())).touch()
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        exchange(number)

    with pytest.raises(WorkerLostError):
        together(work, 2)
    for worker in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(worker.name), 0)


@pytest.mark.parametrize("cached", [False, True])
def test_two_find_what_one_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    monkeypatch.setattr(fresh, "_FORK_BYTES", 0)
    cache = tmp_path if cached else None
    one = analyze([BOTS], root=BOTS, possible=True)
    for jobs in (2, 3):
        several = analyze([BOTS], root=BOTS, possible=True, jobs=jobs, cache=cache)
        assert replace(several, cached_files=0) == one
    assert len(one.findings) > 10


def test_a_lost_worker_makes_the_scan_slower_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text("import time\nasync def f():\n    time.sleep(1)\n")

    def lose(work: object, count: int) -> None:
        raise WorkerLostError

    monkeypatch.setattr(fresh, "_FORK_BYTES", 0)
    monkeypatch.setattr(fresh, "together", lose)
    assert len(analyze([tmp_path], root=tmp_path, jobs=2).findings) == 1


def test_more_workers_than_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.py").write_text("import time\nasync def f():\n    time.sleep(1)\n")
    monkeypatch.setattr(fresh, "_FORK_BYTES", 0)
    assert len(analyze([tmp_path], root=tmp_path, jobs=4).findings) == 1


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from perfscan.analyzers import fresh, scanning
from perfscan.cli.main import execute

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell runs it with &
parent = os.getpid()
read = scanning.Shelf.read

def slow(self, index):
    if os.getpid() != parent:
        Path(sys.argv[2], str(os.getpid())).touch()
        os.kill(parent, signal.SIGINT)
        signal.pause()
    return read(self, index)

scanning.Shelf.read = slow
fresh._FORK_BYTES = 0
sys.exit(execute(["analyze", "--jobs", "2", sys.argv[1]]))
"""


def test_an_interrupt_stops_the_workers(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-P", "-c", INTERRUPTED, str(BOTS), str(tmp_path)],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 130, run.stderr
    assert b"Traceback" not in run.stderr
    workers = [int(file.name) for file in tmp_path.iterdir()]
    assert workers
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
