"""Recordings of every format, played by ``perfscan traffic serve`` to real clients."""

from __future__ import annotations

import contextlib
import http.client
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from perfscan.replay.exchanges import Exchange, exchanges, outbound, turned, websockets
from perfscan.replay.model import Failure
from perfscan.replay.recording import read_recording

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = sorted(path.with_suffix("") for path in (ROOT / "fixtures/importers").glob("*/*.jsonl"))
FOREIGN = sorted(
    path for path in (ROOT.parent / "shared/traffic").glob("*") if path.suffix != ".md"
)
FILES = [*FIXTURES, *FOREIGN]


@contextlib.contextmanager
def serving(path: Path) -> Iterator[int]:
    command = [sys.executable, "-P", "-m", "perfscan", "traffic", "serve", str(path)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--speed", "50"], stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stderr is not None
            found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stderr.readline())
            assert found
            yield int(found[1])
        finally:
            process.kill()


def ask(port: int, call: Exchange) -> tuple[int, bytes]:
    """Send the recorded request with its host; plain, since a mock server has no TLS."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(client):
        client.putrequest(
            call.request.method, call.request.target, skip_host=True, skip_accept_encoding=True
        )
        for name, value in call.request.headers:
            if name.lower() not in {"content-length", "accept-encoding"}:
                client.putheader(name, value)
        client.putheader("Content-Length", str(len(call.request.body)))
        client.endheaders(call.request.body)
        answer = client.getresponse()
        return answer.status, answer.read()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_recorded_answer_reaches_a_client(path: Path) -> None:
    recording = read_recording(path)
    if not outbound(recording):
        recording = turned(recording)
    broken = {one.exchange for one in recording.events if isinstance(one, Failure)}
    calls = [
        one
        for one in exchanges(recording)
        if not one.is_websocket and (one.response or one.request.exchange in broken)
    ]
    sessions = websockets(recording)
    assert calls or sessions
    with serving(path) as port:
        for call in calls:
            if call.response is None:
                with pytest.raises(ConnectionError):
                    ask(port, call)
                continue
            bodiless = call.request.method == "HEAD" or call.response.status in (204, 304)
            expected = b"" if bodiless else call.response.body
            assert ask(port, call) == (call.response.status, expected)
        for session in sessions:
            sent = [one for one in session.messages if one.direction == "sent"]
            pushed = [one for one in session.messages if one.direction == "received"]
            with connect(f"ws://127.0.0.1:{port}{session.request.target}", proxy=None) as client:
                for message in sent:
                    client.send(message.data)
                heard = [client.recv(timeout=10) for _ in pushed]
            recorded = [one.data for one in pushed]
            if sent:  # at this speed an answer may come a message earlier or later
                heard, recorded = sorted(heard, key=repr), sorted(recorded, key=repr)
            assert heard == recorded
