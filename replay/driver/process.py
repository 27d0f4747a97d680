"""The inbound driver as a process of its own, seen from the runner."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from perfscan.replay.child_process import ChildProcess
from perfscan.replay.model import Implementation, Open, Recording
from perfscan.replay.network import Network

JOURNAL = "driver.jsonl"


def inbound_ports(recording: Recording) -> tuple[int, ...]:
    """Return the ports on which the recorded bot was connected to; none for most bots."""
    opens = (event for event in recording.events if isinstance(event, Open))
    return tuple(sorted({opened.port for opened in opens if opened.inbound}))


class DriverProcess(ChildProcess):
    """``python -m perfscan.replay.driver.drive`` for one run; a context manager.

    It runs inside the bot's network, on the clock of the upstream server (``origin_ns``).
    """

    def __init__(
        self,
        recording: Path,
        ports: tuple[int, ...],
        side: Implementation,
        network: Network,
        folder: Path,
        *,
        origin_ns: int,
        speed: float,
        until_s: float | None,
        cpus: Sequence[int] = (),
    ) -> None:
        self.ports = tuple(side.listens or port for port in ports)
        config = {
            "recording": str(recording),
            "ports": dict(zip(map(str, ports), self.ports, strict=True)),
            "origin_ns": origin_ns,
            "journal": str(folder / JOURNAL),
            "speed": speed,
            "until_s": until_s,
            "cpus": list(cpus),
        }
        file = folder / "drive.json"
        file.write_text(json.dumps(config), "utf-8")
        command = [sys.executable, "-P", "-m", "perfscan.replay.driver.drive", str(file)]
        super().__init__("the inbound driver", network.command(command), folder / "driver.log")
