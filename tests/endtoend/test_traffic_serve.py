"""``perfscan traffic serve`` with real clients, as somebody uses it as a mock server."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from perfscan.replay.model import Event, Open, Recording, RecordingHeader, Request, Response
from perfscan.replay.recording import write_recording

pytestmark = pytest.mark.endtoend

HAR = Path(__file__).resolve().parents[2] / "fixtures/importers/har/mitmproxy_websocket.har"
EVENTS: tuple[Event, ...] = (
    Open(1, 0, "https", "api.example", 443),
    Request(1, 1, 10, "GET", "/v1/price?ids=a"),
    Response(1, 1, 20, 20, 200, (("Content-Type", "text/plain"),), b"1.25"),
)


@pytest.fixture
def traffic(tmp_path: Path) -> Path:
    path = tmp_path / "traffic.jsonl"
    write_recording(Recording(RecordingHeader(), EVENTS), path)
    return path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "perfscan", "traffic", "serve", *arguments]


@contextlib.contextmanager
def serving(recording: Path, *options: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    process = subprocess.Popen(
        command(str(recording), "--port", "0", *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stderr is not None
            found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stderr.readline())
            assert found
            yield int(found[1]), process
        finally:
            process.kill()


def test_hits_and_misses_are_told(traffic: Path) -> None:
    with serving(traffic) as (port, process):
        for _ in range(2):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/price?ids=a") as answer:
                assert answer.read() == b"1.25"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/price?ids=b")
        caught.value.close()
        assert caught.value.code == 599
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert out == (
        "1 answered as recorded, 1 answered again, 1 not in the recording, 0 never asked for\n"
    )
    assert "query ids: sent 'b', recorded 'a'" in errors


@pytest.mark.skipif(not HAR.exists(), reason="the archive is not in this checkout")
def test_frames_of_an_archive_reach_a_real_client() -> None:
    """Three sessions to one path: two with a query and one without, each with its own message."""
    address = "/v3/channel_123?api_key=VCXCEuvhGcBDP7XhiJJUDvR1e1D3eiVjgZ9VRiaV&notify_self"
    with serving(HAR, "--speed", "10") as (port, _):
        heard = []
        for target in (address, "/v3/channel_123", address, "/v3/channel_123?other=1"):
            with connect(f"ws://127.0.0.1:{port}{target}", proxy=None) as client:
                heard.append(client.recv(timeout=5))
                if target == address and len(heard) == 3:
                    client.send("foo")
                    client.send("bar")
    unknown, missing = '{"error":"Unknown api key"}', '{"error":"Missing apiKey"}'
    assert heard[:3] == [unknown, missing, unknown]
    assert heard[3] in (unknown, missing)


def test_a_port_in_use_is_one_line(traffic: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            command(str(traffic), "--port", port), capture_output=True, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot listen on port {port}")


def test_half_a_recording_is_served(tmp_path: Path, traffic: Path) -> None:
    half = tmp_path / "half.jsonl"
    shutil.copy(traffic, half)
    half.write_bytes(half.read_bytes()[:-5])
    with serving(half) as (port, _), pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/price?ids=a")
    caught.value.close()
    assert caught.value.code == 599
