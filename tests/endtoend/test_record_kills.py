"""SIGKILL while a bot is recorded: the recording can be read, nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from endtoend.recorded import Service, prepare

from perfscan.replay.exchanges import exchanges
from perfscan.replay.recording import read_recording

pytestmark = pytest.mark.endtoend

TIMES = int(os.environ.get("PERFSCAN_KILLS", "2"))
"""Kills of each kind; ``PERFSCAN_KILLS=10 pytest tests/endtoend/test_record_kills.py`` makes 20."""
# Asks in two threads and prints a line for each answer, for at most 20 s.
BOT = """
    import subprocess, sys, threading, time, urllib.request
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"], stdout=-3)
    def ask():
        until = time.monotonic() + 20
        while time.monotonic() < until:
            urllib.request.urlopen("https://api.example.test/x?token=abcdefgh12").read()
            sys.stdout.write("done\\n")
            sys.stdout.flush()
    threading.Thread(target=ask, daemon=True).start()
    ask()
"""


def processes(folder: Path) -> list[psutil.Process]:
    """Return what runs for a recording whose temporary files lie in ``folder``."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if str(folder) in process.environ().get("TMPDIR", ""):
                found.append(process)
    return found


def listening_ports(process: psutil.Process) -> set[int]:
    """Return the TCP ports on which a process and its children listen."""
    return {
        connection.laddr.port
        for one in (process, *process.children(recursive=True))
        for connection in one.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        yield Path(name)


@pytest.mark.parametrize("number", range(TIMES))
@pytest.mark.parametrize("victim", ["bot", "perfscan"])
def test_a_kill_loses_at_most_the_last_line(
    victim: str, number: int, tmp_path: Path, temporary: Path, service: Service
) -> None:
    draw = random.Random(f"{victim} {number}")
    with subprocess.Popen(
        prepare(tmp_path, service, BOT),
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as recorder:
        assert recorder.stdout is not None
        answered = draw.randrange(1, 40)
        for _ in range(answered):
            assert recorder.stdout.readline() == "done\n"
        time.sleep(draw.uniform(0, 0.01))  # the random moment
        (bot,) = (
            process
            for process in psutil.Process(recorder.pid).children()
            if process.cmdline()[1:] == [str(tmp_path / "bot.py")]
        )
        ports = listening_ports(psutil.Process(recorder.pid))
        assert ports
        assert all(map(answers, ports))
        (bot if victim == "bot" else psutil.Process(recorder.pid)).kill()
        answered += len(recorder.stdout.readlines())
    assert recorder.returncode == (128 + signal.SIGKILL if victim == "bot" else -signal.SIGKILL)
    path = tmp_path / "t.jsonl"
    found = exchanges(read_recording(path))
    complete = [exchange for exchange in found if exchange.response is not None]
    assert len(complete) >= answered - 2  # written is what both threads were told before
    lines = path.read_bytes().split(b"\n")
    assert all(line.startswith(b"{") and line.endswith(b"}") for line in lines[:-1])
    assert b"abcdefgh12" not in path.read_bytes()
    _wait_until_quiet(temporary)
    assert not processes(temporary)
    assert not list(temporary.iterdir())
    assert not any(map(answers, ports))


def _wait_until_quiet(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (processes(folder) or list(folder.iterdir())):
        time.sleep(0.05)
