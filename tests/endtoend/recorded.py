"""What is needed to record a bot given as source against a real local service."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from endtoend import service as service_module

from perfscan.replay.exchanges import Exchange, exchanges
from perfscan.replay.model import Recording
from perfscan.replay.recording import read_recording

SECRET = "s3cret-of-the-environment"
API, STREAM = service_module.HOSTS


@dataclass(frozen=True)
class Service:
    folder: Path
    plain: int
    tls: int

    def options(self) -> list[str]:
        mapped = [
            f"{host}:{real}=127.0.0.1:{local}"
            for host in (API, STREAM)
            for real, local in ((80, self.plain), (443, self.tls))
        ]
        mapped.append("refused.example.test=127.0.0.1:1")
        words = [word for value in mapped for word in ("--map", value)]
        return [*words, "--upstream-ca", str(self.folder / "ca.pem")]


@dataclass(frozen=True)
class Recorded:
    status: int
    stdout: str
    stderr: str
    path: Path

    @property
    def recording(self) -> Recording:
        return read_recording(self.path)

    @property
    def requests(self) -> list[Exchange]:
        return [found for found in exchanges(self.recording) if not found.is_websocket]


Record = Callable[..., Recorded]


def prepare(
    folder: Path, service: Service, source: str, *options: str, arguments: tuple[str, ...] = ()
) -> list[str]:
    (folder / "bot.py").write_text(textwrap.dedent(source), "utf-8")
    perfscan = [sys.executable, "-P", "-m", "perfscan", "record", "-o", str(folder / "t.jsonl")]
    words = [*perfscan, *service.options(), *options, "--"]
    return [*words, sys.executable, str(folder / "bot.py"), *arguments]


def record_bot(
    folder: Path,
    service: Service,
    source: str,
    *options: str,
    stdin: str = "",
    arguments: tuple[str, ...] = (),
    limit: int | None = None,
) -> Recorded:
    """Record a bot given as source to its end; with ``limit`` on open files at first."""
    command = prepare(folder, service, source, *options, arguments=arguments)
    if limit:
        command = ["sh", "-c", f'ulimit -S -n {limit}; exec "$@"', "sh", *command]
    done = subprocess.run(
        command,
        env={**os.environ, "SERVICE_TOKEN": SECRET},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Recorded(done.returncode, done.stdout, done.stderr, folder / "t.jsonl")
