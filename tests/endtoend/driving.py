"""What tests of whole replays share: recordings made call by call, and a bench of one bot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endtoend.toy import MS, Done, Perfscan

from perfscan.replay.model import (
    Event,
    Message,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.recording import write_recording

BRIEF = ("--pairs", "1", "--no-scan", "-q")
API = "api.example.test"
JSON = (("Content-Type", "application/json"),)


class Traffic:
    """Builds a recording; times in milliseconds."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._numbers = iter(range(1, 10_000))

    def open(self, at: float, host: str, *, port: int = 443, inbound: bool = False) -> int:
        number = next(self._numbers)
        scheme = "http" if inbound else "https"
        self.events.append(Open(number, round(at * MS), scheme, host, port, inbound=inbound))
        return number

    def ask(
        self,
        connection: int,
        at: float,
        request: str,
        body: Any = None,
        *,
        answer: Any = None,
        after: float = 10,
        status: int = 200,
    ) -> None:
        """One exchange; ``after`` milliseconds later it is answered."""
        number = next(self._numbers)
        method, target = request.split(" ")
        data = b"" if body is None else json.dumps(body).encode()
        sent_ns, done_ns = round(at * MS), round((at + after) * MS)
        headers = JSON if data else ()
        said = b"" if answer is None else json.dumps(answer).encode()
        self.events += [
            Request(number, connection, sent_ns, method, target, headers, data),
            Response(number, connection, done_ns, done_ns, status, JSON, said),
        ]

    def message(self, connection: int, at: float, direction: Any, said: Any) -> None:
        self.events.append(Message(connection, round(at * MS), direction, json.dumps(said)))

    def recording(self) -> Recording:
        ordered = tuple(sorted(self.events, key=lambda event: event.at_ns))
        return Recording(RecordingHeader(source="built for a test"), ordered)


@dataclass
class Bench:
    """A scenario with one bot on both sides; ``change`` alters the optimized one."""

    folder: Path
    perfscan: Perfscan

    def write(self, bot: str, traffic: Traffic, items: dict[str, Any], **more: Any) -> None:
        for side in ("original", "optimized"):
            (self.folder / side).mkdir()
            (self.folder / side / "bot.py").write_text(bot, "utf-8")
        write_recording(traffic.recording(), self.folder / "traffic.jsonl")
        side = {"command": ["python", "bot.py"], **more.pop("side", {})}
        scenario = {
            "schema": "perfscan.scenario/1",
            "name": "driven",
            "recording": "traffic.jsonl",
            "implementations": {
                name: {**side, "directory": name} for name in ("original", "optimized")
            },
            "items": {"settle_s": 1, **items},
            "primary": "item_latency_ms.p50",
            **more,
        }
        (self.folder / "scenario.yaml").write_text(json.dumps(scenario), "utf-8")

    def change(self, old: str, new: str) -> None:
        file = self.folder / "optimized" / "bot.py"
        source = file.read_text("utf-8")
        assert old in source
        file.write_text(source.replace(old, new), "utf-8")

    def run(self, *words: str) -> tuple[Done, dict[str, Any]]:
        done = self.perfscan("bench", "replay", "scenario.yaml", *BRIEF, "-o", "run.json", *words)
        file = self.folder / "run.json"
        run: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
        return done, run


def differences(run: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["key"], one["kind"]) for one in run["equivalence"]["differences"]]


def metrics(run: dict[str, Any], side: str = "optimized") -> dict[str, float]:
    found: dict[str, float] = run["implementations"][side]["runs"][0]["metrics"]
    return found
