"""SIGKILL at random moments: finished runs are kept, nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from endtoend.toy import Toy, heed_interrupts, perfscan_command

from perfscan.replay.result import read_result

pytestmark = pytest.mark.endtoend

VICTIMS = {
    "perfscan": "-m perfscan bench",
    "server": "perfscan.replay.server.serve",
    "bot": "bot.py",
}
TIMES = int(os.environ.get("PERFSCAN_KILLS", "2"))
"""Kills of each kind; ``PERFSCAN_KILLS=17 pytest tests/endtoend/test_kills.py`` makes 51."""


def descendants(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def command_line(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def own_processes(folder: Path) -> list[psutil.Process]:
    """Return the processes that work for a bench whose temporary files lie in ``folder``.

    Among them is the one that holds the network namespace; without it there is none, and no port.
    """
    needle = os.fsencode(folder)
    found = []
    for process in psutil.process_iter():
        words = b""
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                words += Path(f"/proc/{process.pid}/{name}").read_bytes()
        if needle in words and process.pid != os.getpid():
            found.append(process)
    return found


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """A place for temporary files whose name every process of the bench inherits."""
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        yield Path(name)


@pytest.mark.parametrize("number", range(TIMES))
@pytest.mark.parametrize("victim", VICTIMS)
def test_nothing_is_left_but_what_was_finished(
    victim: str, number: int, toy: Toy, temporary: Path
) -> None:
    draw = random.Random(f"{victim} {number}")
    result = toy.folder / "run.json"
    command = perfscan_command(
        "bench", "replay", toy.scenario, "--pairs", "2", "--lanes", "2", "--no-scan", "-o", result
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        command,
        cwd=toy.folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    ) as bench:
        time.sleep(draw.uniform(0.1, 7.0))  # the random moment
        found = [
            process
            for process in descendants(psutil.Process(bench.pid))
            if VICTIMS[victim] in command_line(process)
        ]
        if found:
            with contextlib.suppress(psutil.NoSuchProcess):
                draw.choice(found).send_signal(signal.SIGKILL)
        _, printed = bench.communicate(timeout=120)
    assert "Traceback" not in printed
    _wait_until_quiet(temporary)
    assert not own_processes(temporary)
    assert not list(temporary.iterdir())
    if result.exists():
        finished = read_result(result)
        assert all(run.problem or run.items for run in finished.runs)
        assert json.loads(result.read_text("utf-8"))["schema"] == "perfscan.run/1"


def _wait_until_quiet(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (own_processes(folder) or list(folder.iterdir())):
        time.sleep(0.05)
