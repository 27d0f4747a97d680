"""WebSocket messages per second of the upstream server and of others, side by side."""

from __future__ import annotations

import contextlib
import json
import socket
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness import HERE, cores, lateness_ms, pinned, process, upstream
from rows import Row
from websocket_client import HOST, TARGET
from websocket_servers import TEXT

from perfscan.replay.model import (
    Event,
    Message,
    Open,
    Pushed,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.recording import write_recording
from perfscan.replay.server.frames import frame_of

TITLE = "WebSocket messages per second to one client, server and client on a core each"
GOAL = 300_000
FRAME = len(frame_of(TEXT))
OTHERS = ("websockets", "aiohttp")


def measure(quick: bool) -> Iterator[Row]:
    """Let the servers take turns; the median of some rounds each."""
    messages, rounds = (200_000, 3) if quick else (1_000_000, 5)
    server_cpu, client_cpu = cores()
    rates: dict[str, list[float]] = {name: [] for name in ("perfscan", *OTHERS)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        traffic, journal = folder / "traffic.jsonl", folder / "journal.jsonl"
        write_recording(recording(messages, apart_ns=1), traffic)
        for _ in range(rounds):
            with upstream(traffic, folder, journal=journal, cpu=server_cpu) as served:
                rates["perfscan"].append(rate(served.port, messages, client_cpu))
            for other in OTHERS:
                with serving(other, server_cpu) as port:
                    rates[other].append(rate(port, messages // 5, client_cpu))
        write_recording(recording(messages, apart_ns=1_000_000_000 // GOAL), traffic)
        with upstream(traffic, folder, journal=journal, cpu=server_cpu) as served:
            rate(served.port, messages, client_cpu)
        late = lateness_ms(journal, Pushed)
    per_s = {name: statistics.median(found) for name, found in rates.items()}
    ours = per_s["perfscan"]
    yield Row("perfscan, journal included", f"{ours:,.0f}/s", f"at least {GOAL:,}", ours >= GOAL)
    for other in OTHERS:
        yield Row(f"{other} server", f"{per_s[other]:,.0f}/s")
        yield Row(f"over the {other} server", f"{ours / per_s[other]:.1f}x")
    yield Row(
        f"played at {GOAL:,}/s as recorded: lateness p50, p99",
        f"{late[len(late) // 2]:.3f}, {late[len(late) * 99 // 100]:.3f} ms",
    )


def rate(port: int, messages: int, cpu: int) -> float:
    """Return the messages per second that a client on ``cpu`` gets."""
    client = [sys.executable, str(HERE / "websocket_client.py")]
    told = json.loads(pinned([*client, str(port), str(messages * FRAME)], cpu))
    if told["bytes"] < messages * FRAME:
        raise SystemExit(f"only {told['bytes']:,} bytes of {messages * FRAME:,} came")
    return float(told["bytes"] / FRAME / told["seconds"])


@contextlib.contextmanager
def serving(kind: str, cpu: int) -> Iterator[int]:
    """Push with another server."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        command = [sys.executable, str(HERE / "websocket_servers.py"), kind, str(listener.fileno())]
        with process(command, listener, cpu=cpu):
            yield listener.getsockname()[1]


def recording(messages: int, apart_ns: int) -> Recording:
    """Return a stream without subscription."""
    events: list[Event] = [
        Open(1, 0, "http", HOST, 80),
        Request(1, 1, 1, "GET", TARGET),
        Response(1, 1, 2, 2, 101),
    ]
    begin_ns = 200_000_000
    events += (
        Message(1, begin_ns + number * apart_ns, "received", TEXT) for number in range(messages)
    )
    return Recording(RecordingHeader(), tuple(events))
