"""HTTP requests per second where every request is another one: nothing is known of it beforehand.

The upstream server remembers the requests that it has read and the answers that it has sent again.
Here neither helps: each request is read, matched, answered from disk and noted in the journal for
the first time.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
from harness import HERE, Upstream, cores, pinned, upstream
from played import BODY, HOST, TYPE
from rows import Row
from throughput import CONNECTIONS, Rate, median, other, rate_of

from perfscan.replay.model import Event, Open, Recording, RecordingHeader, Request, Response
from perfscan.replay.recording import write_recording

TITLE = "HTTP requests per second, each request another one: 32 keep-alive connections"
TARGET = "/v1/ticker?symbol={}"
LIMIT_S = 600


def measure(quick: bool) -> Iterator[Row]:
    """Ask for every exchange of a recording once; and a server that answers all alike as often."""
    number, rounds = (20_000, 1) if quick else (60_000, 3)
    ours: list[Rate] = []
    theirs: list[Rate] = []
    server_cpu, client_cpu = cores()
    asking = partial(ask, number, client_cpu)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        traffic = folder / "traffic.jsonl"
        write_recording(recording(number), traffic)
        for _ in range(rounds):
            noted = folder / "journal.jsonl"
            with upstream(traffic, folder, journal=noted, cpu=server_cpu) as served:
                ours.append(rate_of(psutil.Process(served.pid), partial(asking, served.port)))
                check(served, number)
            with other(folder, server_cpu, kind="aiohttp") as (pid, port):
                theirs.append(rate_of(psutil.Process(pid), partial(asking, port)))
    rate, beside = median(ours), median(theirs)
    what = f"with its journal, {number:,} first answers"
    yield Row(f"{what} ({rate.per_cpu_s:,.0f} per CPU second)", f"{rate.per_s:,.0f}/s")
    by_cpu = rate.per_cpu_s / beside.per_cpu_s
    what = f"over aiohttp server, one answer for all ({by_cpu:.1f}x by CPU)"
    yield Row(what, f"{rate.per_s / beside.per_s:.2f}x")


def ask(number: int, cpu: int, port: int) -> tuple[int, float]:
    """Return how many answers came, and in how many seconds."""
    client = [sys.executable, str(HERE / "http_client.py"), str(port), str(CONNECTIONS)]
    told = json.loads(pinned([*client, str(LIMIT_S), TARGET, str(number)], cpu))
    return told["answers"], told["seconds"]


def check(served: Upstream, number: int) -> None:
    """Hold that every answer was a recorded one that nobody had asked for before."""
    until_s = time.monotonic() + 5
    while served.status.get("hits") != number and time.monotonic() < until_s:
        time.sleep(0.05)
    told = {name: served.status.get(name) for name in ("hits", "extras", "misses", "unused")}
    if told != {"hits": number, "extras": 0, "misses": 0, "unused": 0}:
        raise SystemExit(f"not {number} first answers: {told}")


def recording(number: int) -> Recording:
    """Return so many exchanges without any wait, each for another thing."""
    events: list[Event] = [Open(1, 0, "http", HOST, 80)]
    for exchange in range(number):
        headers = (("Content-Type", TYPE),)
        events += [
            Request(exchange, 1, exchange, "GET", TARGET.format(exchange)),
            Response(exchange, 1, exchange, exchange, 200, headers, BODY, reason="OK"),
        ]
    return Recording(RecordingHeader(latency="not recorded"), tuple(events))
