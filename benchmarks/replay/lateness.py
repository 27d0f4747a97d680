"""How late the upstream server is when a thousand things a second are due."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness import HERE, cores, lateness_ms, pinned, upstream
from rows import Row

from perfscan.replay.model import (
    Event,
    Message,
    Open,
    Pushed,
    Recording,
    RecordingHeader,
    Request,
    Response,
    Served,
)
from perfscan.replay.recording import write_recording

TITLE = "Schedule: how late answers and messages are at 1,000 events a second (Poisson)"
PER_S = 1000
GOAL_MS = 0.2
HOST = "feed.example"
SECOND = 1_000_000_000


def measure(quick: bool) -> Iterator[Row]:
    """Let half of the events be answers that take a while, half messages of a stream."""
    seconds = 3 if quick else 15
    server_cpu, client_cpu = cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        traffic, journal = folder / "traffic.jsonl", folder / "journal.jsonl"
        write_recording(recording(seconds), traffic)
        with upstream(traffic, folder, journal=journal, cpu=server_cpu) as served:
            client = [sys.executable, str(HERE / "lateness_client.py"), str(served.port)]
            pinned([*client, str(PER_S // 2), str(seconds)], client_cpu)
        answers, messages = lateness_ms(journal, Served), lateness_ms(journal, Pushed)
    yield from rows("answers", answers)
    yield from rows("messages", messages)


def rows(what: str, late_ms: Sequence[float]) -> Iterator[Row]:
    """Yield the quantiles of one kind."""
    if not late_ms:
        raise SystemExit(f"no {what} were played")
    p50, p99 = (late_ms[round(share * (len(late_ms) - 1))] for share in (0.5, 0.99))
    goal = f"under {GOAL_MS} ms"
    yield Row(f"{what}: p50 of {len(late_ms):,}", f"{p50:.3f} ms", goal, p50 < GOAL_MS)
    yield Row(f"{what}: p99, max", f"{p99:.3f} ms, {late_ms[-1]:.3f} ms")


def recording(seconds: int) -> Recording:
    """Return a stream of messages, and answers to one request that took 1 to 20 ms each."""
    rng = random.Random(1)
    events: list[Event] = [
        Open(1, 0, "http", HOST, 80),
        Request(1, 1, 1, "GET", "/live"),
        Response(1, 1, 2, 2, 101),
        Open(2, 0, "http", HOST, 80),
    ]
    at_ns = SECOND // 2
    while at_ns < (seconds + 0.5) * SECOND:
        at_ns += round(rng.expovariate(PER_S / 2) * SECOND)
        events.append(Message(1, at_ns, "received", f'{{"at": {at_ns}, "price": 64250.1}}'))
    for number in range(2, 1000):
        asked_ns = number * SECOND // PER_S
        took_ns = rng.randrange(SECOND // 1000, SECOND // 50)
        events.append(Request(number, 2, asked_ns, "GET", "/price"))
        done_ns = asked_ns + took_ns
        events.append(Response(number, 2, done_ns, done_ns, 200, (), b'{"price": 64250.1}'))
    return Recording(RecordingHeader(), tuple(sorted(events, key=lambda event: event.at_ns)))
