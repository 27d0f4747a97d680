"""A small bot with a recording of its own, for tests that need whole runs but not a whole bot."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfscan.replay.model import (
    Event,
    Message,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)

MS = 1_000_000
STREAM, API = "stream.example.test", "api.example.test"

# Subscribes, asks a price per tick and posts an alert; reconnects per request unless POOLED.
BOT = """
import http.client, json, os, signal, sys, urllib.request
import websockets.sync.client

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
POOLED = os.environ.get("POOLED") == "1"
pool = http.client.HTTPSConnection("api.example.test") if POOLED else None


def call(method, path, body=None):
    connection = pool or http.client.HTTPSConnection("api.example.test", timeout=10)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    if not pool:
        connection.close()
    return answer


def alert(key, price):
    call("POST", "/alerts", json.dumps({"text": f"{key} costs {price}"}))


def handle(key):
    price = call("GET", f"/price/{key}")["price"]
    alert(key, price)


def main():
    with websockets.sync.client.connect("wss://stream.example.test/ticks") as stream:
        stream.send(json.dumps({"id": 1, "method": "subscribe", "params": ["ticks"]}))
        for text in stream:
            message = json.loads(text)
            if message.get("method") == "tick":
                handle(message["params"]["result"]["key"])


main()
"""

SCENARIO: dict[str, Any] = {
    "schema": "perfscan.scenario/1",
    "name": "toy",
    "recording": "traffic.jsonl",
    "implementations": {
        "original": {"command": ["python", "bot.py"], "directory": "original"},
        "optimized": {
            "command": ["python", "bot.py"],
            "directory": "optimized",
            "environment": {"POOLED": "1"},
        },
    },
    "items": {
        "settle_s": 1,
        "stimulus": {
            "websocket": f"wss://{STREAM}/ticks",
            "containing": '"tick"',
            "key": {"path": "$.params.result.key"},
        },
        "effect": {
            "request": f"POST https://{API}/alerts",
            "key": {"path": "$.text", "pattern": r"^(\w+)"},
            "compare": ["$.text"],
        },
    },
    "primary": "item_latency_ms.p50",
}


def toy_recording(ticks: int = 8, every_ms: int = 150) -> Recording:
    """A stream of ticks; each is answered by one price request and one alert."""
    connect = {"connect_ns": 20 * MS, "tls_ns": 40 * MS}
    events: list[Event] = [
        Open(1, 0, "https", STREAM, 443, **connect),
        Request(1, 1, 60 * MS, "GET", "/ticks", (("Upgrade", "websocket"),)),
        Response(1, 1, 80 * MS, 80 * MS, 101, (("Upgrade", "websocket"),)),
        Message(1, 90 * MS, "sent", '{"id": 1, "method": "subscribe", "params": ["ticks"]}'),
        Message(1, 100 * MS, "received", '{"id": 1, "result": 7}'),
    ]
    json_type = (("Content-Type", "application/json"),)
    for number in range(ticks):
        key, at = f"k{number:02}", (200 + number * every_ms) * MS
        tick = {"method": "tick", "params": {"subscription": 7, "result": {"key": key}}}
        events.append(Message(1, at, "received", json.dumps(tick)))
        connection, exchange, price = 2 + number, 2 + 2 * number, str(100 + number)
        alert = json.dumps({"text": f"{key} costs {price}"}).encode()
        events += [
            Open(connection, at, "https", API, 443, **connect),
            Request(exchange, connection, at + 60 * MS, "GET", f"/price/{key}"),
            Response(
                *(exchange, connection, at + 70 * MS, at + 70 * MS, 200, json_type),
                json.dumps({"price": price}).encode(),
            ),
            Request(*(exchange + 1, connection, at + 72 * MS, "POST", "/alerts", json_type), alert),
            Response(
                *(exchange + 1, connection, at + 80 * MS, at + 80 * MS, 200, json_type),
                b'{"ok": true}',
            ),
        ]
    ordered = tuple(sorted(events, key=lambda event: event.at_ns))
    return Recording(RecordingHeader(source="built for a test"), ordered)


@dataclass(frozen=True)
class Toy:
    """A scenario on disk; change ``optimized`` to make the two sides differ."""

    folder: Path
    scenario: Path
    optimized: Path

    def change(self, old: str, new: str) -> None:
        """Edit the optimized bot's source; the old text must be there."""
        source = self.optimized.read_text("utf-8")
        assert old in source
        self.optimized.write_text(source.replace(old, new), "utf-8")


@dataclass(frozen=True)
class Done:
    """A finished command."""

    status: int
    out: str
    err: str


Perfscan = Callable[..., Done]


def heed_interrupts() -> None:
    """Undo what a background job of a shell inherits: an ignored SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def perfscan_command(*words: str | Path) -> list[str]:
    """The installed command line, run by this interpreter."""
    return [sys.executable, "-P", "-m", "perfscan", *map(str, words)]
