"""Folders that go away in any case."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from perfscan.replay.scratch import scratch_folder

OWNER = """
import subprocess, sys, time
from perfscan.replay.scratch import scratch_folder
with scratch_folder("perfscan-test-") as folder:
    (folder / "file").write_text("something")
    inner = subprocess.Popen(
        [sys.executable, "-I", "-c", "import time; print(1, flush=True); time.sleep(600)"],
        env={"WHERE": f"{folder}/x"}, stdout=subprocess.PIPE, start_new_session=True,
    )
    inner.stdout.readline()
    print(folder, inner.pid, flush=True)
    time.sleep(600)
"""


def gone(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_the_folder_is_there_and_then_not() -> None:
    with scratch_folder("perfscan-test-") as folder:
        (folder / "inner").mkdir()
        assert folder.is_dir()
    assert not folder.exists()


def test_it_goes_also_when_the_block_fails() -> None:
    with pytest.raises(ValueError, match="on purpose"), scratch_folder("perfscan-test-") as folder:
        raise ValueError("on purpose")
    assert not folder.exists()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found through /proc")
def test_a_killed_owner_leaves_neither_folder_nor_process() -> None:
    with subprocess.Popen([sys.executable, "-P", "-c", OWNER], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        name, process = owner.stdout.readline().split()
        owner.kill()
        # The keeper of the folder holds the other end of nothing that we could wait on.
        deadline = 1000
        while (Path(os.fsdecode(name)).exists() or not gone(int(process))) and deadline:
            os.sched_yield()
            deadline -= 1
            subprocess.run(["sleep", "0.01"], check=True)
    assert not Path(os.fsdecode(name)).exists()
    assert gone(int(process))


def test_other_processes_are_left_alone() -> None:
    program = "import time; print(1, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with scratch_folder("perfscan-test-"):
            pass
        assert other.poll() is None
        other.kill()
