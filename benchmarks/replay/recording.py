"""What recording costs a busy bot: the same bot with and without ``perfscan record``, in turns.

The bot keeps 16 requests under way to a service that takes 20 ms for each, and hears a WebSocket
push 200 messages a second meanwhile. Bot on one core; service and, when recording, the recorder
share the other.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import HERE, cores
from rows import Row

from perfscan.replay.certificates import Authority
from perfscan.replay.model import (
    Event,
    Message,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
    Scheme,
)
from perfscan.replay.recording import write_recording

TITLE = "What recording costs a bot with 16 requests of 20 ms under way and 200 messages a second"
MS = 1_000_000
SERVICE_MS = 20
UNDER_WAY = 16
TARGETS = 50
PUSHED_PER_S = 200
PUSHED_S = 60
HOST = "localhost"
GOAL = 0.05


@dataclass(frozen=True, slots=True)
class Told:
    """By the bot, of one run."""

    per_s: float
    p50_ms: float
    cpu_us: float
    """Of the bot, per request."""
    messages_per_s: float


def measure(quick: bool) -> Iterator[Row]:
    """Run the bot in pairs, A B, B A, over HTTP and over HTTPS."""
    pairs, requests = (3, 2000) if quick else (10, 6000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_recording(recording(), folder / "traffic.jsonl")
        Authority.create(folder / "ca")
        for scheme in ("http", "https"):
            told: dict[bool, list[Told]] = {False: [], True: []}
            for pair in range(pairs):
                for recorded in (False, True) if pair % 2 == 0 else (True, False):
                    told[recorded].append(run(folder, scheme, requests, recorded=recorded))
            yield from rows(scheme, told)


def rows(scheme: str, told: dict[bool, list[Told]]) -> Iterator[Row]:
    """Compare the runs of one scheme."""
    before, after = told[False], told[True]
    lost = [1 - one.per_s / other.per_s for one, other in zip(after, before, strict=True)]
    middle = statistics.median(lost)
    rate = statistics.median(one.per_s for one in before)
    yield Row(f"{scheme}: unrecorded", f"{rate:.0f} requests/s")
    figure = f"{middle:.1%} [{min(lost):.1%}, {max(lost):.1%}]"
    yield Row(f"{scheme}: requests/s lost", figure, f"under {GOAL:.0%}", middle < GOAL)
    for what, of in (
        ("median latency, ms more", lambda one: one.p50_ms),
        ("CPU of the bot, us more per request", lambda one: one.cpu_us),
        ("WebSocket messages/s more", lambda one: one.messages_per_s),
    ):
        more = statistics.median(of(b) - of(a) for a, b in zip(before, after, strict=True))
        yield Row(f"{scheme}: {what}", f"{more:+.2f}")


def run(folder: Path, scheme: str, requests: int, *, recorded: bool) -> Told:
    """Run the bot once, against a fresh service."""
    service_cpu, bot_cpu = cores()
    ca = folder / "ca" / "ca.pem"
    with serving(folder, tls=scheme == "https", cpu=service_cpu) as port:
        bot = [sys.executable, str(HERE / "recording_bot.py"), f"{scheme}://{HOST}:{port}"]
        command = ["taskset", "-c", str(bot_cpu), *bot, str(requests), str(UNDER_WAY)]
        if recorded:
            recorder = [sys.executable, "-P", "-m", "perfscan", "record", "--include-local"]
            recorder += ["--port", str(port), "--upstream-ca", str(ca)]
            recorder += ["-o", str(folder / "recorded.jsonl"), "--"]
            command = ["taskset", "-c", str(service_cpu), *recorder, *command]
        environment = {**os.environ, "SSL_CERT_FILE": str(ca)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the bot failed: {done.stderr}")
    return Told(**json.loads(done.stdout))


@contextlib.contextmanager
def serving(folder: Path, *, tls: bool, cpu: int) -> Iterator[int]:
    """Play the service on one core; yields its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        door = {"fd": listener.fileno(), "port": 443 if tls else 80, "tls": tls}
        traffic, ca = str(folder / "traffic.jsonl"), str(folder / "ca")
        order = folder / "serve.json"
        order.write_text(json.dumps({"recording": traffic, "listeners": [door], "ca": ca}))
        serve = [sys.executable, "-P", "-m", "perfscan.replay.server.serve", str(order)]
        status = folder / "status"
        with (
            status.open("wb") as printed,
            subprocess.Popen(
                ["taskset", "-c", str(cpu), *serve],
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=printed,
            ) as server,
        ):
            try:
                while not status.stat().st_size and server.poll() is None:
                    time.sleep(0.02)
                yield listener.getsockname()[1]
            finally:
                server.terminate()


def recording() -> Recording:
    """Return what the service plays: answers of a usual size after 20 ms, and a stream."""
    events: list[Event] = []
    for number, (scheme, port) in enumerate((("http", 80), ("https", 443))):
        events += _service(2 * number + 1, scheme, port)
    ordered = tuple(sorted(events, key=lambda event: event.at_ns))
    return Recording(RecordingHeader(source="built for a benchmark"), ordered)


def _service(connection: int, scheme: Scheme, port: int) -> Iterator[Event]:
    yield Open(connection, 0, scheme, HOST, port)
    for number in range(TARGETS):
        exchange, at_ns = 1000 * connection + number, (1 + 30 * number) * MS
        yield Request(exchange, connection, at_ns, "GET", f"/v1/tokens/{number}?limit=10")
        done_ns = at_ns + SERVICE_MS * MS
        json_type = (("Content-Type", "application/json"),)
        yield Response(exchange, connection, done_ns, done_ns, 200, json_type, _body(number))
    stream, upgrade = connection + 1, (("Upgrade", "websocket"),)
    yield Open(stream, 0, scheme, HOST, port)
    yield Request(stream, stream, 1 * MS, "GET", "/stream", upgrade)
    yield Response(stream, stream, 2 * MS, 2 * MS, 101, upgrade)
    for number in range(PUSHED_PER_S * PUSHED_S):
        at_ns = 5 * MS + number * 1000 * MS // PUSHED_PER_S
        tick = {"method": "tick", "params": {"n": number, "price": "64250.10", "pad": "x" * 250}}
        yield Message(stream, at_ns, "received", json.dumps(tick))


def _body(number: int) -> bytes:
    """Return about 3 kB of JSON."""
    mint = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    rows = [{"symbol": f"SYM{n}", "price": number + n / 7, "mint": mint} for n in range(34)]
    return json.dumps({"result": rows}).encode()
