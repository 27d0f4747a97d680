"""The upstream server as a process of its own, seen from the runner."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from perfscan.errors import NotMeasurableError
from perfscan.replay.certificates import Authority
from perfscan.replay.model import Scenario
from perfscan.replay.network import Network
from perfscan.replay.processes import describe_end, stop

START_LIMIT_S = 20.0


class ServerProcess:
    """``python -m perfscan.replay.server.serve`` for one run; a context manager.

    The server inherits the listening sockets, so it answers inside the bot's network while it
    runs outside of it.
    """

    def __init__(
        self,
        scenario: Scenario,
        network: Network,
        authority: Authority,
        folder: Path,
        *,
        speed: float,
        seed: int,
        until_s: float | None,
    ) -> None:
        self._folder = folder
        self._status: Mapping[str, float] = {}
        self._origin_ns: int | None = None
        self._ready = threading.Event()
        config = {
            "scenario": str(scenario.path),
            "listeners": [
                {"fd": listener.fileno(), "port": port}
                for port, listener in network.listeners.items()
            ],
            "ca": str(authority.folder),
            "journal": str(folder / "journal.jsonl"),
            "speed": speed,
            "seed": seed,
            "until_s": until_s,
            "faults": [fault.spec for fault in scenario.emulated.faults],
        }
        self._config = folder / "serve.json"
        self._config.write_text(json.dumps(config), "utf-8")
        self._descriptors = [listener.fileno() for listener in network.listeners.values()]

    def __enter__(self) -> Self:
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "perfscan.replay.server.serve", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=self._descriptors,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        deadline = time.monotonic() + START_LIMIT_S
        while not self._ready.wait(0.05):
            problem = self.problem()
            if problem or time.monotonic() > deadline:
                self.close()
                raise NotMeasurableError(problem or "the upstream server did not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server, which writes the rest of its journal, and wait for it."""
        stop(self._process, patience_s=10)
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def status(self) -> Mapping[str, float]:
        """Return the server's newest status line; empty before the first one."""
        return self._status

    def run_time(self, monotonic_ns: int) -> int:
        """Turn a reading of the system's monotonic clock into the journal's time."""
        if self._origin_ns is None:
            raise RuntimeError("the server is not ready")
        return monotonic_ns - self._origin_ns

    def problem(self) -> str:
        """Return one line when the server has stopped by itself, else an empty string."""
        code = self._process.poll()
        if code is None:
            return ""
        lines = (self._folder / "server.log").read_text("utf-8", "replace").splitlines()
        last = f": {lines[-1]}" if lines else ""
        return f"the upstream server stopped ({describe_end(code)}){last}"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("ready"):
                self._origin_ns = int(message["origin_ns"])
                self._ready.set()
            else:
                self._status = message
