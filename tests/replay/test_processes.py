"""What is read of processes from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from perfscan.replay.processes import ProcessTree, describe_end, stop


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit status 0"),
        (3, "exit status 3"),
        (-9, "killed by SIGKILL"),
        (-4242, "killed by signal 4242"),
    ],
)
def test_ends_in_words(code: int, words: str) -> None:
    assert describe_end(code) == words


def start(code: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_process_that_obeys_ends_in_good_order() -> None:
    with start("import time; print(flush=True); time.sleep(60)") as process:
        assert stop(process, patience_s=10)
        assert process.returncode == -15


def test_a_process_that_ignores_the_signal_is_killed_with_its_children() -> None:
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        "if child: print(child, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    )
    with process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        assert not stop(process, patience_s=0.2)
        assert process.returncode == -9
        _, alive = psutil.wait_procs([child], timeout=10)
        assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def test_memory_of_children_counts() -> None:
    grow = "held = bytearray(60_000_000)"
    code = f"import os, time\nif not os.fork(): {grow}\nprint(flush=True)\ntime.sleep(60)\n"
    with start(code) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the second line is the child's, or the parent's
        tree = ProcessTree(process.pid)
        tree.sample()
        metrics = tree.metrics()
        stop(process, patience_s=5)
    assert metrics["peak_rss_mb"] >= metrics["mean_rss_mb"] == metrics["end_rss_mb"] > 60
    assert metrics["processes_max"] == 2
    assert metrics["threads_max"] >= 2
    assert metrics["descriptors_max"] >= 2 * 3
    assert "rss_growth_mb_per_min" not in metrics


def test_the_time_of_children_counts_when_they_are_gone() -> None:
    work = "end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
    child = f"import time\n{work}"
    code = (
        f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {child!r}])\n"
        "print(flush=True)\ntime.sleep(60)\n"
    )
    with start(code) as process:
        tree = ProcessTree(process.pid)
        tree.sample()
        metrics = tree.metrics()
        stop(process, patience_s=5)
    assert metrics["cpu_s"] >= 0.3
    assert metrics["processes_max"] == 1


def test_growth_needs_time_and_leaves_out_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    tree = ProcessTree(os.getpid(), clock=lambda: now)
    sizes = iter([*([50_000_000] * 5), *(100_000_000 + 1_000_000 * step for step in range(16))])
    memory = SimpleNamespace(rss=0)
    monkeypatch.setattr(psutil.Process, "memory_info", lambda _: memory)
    monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: [])
    for step in range(21):
        now, memory.rss = step * 3.0, next(sizes)
        tree.sample()
        assert ("rss_growth_mb_per_min" in tree.metrics()) is (now >= 60)
    # A million bytes every 3 seconds, whatever the first quarter did.
    assert tree.metrics()["rss_growth_mb_per_min"] == pytest.approx(20)
