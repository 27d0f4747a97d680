"""A small bot, its recording and its scenario, for benchmarks that need hundreds of short runs.

For each tick it asks and computes in turn, ROUNDS times, then posts the outcome: a bot that does
11 rounds where the other does 10 asks and computes 10 % more. Most of a round is the recorded time
of the answer, so that the size of the change does not depend on the machine.
"""

from __future__ import annotations

import json
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
from perfscan.replay.recording import write_recording

MS = 1_000_000
ANSWER_MS = 5
ROUNDS, MOST_ROUNDS = 10, 13
TICKS, EVERY_MS = 6, 110

BOT = """
import hashlib, http.client, json, os, signal, sys
import websockets.sync.client

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
service = http.client.HTTPConnection("api.example.test")


def call(method, path, body=None):
    service.request(method, path, body, {"Content-Type": "application/json"})
    return service.getresponse().read()


def handle(key):
    digest = key.encode()
    for number in range(int(os.environ["ROUNDS"])):
        call("GET", f"/part/{key}/{number}")
        for _ in range(400):
            digest = hashlib.sha256(digest).digest()
    call("POST", "/done", json.dumps({"text": f"{key} is done"}))


with websockets.sync.client.connect("ws://stream.example.test/ticks") as stream:
    stream.send(json.dumps({"id": 1, "method": "subscribe", "params": ["ticks"]}))
    for text in stream:
        message = json.loads(text)
        if message.get("method") == "tick":
            handle(message["params"]["key"])
"""


def lay_out(folder: Path, rounds_after: int) -> Path:
    """Write recording, bots and scenario; return the scenario file."""
    (folder / "bot").mkdir()
    (folder / "bot" / "bot.py").write_text(BOT, "utf-8")
    write_recording(_recording(), folder / "traffic.jsonl")
    scenario = folder / "scenario.yaml"
    scenario.write_text(json.dumps(_scenario(rounds_after)), "utf-8")  # JSON is YAML
    return scenario


def _scenario(rounds_after: int) -> dict[str, Any]:
    def side(rounds: int) -> dict[str, Any]:
        return {
            "command": ["python", "bot.py"],
            "directory": "bot",
            "environment": {"ROUNDS": str(rounds)},
        }

    return {
        "schema": "perfscan.scenario/1",
        "name": "small_bot",
        "recording": "traffic.jsonl",
        "implementations": {"original": side(ROUNDS), "optimized": side(rounds_after)},
        "items": {
            "settle_s": 0.3,
            "stimulus": {
                "websocket": "ws://stream.example.test/ticks",
                "containing": '"tick"',
                "key": {"path": "$.params.key"},
            },
            "effect": {
                "request": "POST http://api.example.test/done",
                "key": {"path": "$.text", "pattern": r"^(\w+)"},
            },
        },
        "primary": "item_latency_ms.p50",
    }


def _recording() -> Recording:
    events: list[Event] = [
        Open(1, 0, "http", "stream.example.test", 80),
        Request(1, 1, MS, "GET", "/ticks", (("Upgrade", "websocket"),)),
        Response(1, 1, 2 * MS, 2 * MS, 101, (("Upgrade", "websocket"),)),
        Message(1, 3 * MS, "sent", '{"id": 1, "method": "subscribe", "params": ["ticks"]}'),
        Message(1, 4 * MS, "received", '{"id": 1, "result": 7}'),
        Open(2, 5 * MS, "http", "api.example.test", 80),
    ]
    exchange = 2
    for tick in range(TICKS):
        key, at = f"k{tick:02}", (100 + tick * EVERY_MS) * MS
        message = {"method": "tick", "params": {"key": key}}
        events.append(Message(1, at, "received", json.dumps(message)))
        paths = [("GET", f"/part/{key}/{number}", b"") for number in range(MOST_ROUNDS)]
        done = json.dumps({"text": f"{key} is done"}).encode()
        for method, path, body in [*paths, ("POST", "/done", done)]:
            at += (ANSWER_MS + 2) * MS
            answered = at + ANSWER_MS * MS
            events += [
                Request(exchange, 2, at, method, path, (), body),
                Response(exchange, 2, answered, answered, 200, (), b'{"ok": true}'),
            ]
            exchange += 1
    ordered = tuple(sorted(events, key=lambda event: event.at_ns))
    return Recording(RecordingHeader(source="built for a benchmark"), ordered)
