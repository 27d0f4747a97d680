"""What is read of processes from outside."""

from __future__ import annotations

import subprocess
import sys

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
        usage = tree.usage()
        stop(process, patience_s=5)
    assert usage.peak_rss_mb > 60
    assert usage.cpu_s >= 0
