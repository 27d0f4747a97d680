"""Users of a bot are recorded on their way to it, from the bot's point of view."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from endtoend.recorded import Service, prepare
from websockets.sync.client import connect

from perfscan.replay.exchanges import exchanges, websockets
from perfscan.replay.model import Close, Failure, Open, Ping, Recording
from perfscan.replay.recording import read_recording

pytestmark = pytest.mark.endtoend

# Answers dashboards and webhooks; a webhook leads to a request of its own.
AIOHTTP_BOT = """
    import asyncio, sys
    from aiohttp import ClientSession, WSMsgType, web
    async def hook(request):
        update = await request.json()
        async with ClientSession() as session:
            async with session.post("http://api.example.test/send", json=update) as answer:
                await answer.read()
        return web.json_response({"ok": True, "apiKey": "secret-of-the-bot"})
    async def live(request):
        stream = web.WebSocketResponse()
        await stream.prepare(request)
        async for message in stream:
            await stream.send_str("echo " + message.data)
        return stream
    app = web.Application()
    app.add_routes([web.post("/hook", hook), web.get("/live", live)])
    web.run_app(app, port=int(sys.argv[1]), print=None)
"""
PLAIN_BOT = """
    import json, sys
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    class Bot(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_POST(self):
            update = self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"ok": True, "apiKey": "secret-of-the-bot"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *_): pass
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Bot).serve_forever()
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


Serve = Callable[[str], contextlib.AbstractContextManager[str]]


@pytest.fixture
def serve(tmp_path: Path, service: Service) -> Serve:
    """Record a bot with users; gives the address for them, once the bot listens."""

    @contextlib.contextmanager
    def running(source: str) -> Iterator[str]:
        port = free_port()
        words = prepare(
            tmp_path,
            service,
            textwrap.dedent(source),
            "--inbound",
            str(port),
            arguments=(str(port),),
        )
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            try:
                told = process.stderr.readline()
                found = re.fullmatch(r"users of the bot's port (\d+) connect to (\S+)\n", told)
                assert found is not None, told
                assert found[1] == str(port)
                wait_for(port)
                yield found[2]
            finally:
                process.terminate()
                process.communicate(timeout=20)

    return running


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.02)
    raise AssertionError(f"nobody listens on {port}")


def post(url: str, value: object) -> object:
    request = urllib.request.Request(url, json.dumps(value).encode(), {"X-Api-Key": "user-key-12"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def recorded(folder: Path) -> Recording:
    return read_recording(folder / "t.jsonl")


@pytest.mark.parametrize("source", [AIOHTTP_BOT, PLAIN_BOT], ids=["aiohttp", "standard library"])
def test_a_webhook_is_recorded_as_the_bot_receives_it(
    serve: Serve, tmp_path: Path, source: str
) -> None:
    with serve(source) as address:
        for number in range(2):
            answer = post(f"{address}/hook?n={number}", {"update_id": number})
            assert answer == {"ok": True, "apiKey": "secret-of-the-bot"}
    recording = recorded(tmp_path)
    found = exchanges(recording, inbound=True)
    assert [exchange.request.target for exchange in found] == ["/hook?n=0", "/hook?n=1"]
    for number, exchange in enumerate(found):
        assert json.loads(exchange.request.body) == {"update_id": number}
        assert exchange.response is not None
        assert json.loads(exchange.response.body)["ok"]
        assert exchange.open.inbound
        assert f"http://127.0.0.1:{exchange.open.port}" == address
        assert exchange.service_ns is not None
        assert exchange.service_ns > 0
    own = exchanges(recording)
    assert [exchange.path for exchange in own] == (["/send"] * 2 if source == AIOHTTP_BOT else [])
    for before, after in zip(found, own, strict=False):
        assert before.request.at_ns < after.request.at_ns < before.response.at_ns  # type: ignore[union-attr]
    text = (tmp_path / "t.jsonl").read_text("utf-8")
    assert "secret-of-the-bot" not in text
    assert "user-key-12" not in text


def test_a_websocket_user_is_heard_by_the_bot(serve: Serve, tmp_path: Path) -> None:
    with serve(AIOHTTP_BOT) as address:
        url = address.replace("http", "ws") + "/live"
        with connect(url, ping_interval=None) as stream:
            stream.send("hello")
            assert stream.recv() == "echo hello"
            stream.send(["in ", "two"])
            assert stream.recv() == "echo in two"
            assert stream.ping(b"are you there").wait(10)
    recording = recorded(tmp_path)
    (session,) = websockets(recording, inbound=True)
    assert not websockets(recording)
    assert [(message.direction, message.data) for message in session.messages] == [
        ("received", "hello"),
        ("sent", "echo hello"),
        ("received", "in two"),
        ("sent", "echo in two"),
    ]
    assert session.messages[2].frames == (3, 3, 0)
    (ping,) = (event for event in recording.events if isinstance(event, Ping))
    assert (ping.direction, ping.data) == ("received", b"are you there")
    (close,) = (event for event in recording.events if isinstance(event, Close))
    assert (close.by, close.code) == ("upstream", 1000)


def test_a_bot_that_does_not_listen_is_told(serve: Serve, tmp_path: Path) -> None:
    source = PLAIN_BOT.replace(").serve_forever()", ").handle_request()")
    source += "\n    import time; time.sleep(60)"
    # Seeing whether the bot listens was all that it answers.
    with serve(source) as address, pytest.raises((urllib.error.URLError, ConnectionError)):
        post(f"{address}/hook", {})
    events = recorded(tmp_path).events
    failure = next(event for event in events if isinstance(event, Failure))
    assert "the bot" in failure.detail
    assert all(opened.inbound for opened in events if isinstance(opened, Open))
