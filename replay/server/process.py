"""The upstream server as a process of its own, seen from the runner."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from perfscan.replay.certificates import Authority
from perfscan.replay.child_process import START_LIMIT_S, ChildProcess
from perfscan.replay.model import Scenario
from perfscan.replay.network import Network

INDEXED_PER_S = 1_000_000
"""Bytes of a recording, which may be compressed, that are read in a second at the very least."""


class ServerProcess(ChildProcess):
    """``python -m perfscan.replay.server.serve`` for one run; a context manager.

    The server inherits the listening sockets, so it answers inside the bot's network while it
    runs outside of it. ``recording`` stands in place of the scenario's.
    """

    def __init__(
        self,
        scenario: Scenario,
        recording: Path,
        network: Network,
        authority: Authority,
        folder: Path,
        *,
        speed: float,
        seed: int,
        until_s: float | None,
        cpus: Sequence[int] | None = None,
    ) -> None:
        self._origin_ns: int | None = None
        config = {
            "scenario": str(scenario.path),
            "recording": str(recording),
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
            "cpus": list(cpus or ()),
        }
        file = folder / "serve.json"
        file.write_text(json.dumps(config), "utf-8")
        super().__init__(
            "the upstream server",
            [sys.executable, "-P", "-m", "perfscan.replay.server.serve", str(file)],
            folder / "server.log",
            [listener.fileno() for listener in network.listeners.values()],
            START_LIMIT_S + recording.stat().st_size / INDEXED_PER_S,
        )

    def started(self, message: Mapping[str, Any]) -> None:
        """Note when the run's time began."""
        self._origin_ns = int(message["origin_ns"])

    @property
    def origin_ns(self) -> int:
        """Reading of the system's monotonic clock at time 0 of the run."""
        if self._origin_ns is None:
            raise RuntimeError("the server is not ready")
        return self._origin_ns

    def run_time(self, monotonic_ns: int) -> int:
        """Turn a reading of the system's monotonic clock into the journal's time."""
        return monotonic_ns - self.origin_ns
