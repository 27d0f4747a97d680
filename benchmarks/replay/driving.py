"""How late the inbound driver is when a thousand requests a second are due."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness import cores, lateness_ms, upstream
from rows import Row

from perfscan.replay.exchanges import turned
from perfscan.replay.model import (
    Driven,
    Event,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.recording import write_recording

TITLE = "Inbound driver: how late requests go out at 1,000 a second (Poisson), 32 connections"
PER_S = 1000
CONNECTIONS = 32
GOAL_MS = 0.2
SECOND = 1_000_000_000
PORT = 8000


def measure(quick: bool) -> Iterator[Row]:
    """Let the upstream server play the bot."""
    recorded = recording(3 if quick else 15)
    server_cpu, driver_cpu = cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        traffic, played, journal = (folder / file for file in ("in.jsonl", "out.jsonl", "seen"))
        write_recording(recorded, traffic)
        write_recording(turned(recorded), played)
        with upstream(played, folder, journal=None, cpu=server_cpu) as bot:
            config = {
                "recording": str(traffic),
                "ports": {str(PORT): bot.port},
                "origin_ns": time.monotonic_ns(),
                "journal": str(journal),
            }
            order = folder / "drive.json"
            order.write_text(json.dumps(config), "utf-8")
            drive(order, driver_cpu)
        late_ms = lateness_ms(journal, Driven)
    p50, p99 = (late_ms[round(share * (len(late_ms) - 1))] for share in (0.5, 0.99))
    yield Row(
        f"requests: p50 of {len(late_ms):,}", f"{p50:.3f} ms", f"under {GOAL_MS} ms", p50 < GOAL_MS
    )
    yield Row("requests: p99, max", f"{p99:.3f} ms, {late_ms[-1]:.3f} ms")


def drive(order: Path, cpu: int) -> None:
    """Run the driver until every request is answered."""
    command = [sys.executable, "-P", "-m", "perfscan.replay.driver.drive", str(order)]
    with subprocess.Popen(
        ["taskset", "-c", str(cpu), *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as driver:
        for line in driver.stdout or ():
            status = json.loads(line)
            if status.get("unsent") == 0 and status["unanswered"] == 0:
                break
        driver.terminate()


def recording(seconds: int) -> Recording:
    """Return calls of users at random times, answered at once."""
    draw, at_ns = random.Random(7), 0.0
    events: list[Event] = [
        Open(number, 0, "http", "127.0.0.1", PORT, inbound=True)
        for number in range(1, CONNECTIONS + 1)
    ]
    for number in range(1, seconds * PER_S + 1):
        at_ns += draw.expovariate(PER_S) * SECOND
        line, sent_ns = 1 + number % CONNECTIONS, round(at_ns)
        events.append(Request(number, line, sent_ns, "GET", f"/state/{number % 100}"))
        events.append(Response(number, line, sent_ns + 1, sent_ns + 1, 200, (), b"{}"))
    return Recording(
        RecordingHeader(source="built for a benchmark"),
        tuple(sorted(events, key=lambda event: event.at_ns)),
    )
