"""What recording costs a busy bot: the same bot with and without ``perfscan record``, in turns.

The bot keeps 16 requests under way to a service that takes 20 ms for each, and hears a WebSocket
push 200 messages a second meanwhile. Two such bots stay connected, one through the recorder, and
play short rounds in turns, A B, B A, so that whatever else the machine does meets both alike. Bots
on one core; service and recorder share the other.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

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
from perfscan.replay.spinners import possible, spinning
from perfscan.replay.statistics import median_interval

TITLE = "What recording costs a bot with 16 requests of 20 ms under way and 200 messages a second"
MS = 1_000_000
SERVICE_MS = 20
UNDER_WAY = 16
TARGETS = 50
PUSHED_PER_S = 200
PUSHED_S = 120
PAIRS, QUICK_PAIRS = 30, 8
REQUESTS = 600
"""Of a round, which then takes just under a second."""
HOST = "localhost"
GOAL = 0.05


@dataclass(frozen=True, slots=True)
class Told:
    """By a bot, of one round."""

    per_s: float
    p50_ms: float
    cpu_us: float
    """Of the bot's process, agent included, per request."""
    messages_per_s: float


def measure(quick: bool) -> Iterator[Row]:
    """Let the two bots take turns, over HTTP and over HTTPS."""
    pairs = QUICK_PAIRS if quick else PAIRS
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(spinning(cores() if possible() else ()))
        write_recording(recording(), folder / "traffic.jsonl")
        Authority.create(folder / "ca")
        for scheme in ("http", "https"):
            yield from _rows(scheme, *_turns(folder, scheme, pairs))


def _turns(folder: Path, scheme: str, pairs: int) -> tuple[list[Told], list[Told], float]:
    """Return the rounds of both bots, and the recorder's CPU time per request in us."""
    service_cpu, _ = cores()
    with (
        serving(folder, tls=scheme == "https", cpu=service_cpu) as port,
        _bot(folder, scheme, port, recorded=False) as plain,
        _bot(folder, scheme, port, recorded=True) as recorded,
    ):
        for one in (plain, recorded):
            _play(one)  # connections are opened, caches filled
        before: list[Told] = []
        after: list[Told] = []
        cpu_s = _cpu_s(recorded.pid)
        for pair in range(pairs):
            sides = [(plain, before), (recorded, after)]
            for one, told in sides if pair % 2 == 0 else reversed(sides):
                told.append(_play(one))
        recorder_us = (_cpu_s(recorded.pid) - cpu_s) / (pairs * REQUESTS) * 1e6
    written = (folder / f"{scheme}.jsonl").read_bytes().count(b'{"kind":"response"')
    if written < pairs * REQUESTS:
        raise SystemExit(f"only {written} answers of the recorded bot were written")
    return before, after, recorder_us


def _rows(scheme: str, before: list[Told], after: list[Told], recorder_us: float) -> Iterator[Row]:
    """Compare the rounds of one scheme, pair by pair."""

    def change(of: Callable[[Told], float]) -> tuple[float, str]:
        ratios = [of(b) / of(a) - 1 for a, b in zip(before, after, strict=True)]
        found = median_interval(ratios)
        return found.centre, f"{found.centre:+.1%} [{found.low:+.1%}, {found.high:+.1%}]"

    rate, cpu_us = median(one.per_s for one in before), median(one.cpu_us for one in before)
    yield Row(f"{scheme}: unrecorded", f"{rate:.0f} requests/s")
    faster, figure = change(lambda one: one.per_s)
    yield Row(f"{scheme}: requests/s", figure, f"above -{GOAL:.0%}", faster > -GOAL)
    more, figure = change(lambda one: one.cpu_us)
    what = f"{scheme}: CPU of the bot per request ({cpu_us:.0f} us)"
    yield Row(what, figure, f"under {GOAL:.0%}", more < GOAL)
    yield Row(f"{scheme}: CPU of the recorder per request", f"{recorder_us:.0f} us")
    yield Row(f"{scheme}: median latency", change(lambda one: one.p50_ms)[1])
    yield Row(f"{scheme}: WebSocket messages/s", change(lambda one: one.messages_per_s)[1])


@contextlib.contextmanager
def _bot(
    folder: Path, scheme: str, port: int, *, recorded: bool
) -> Iterator[subprocess.Popen[str]]:
    """Run a bot, through the recorder or not; it ends when its input does."""
    service_cpu, bot_cpu = cores()
    ca = folder / "ca" / "ca.pem"
    url = f"{scheme}://{HOST}:{port}"
    bot = [sys.executable, str(HERE / "recording_bot.py"), url, str(UNDER_WAY)]
    command = ["taskset", "-c", str(bot_cpu), *bot]
    if recorded:
        recorder = [sys.executable, "-P", "-m", "perfscan", "record", "--include-local"]
        recorder += ["--port", str(port), "--upstream-ca", str(ca)]
        recorder += ["-o", str(folder / f"{scheme}.jsonl"), "--"]
        command = ["taskset", "-c", str(service_cpu), *recorder, *command]
    with subprocess.Popen(
        command,
        env={**os.environ, "SSL_CERT_FILE": str(ca)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if recorded else None,  # its summary
        text=True,
    ) as started:
        yield started


def _play(bot: subprocess.Popen[str]) -> Told:
    assert bot.stdin is not None
    assert bot.stdout is not None
    bot.stdin.write(f"{REQUESTS}\n")
    bot.stdin.flush()
    line = bot.stdout.readline()
    if not line:
        raise SystemExit(f"the bot ended with status {bot.wait()}")
    return Told(**json.loads(line))


def _cpu_s(pid: int) -> float:
    """Return the CPU time of one process, without its children."""
    import psutil

    return sum(psutil.Process(pid).cpu_times()[:2])


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
