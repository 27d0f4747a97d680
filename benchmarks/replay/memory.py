"""Memory of the upstream server while it plays a recording of 1 GB."""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from harness import HERE, Upstream, cores, pinned, process, upstream
from played import HOST, TARGET
from rows import Row

from perfscan.replay.model import Message, Open, RecordingHeader, Request, Response
from perfscan.replay.recording import RecordingWriter

TITLE = "Memory of the upstream server: a recording of 1 GB beside one of 10 MB"
GOAL_MB = 64
"""More than the small recording: the caches that are bounded, and an index of 13 to 60 bytes for
each event."""
MB = 1_000_000
BODY = 8192
MESSAGE = 1024
LIVE = "/live"


@dataclass(frozen=True, slots=True)
class Resident:
    """Megabytes at the start of a run, in its middle and at its end."""

    start: float
    middle: float
    end: float


def measure(quick: bool) -> Iterator[Row]:
    """Play both to a client that asks for everything, and compare."""
    large = 100 if quick else 1000
    with tempfile.TemporaryDirectory() as name:
        found = {megabytes: play(Path(name), megabytes) for megabytes in (10, large)}
    for megabytes, one in found.items():
        figure = f"{one.start:.0f}, {one.middle:.0f}, {one.end:.0f} MB"
        yield Row(f"{megabytes:,} MB played: at start, middle, end", figure)
    most = max(found[large].start, found[large].middle, found[large].end)
    more = most - found[10].end
    yield Row(
        "more than with the small recording",
        f"{more:.0f} MB",
        f"under {GOAL_MB} MB",
        more < GOAL_MB,
    )


def play(folder: Path, megabytes: int) -> Resident:
    """Return what the server held while it was asked for every answer and every message."""
    traffic = folder / f"{megabytes}.jsonl"
    answers = write(traffic, megabytes)
    server_cpu, client_cpu = cores()
    with upstream(traffic, folder, journal=folder / "journal.jsonl", cpu=server_cpu) as served:
        start = resident_mb(served)
        middle = 0.0
        listener = [sys.executable, str(HERE / "listener.py"), str(served.port), HOST, LIVE]
        with process(listener, cpu=client_cpu):
            while (left := unplayed(served)) > 0:
                if left <= answers / 2:
                    middle = middle or resident_mb(served)
                client = [sys.executable, str(HERE / "http_client.py"), str(served.port)]
                pinned([*client, "8", "0.3", TARGET], client_cpu)
        end = resident_mb(served)
    traffic.unlink()
    return Resident(start, middle or end, end)


def unplayed(served: Upstream) -> float:
    """Return how many answers and messages are left, by the server's next status line."""
    known = served.status
    while served.status is known or not served.status:
        time.sleep(0.01)
    return served.status["unused"] + served.status["stimuli_left"]


def resident_mb(served: Upstream) -> float:
    """Return the memory of the server's process that is its own."""
    info = psutil.Process(served.pid).memory_full_info()
    return float(info.uss) / MB


def write(path: Path, megabytes: int) -> int:
    """Write a recording: half of it answers of 8 kB, half messages of 1 kB; returns the answers."""
    text = "x" * (BODY - 32)
    size = 0
    with RecordingWriter(path, RecordingHeader(latency="not recorded")) as writer:
        writer.append(Open(1, 0, "http", HOST, 80))
        writer.append(Open(2, 0, "http", HOST, 80))
        writer.append(Request(1, 2, 1, "GET", LIVE))
        writer.append(Response(1, 2, 2, 2, 101))
        for number in itertools.count(2):
            at_ns = number * 1_000_000
            body = f'{{"number": {number:09d}, "text": "{text}"}}'.encode()
            writer.append(Request(number, 1, at_ns, "GET", TARGET))
            writer.append(Response(number, 1, at_ns + 9, at_ns + 9, 200, (), body))
            for part in range(BODY // MESSAGE):
                message = f'{{"part": {part}, "of": {number:09d}, "text": "{text[:MESSAGE]}"}}'
                writer.append(Message(2, at_ns + 10 + part, "received", message))
            size += 2 * BODY
            if size >= megabytes * MB:
                return number - 1
    raise AssertionError("itertools.count ends")
