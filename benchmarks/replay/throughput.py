"""HTTP requests per second of the upstream server and of others, side by side.

All ask for one thing again and again, which is what the others can answer, too: this is the rate of
repeated answers. What an answer costs that was not asked for before is in ``first_answers``.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
from harness import HERE, cores, pinned, process, upstream, wait_for
from played import BODY, HOST, TARGET, TYPE
from rows import Row

import http_client
from perfscan.replay.model import Event, Open, Recording, RecordingHeader, Request, Response
from perfscan.replay.recording import write_recording

TITLE = (
    "HTTP requests per second, one request repeated: 32 keep-alive connections, server and client "
    "on a core each"
)
CONNECTIONS = 32
GOAL = 60_000
OVER_AIOHTTP = 3
OVER_MITMPROXY = 50
BENCH = HERE.parent.parent / ".venv-bench"
"""Where tools that are only compared with are installed."""
MITMDUMP = BENCH / "bin" / "mitmdump"


@dataclass(frozen=True, slots=True)
class Rate:
    """Of one server in one round."""

    per_s: float
    per_cpu_s: float
    """Requests per second of the server's processor time; steadier on a machine with neighbours."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A server to be measured."""

    name: str
    start: Callable[[Path, int], AbstractContextManager[tuple[int, int]]]
    """Yields its process id and port."""
    target: str = TARGET


def measure(quick: bool) -> Iterator[Row]:
    """Run every server in turns, some seconds each, and compare the medians."""
    rounds, seconds = (2, 1.5) if quick else (5, 4.0)
    contenders = [
        Contender("perfscan", partial(perfscan, journal=False)),
        Contender("perfscan, writing its journal", partial(perfscan, journal=True)),
        Contender("httptools + uvloop", partial(other, kind="bare")),
        Contender("aiohttp server", partial(other, kind="aiohttp")),
    ]
    reason = mitmproxy_missing()
    if not reason:
        address = f"http://{HOST}{TARGET}"
        contenders.append(Contender("mitmproxy server replay", mitmproxy, address))
    rates = run(contenders, rounds, seconds)
    for name, rate in rates.items():
        goal = f"at least {GOAL:,}" if name.startswith("perfscan") else ""
        holds = rate.per_s >= GOAL if goal else None
        figure = f"{rate.per_s:,.0f}/s"
        yield Row(f"{name} ({rate.per_cpu_s:,.0f} per CPU second)", figure, goal, holds)
    ours = rates["perfscan, writing its journal"]
    yield beside(ours, rates, "httptools + uvloop")
    yield beside(ours, rates, "aiohttp server", OVER_AIOHTTP)
    if reason:
        yield Row("with its journal, over mitmproxy server replay", f"not run: {reason}")
    else:
        yield beside(ours, rates, "mitmproxy server replay", OVER_MITMPROXY)


def beside(ours: Rate, rates: Mapping[str, Rate], name: str, goal: int | None = None) -> Row:
    """Return how many times another server's rate ours is."""
    times = ours.per_s / rates[name].per_s
    cpu_times = ours.per_cpu_s / rates[name].per_cpu_s
    what = f"with its journal, over {name} ({cpu_times:.1f}x by CPU)"
    if goal is None:
        return Row(what, f"{times:.2f}x")
    return Row(what, f"{times:.1f}x", f"at least {goal}x", times >= goal)


def run(contenders: list[Contender], rounds: int, seconds: float) -> dict[str, Rate]:
    """Return the median rate of each server; they take turns, so that a slow minute hits all."""
    found: dict[str, list[Rate]] = {one.name: [] for one in contenders}
    server_cpu, client_cpu = cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = []
        for one in contenders:
            pid, port = stack.enter_context(one.start(folder, server_cpu))
            wait_for(port, http_client.request_for(one.target))
            running.append((one, psutil.Process(pid), port))
        for _ in range(rounds):
            for one, process, port in running:
                asking = partial(ask, port, seconds, one.target, client_cpu)
                found[one.name].append(rate_of(process, asking))
    return {name: median(rates) for name, rates in found.items()}


