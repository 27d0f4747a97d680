"""A service that runs, and the ground that it runs on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from perfscan.errors import NotMeasurableError
from perfscan.replay.network import Network
from perfscan.replay.processes import describe_end, stop

START_LIMIT_S = 20.0
STOP_LIMIT_S = 5.0
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service keeps its files, and the network in which it listens."""

    folder: Path
    """Exists; takes the service's log and its data."""
    network: Network

    @property
    def data(self) -> Path:
        """The folder of its data; where it exists already the service begins with that."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the service prints."""
        return self.folder / "log"

    def port(self, usual: int) -> int:
        """Return the usual port in a network of its own, else one that is free."""
        if self.network.isolated:
            return usual
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            found: int = probe.getsockname()[1]
            return found


@dataclass(frozen=True, slots=True)
class Service:
    """A running service."""

    name: str
    url: str
    """Where a bot finds it."""
    process: subprocess.Popen[bytes]
    end_signal: signal.Signals = signal.SIGTERM
    """What it takes as an order to stop at once."""

    def problem(self) -> str:
        """Return one line when the service has stopped by itself, else an empty string."""
        code = self.process.poll()
        return "" if code is None else f"service {self.name} stopped ({describe_end(code)})"

    def stop(self) -> None:
        """End the service; by force where it does not obey in time."""
        if self.process.poll() is None:
            self.process.send_signal(self.end_signal)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_LIMIT_S)
        stop(self.process, STOP_LIMIT_S)  # whatever it has started, too


def launch(
    name: str,
    url: str,
    command: Sequence[str],
    place: Place,
    ready: Callable[[], bool],
    *,
    environment: Mapping[str, str] | None = None,
    end_signal: signal.Signals = signal.SIGTERM,
) -> Service:
    """Start ``command`` in the service's network and wait until it is ``ready``.

    Raises NotMeasurableError with the last line that it printed when it ends or takes too long.
    """
    with place.log.open("wb") as log:
        process = subprocess.Popen(
            place.network.command(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            start_new_session=True,
        )
    service = Service(name, url, process, end_signal)
    deadline = time.monotonic() + START_LIMIT_S
    try:
        while not ready():
            problem = service.problem()
            if problem or time.monotonic() > deadline:
                raise NotMeasurableError(
                    problem or f"service {name} did not answer within {START_LIMIT_S:.0f} s",
                    remedy=f"it printed: {_last_line(place.log)}",
                )
            time.sleep(_POLL_S)
    except BaseException:
        service.stop()
        raise
    return service


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing"


@contextmanager
def unix_connection(folder: Path, name: str) -> Iterator[socket.socket]:
    """Connect to the Unix socket ``name`` in ``folder``, whose path may be of any length.

    Unix sockets cross network namespaces, so this reaches a service that nothing else can.
    """
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(START_LIMIT_S)
            client.connect(f"/proc/self/fd/{directory}/{name}")
            yield client
    finally:
        os.close(directory)
