"""Temporary folders that go away in any case, with every process that still works in them.

A folder that ``tempfile`` makes outlives a ``kill -9``, and so do bots that nobody guards any more.
Here a small process of its own makes the folder, waits until its standard input ends, which happens
when whoever asked for the folder is gone for whatever reason, and then clears up.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROUNDS = 200
_PAUSE_S = 0.01


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """Yield a new folder; when the block ends, or this process dies, it is removed.

    Processes that name the folder in their command line or environment are killed first.
    """
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, prefix],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with keeper:  # leaving it closes the pipes and waits
        assert keeper.stdout is not None
        name = keeper.stdout.readline().decode().rstrip("\n")
        if not name:
            raise OSError(f"no temporary folder below {tempfile.gettempdir()}")
        yield Path(name)


def _keep(prefix: str) -> None:
    """Make a folder, tell its name, and clear up when standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    folder = tempfile.mkdtemp(prefix=prefix)
    try:
        sys.stdout.write(f"{folder}\n")
        sys.stdout.flush()
        while os.read(sys.stdin.fileno(), 4096):
            pass
    finally:
        _kill_all(os.fsencode(folder))
        shutil.rmtree(folder, ignore_errors=True)


def _kill_all(folder: bytes) -> None:
    """Kill every process that names ``folder``, and those that they start meanwhile."""
    for _ in range(_ROUNDS):
        found = _processes_naming(folder)
        if not found:
            return
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except OSError:  # it has ended, or belongs to somebody else
                continue
        time.sleep(_PAUSE_S)


def _processes_naming(folder: bytes) -> list[int]:
    if not Path("/proc").is_dir():
        return []
    return [
        process
        for process in (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
        if process not in (os.getpid(), os.getppid()) and folder in _words(process)
    ]


def _words(process: int) -> bytes:
    """Return the command line and environment of a process; nothing where they are not ours."""
    words = b""
    for name in ("cmdline", "environ"):
        try:
            words += Path(f"/proc/{process}/{name}").read_bytes()
        except OSError:
            continue
    return words


if __name__ == "__main__":
    _keep(sys.argv[1])