def rate_of(server: psutil.Process, asking: Callable[[], tuple[int, float]]) -> Rate:
    """Return the rate of ``server`` while ``asking`` gets answers in some seconds."""
    before = server.cpu_times()
    answers, took_s = asking()
    after = server.cpu_times()
    return Rate(
        answers / took_s, answers / (after.user + after.system - before.user - before.system)
    )


def median(rates: Sequence[Rate]) -> Rate:
    """Return the median of each figure."""
    return Rate(
        statistics.median(rate.per_s for rate in rates),
        statistics.median(rate.per_cpu_s for rate in rates),
    )


def ask(port: int, seconds: float, target: str, cpu: int) -> tuple[int, float]:
    """Return how many answers a client on ``cpu`` got, and in how many seconds.

    With ``wrk`` where that is installed, since it costs least, and with our own otherwise.
    """
    if shutil.which("wrk") and not target.startswith("http"):
        address = f"http://127.0.0.1:{port}{target}"
        how = ["-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s"]
        printed = pinned(["wrk", *how, "-H", f"Host: {HOST}", address], cpu)
        found = re.search(r"(\d+) requests in ([\d.]+)s", printed)
        if found is None or "Non-2xx" in printed:
            raise SystemExit(f"wrk found no server: {printed}")
        return int(found[1]), float(found[2])
    client = [sys.executable, str(HERE / "http_client.py")]
    printed = pinned([*client, str(port), str(CONNECTIONS), str(seconds), target], cpu)
    told = json.loads(printed)
    return told["answers"], told["seconds"]


# --- Servers --------------------------------------------------------------------------------------


@contextlib.contextmanager
def perfscan(folder: Path, cpu: int, *, journal: bool) -> Iterator[tuple[int, int]]:
    """Serve a recording of one exchange, whose answer then stands."""
    traffic = folder / "traffic.jsonl"
    write_recording(recording(), traffic)
    noted = folder / "journal.jsonl" if journal else None
    with upstream(traffic, folder, journal=noted, cpu=cpu) as served:
        yield served.pid, served.port


@contextlib.contextmanager
def other(folder: Path, cpu: int, *, kind: str) -> Iterator[tuple[int, int]]:
    """Serve the same answer with another server."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        command = [sys.executable, str(HERE / "http_servers.py"), kind, str(listener.fileno())]
        with process(command, listener, cpu=cpu) as pid:
            yield pid, listener.getsockname()[1]


@contextlib.contextmanager
def mitmproxy(folder: Path, cpu: int) -> Iterator[tuple[int, int]]:
    """Serve the same exchange with ``mitmdump --server-replay``, as a proxy."""
    flows = folder / "flows.mitm"
    python = MITMDUMP.with_name("python")
    subprocess.run([python, HERE / "mitmproxy_flow.py", flows], check=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    how = ["--server-replay", str(flows), "--set", "server_replay_reuse=true"]
    how += ["--set", "server_replay_extra=kill", "--set", f"confdir={folder}"]
    where = ["--listen-host", "127.0.0.1", "--listen-port", str(port)]
    with process([str(MITMDUMP), "--quiet", *how, *where], cpu=cpu) as pid:
        yield pid, port


def mitmproxy_missing() -> str:
    """Install mitmproxy into an environment of its own; say why where that cannot be done."""
    if MITMDUMP.exists():
        return ""
    try:
        if not (BENCH / "bin" / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", BENCH], check=True)
        pip = [BENCH / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "mitmproxy"], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        return "mitmproxy cannot be installed here"
    return ""


def recording() -> Recording:
    """Return one exchange without any wait."""
    events: tuple[Event, ...] = (
        Open(1, 0, "http", HOST, 80),
        Request(1, 1, 1, "GET", TARGET),
        Response(
            *(1, 1, 1, 1, 200, (("Content-Type", TYPE),), BODY),
            reason="OK",
        ),
    )
    return Recording(RecordingHeader(latency="not recorded"), events)
