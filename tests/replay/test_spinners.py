from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from perfscan.replay.placement import available_cpus
from perfscan.replay.spinners import possible, spinning

pytestmark = pytest.mark.skipif(not possible(), reason="no SCHED_IDLE on this system")


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


def test_each_processor_has_a_spinner_of_idle_priority_until_the_end() -> None:
    cpus = available_cpus()
    with spinning(cpus) as found:
        assert len(found.pids) == len(cpus)
        assert eventually(
            lambda: {os.sched_getscheduler(pid) for pid in found.pids} == {os.SCHED_IDLE}
        )
        placed = [os.sched_getaffinity(pid) for pid in found.pids]
        assert sorted(placed, key=min) == [{cpu} for cpu in cpus]
        assert found.cpu_s() >= 0
    assert not any(psutil.pid_exists(pid) for pid in found.pids)


def test_spinners_die_with_a_killed_parent() -> None:
    code = (
        "import sys; from perfscan.replay.spinners import spinning\n"
        "with spinning([0]) as found:\n"
        "    print(*found.pids, flush=True); sys.stdin.read()\n"
    )
    cpu = str(available_cpus()[0])
    with subprocess.Popen(
        [sys.executable, "-P", "-c", code.replace("[0]", f"[{cpu}]")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert eventually(lambda: os.sched_getscheduler(pid) == os.SCHED_IDLE)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert eventually(lambda: not psutil.pid_exists(pid))
