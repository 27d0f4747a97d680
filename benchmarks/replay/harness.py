"""Processes that benchmarks measure: started, pinned to a core, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from perfscan.replay.server.journal import read_observation

HERE = Path(__file__).parent
START_LIMIT_S = 120.0


def cores() -> tuple[int, int]:
    """Return a core for the server and one for the client; the same where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[-1], usable[0]


def pinned(command: list[str], cpu: int) -> str:
    """Run ``command`` on one core; returns what it printed."""
    done = subprocess.run(["taskset", "-c", str(cpu), *command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed: {done.stderr or done.stdout}")
    return done.stdout


@contextlib.contextmanager
def process(command: list[str], *inherited: socket.socket, cpu: int) -> Iterator[int]:
    """Run a program on one core until the block ends; yields its process id."""
    with subprocess.Popen(
        ["taskset", "-c", str(cpu), *command],
        pass_fds=[one.fileno() for one in inherited],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as started:
        try:
            yield started.pid
        finally:
            started.terminate()


def wait_for(port: int, request: bytes) -> None:
    """Return once a server answers."""
    until_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until_s:
        address = "127.0.0.1", port
        with (
            contextlib.suppress(OSError),
            socket.create_connection(address, timeout=START_LIMIT_S) as sock,
        ):
            sock.sendall(request)
            if sock.recv(1):
                return
        time.sleep(0.05)
    raise SystemExit(f"no answer on port {port} within {START_LIMIT_S:.0f} s")


@dataclass(slots=True)
class Upstream:
    """The upstream server, playing a recording."""

    pid: int
    port: int
    status: Mapping[str, float] = field(default_factory=dict)
    """The newest of its status lines."""


@contextlib.contextmanager
def upstream(
    recording: Path, folder: Path, *, journal: Path | None, cpu: int
) -> Iterator[Upstream]:
    """Serve ``recording`` as plain HTTP on one core, as ``bench replay`` does."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        config = {
            "recording": str(recording),
            "listeners": [{"fd": listener.fileno(), "port": 80, "tls": False}],
        }
        if journal:
            config["journal"] = str(journal)
        order = folder / f"serve-{listener.fileno()}.json"
        order.write_text(json.dumps(config), "utf-8")
        command = [sys.executable, "-P", "-m", "perfscan.replay.server.serve", str(order)]
        with subprocess.Popen(
            ["taskset", "-c", str(cpu), *command],
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        ) as started:
            assert started.stdout is not None
            if not started.stdout.readline():
                raise SystemExit("the upstream server did not start")
            served = Upstream(started.pid, listener.getsockname()[1])

            def follow() -> None:
                for line in started.stdout or ():
                    served.status = json.loads(line)

            reader = threading.Thread(target=follow)
            reader.start()
            try:
                yield served
            finally:
                started.terminate()
                reader.join()


def lateness_ms(journal: Path, kind: type) -> list[float]:
    """Return how late each event of ``kind`` (Served or Pushed) was, in order of size."""
    events = read_observation(journal).events
    return sorted((event.at_ns - event.due_ns) / 1e6 for event in events if isinstance(event, kind))
