"""Real clients are recorded against a real local service, byte for byte and without secrets."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import socketserver
import subprocess
import sys
import textwrap
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest
from endtoend.recorded import API, SECRET, Record, Service, prepare
from endtoend.toy import heed_interrupts

from perfscan.replay.exchanges import exchanges, websockets
from perfscan.replay.model import Close, Failure, Message, Open, Ping
from perfscan.replay.recording import read_recording

pytestmark = pytest.mark.endtoend

HTTP_CLIENTS = {
    "requests": """
        import requests
        with requests.Session() as session:
            for url in URLS:
                print(session.get(url).json()["path"])
            print(session.post(URLS[0], json={"n": 1}).json()["sent"])
        """,
    "httpx": """
        import httpx
        with httpx.Client() as client:
            for url in URLS:
                print(client.get(url).json()["path"])
            print(client.post(URLS[0], json={"n": 1}).json()["sent"])
        """,
    "aiohttp": """
        import asyncio, aiohttp
        async def main():
            async with aiohttp.ClientSession() as session:
                for url in URLS:
                    async with session.get(url) as answer:
                        print((await answer.json())["path"])
                async with session.post(URLS[0], json={"n": 1}) as answer:
                    print((await answer.json())["sent"])
        asyncio.run(main())
        """,
    "aiohttp on uvloop": """
        import aiohttp, uvloop
        async def main():
            async with aiohttp.ClientSession() as session:
                for url in URLS:
                    async with session.get(url) as answer:
                        print((await answer.json())["path"])
                async with session.post(URLS[0], json={"n": 1}) as answer:
                    print((await answer.json())["sent"])
        uvloop.run(main())
        """,
    "aiohttp with aiodns": """
        import asyncio, aiohttp
        async def main():
            connector = aiohttp.TCPConnector(resolver=aiohttp.AsyncResolver())
            async with aiohttp.ClientSession(connector=connector) as session:
                for url in URLS:
                    async with session.get(url) as answer:
                        print((await answer.json())["path"])
                async with session.post(URLS[0], json={"n": 1}) as answer:
                    print((await answer.json())["sent"])
        asyncio.run(main())
        """,
    "httpx on asyncio": """
        import asyncio, httpx
        async def main():
            async with httpx.AsyncClient() as client:
                for url in URLS:
                    print((await client.get(url)).json()["path"])
                print((await client.post(URLS[0], json={"n": 1})).json()["sent"])
        asyncio.run(main())
        """,
    "urllib3": """
        import urllib3
        pool = urllib3.PoolManager(1)
        for url in URLS:
            print(pool.request("GET", url).json()["path"])
        print(pool.request("POST", URLS[0], json={"n": 1}).json()["sent"])
        """,
    "http.client in a thread": """
        import http.client, json, threading
        def work():
            connection = http.client.HTTPSConnection("api.example.test")
            def call(method, url, body=None):
                connection.request(method, url.partition("test")[2], body)
                return json.loads(connection.getresponse().read())
            for url in URLS:
                print(call("GET", url)["path"])
            print(call("POST", URLS[0], '{"n": 1}')["sent"])
            connection.close()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        """,
    "urllib3 in a subprocess": """
        import subprocess, sys
        subprocess.run([sys.executable, "-c", '''
        import urllib3
        pool = urllib3.PoolManager(1)
        for url in URLS:
            print(pool.request("GET", url).json()["path"])
        print(pool.request("POST", URLS[0], json={"n": 1}).json()["sent"])
        '''.replace("URLS", repr(URLS)).replace("        ", "")], check=True)
        """,
}
URLS = ["https://api.example.test/one?api-key=query-secret-1", "https://api.example.test/two"]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("client", HTTP_CLIENTS)
def test_an_http_client_is_recorded_on_one_connection(
    record: Record, client: str, scheme: str
) -> None:
    source = textwrap.dedent(HTTP_CLIENTS[client])
    if scheme == "http":
        source = source.replace("HTTPSConnection", "HTTPConnection")
    urls = [url.replace("https", scheme) for url in URLS]
    done = record(f"URLS = {urls!r}\n" + source)
    assert done.status == 0, done.stderr
    one, two, sent = done.stdout.split("\n", 2)
    assert (one, two) == ("/one?api-key=query-secret-1", "/two")
    assert json.loads(sent) == {"n": 1}
    found = done.requests
    assert [exchange.request.method for exchange in found] == ["GET", "GET", "POST"]
    assert [exchange.path for exchange in found] == ["/one", "/two", "/one"]
    assert json.loads(found[2].request.body) == {"n": 1}
    for exchange in found:
        assert exchange.response is not None
        assert exchange.response.status == 200
        assert json.loads(exchange.response.body)["note"] == "x" * 300
        assert exchange.service_ns is not None
        assert exchange.service_ns > 0
    (opened,) = {exchange.open for exchange in found}
    port = 443 if scheme == "https" else 80
    assert (opened.scheme, opened.host, opened.port) == (scheme, API, port)
    assert opened.connect_ns is not None
    assert (opened.tls_ns is not None) == (scheme == "https")
    assert "query-secret" not in done.path.read_text()
    assert "cookie-secret" not in done.path.read_text()


ADDRESS = "192.0.2.7"
BY_ADDRESS = {
    "requests": "import requests; print(requests.get(URL, timeout=9).status_code)",
    "httpx": "import httpx; print(httpx.get(URL).status_code)",
    "aiohttp": """
        import asyncio, aiohttp
        async def main():
            async with aiohttp.ClientSession() as session:
                async with session.get(URL) as answer:
                    print(answer.status)
        asyncio.run(main())
        """,
    "uvloop streams": """
        import asyncio, ssl, uvloop
        async def main():
            secure = ssl.create_default_context() if URL.startswith("https") else None
            port = 443 if secure else 80
            reader, writer = await asyncio.open_connection("192.0.2.7", port, ssl=secure)
            writer.write(b"GET /x HTTP/1.1\\r\\nHost: 192.0.2.7\\r\\nConnection: close\\r\\n\\r\\n")
            print((await reader.read()).split()[1].decode())
        uvloop.run(main())
        """,
}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("client", BY_ADDRESS)
def test_an_address_given_as_a_number_is_recorded(
    record: Record, service: Service, client: str, scheme: str
) -> None:
    url = f"{scheme}://{ADDRESS}/x"
    mapped = (f"{ADDRESS}:80=127.0.0.1:{service.plain}", f"{ADDRESS}:443=127.0.0.1:{service.tls}")
    words = [word for value in mapped for word in ("--map", value)]
    done = record(f"URL = {url!r}\n" + textwrap.dedent(BY_ADDRESS[client]), *words)
    assert done.stdout == "200\n", done.stderr
    (found,) = done.requests
    assert found.url == url


class Tunnel(socketserver.BaseRequestHandler):
    """An HTTP proxy whose only way leads to ``port``."""

    port = 0
    asked: ClassVar[list[bytes]] = []

    def handle(self) -> None:
        self.asked.append(self.request.recv(4096))
        with socket.create_connection(("127.0.0.1", self.port)) as service:
            self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            ways = {self.request: service, service: self.request}
            while True:
                for source in select.select(list(ways), [], [], 20)[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    ways[source].sendall(data)


def test_a_proxy_of_the_environment_is_used(tmp_path: Path, service: Service) -> None:
    Tunnel.port = service.tls
    source = "import requests; print(requests.get('https://api.example.test/x').status_code)"
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.05,)).start()
        address = f"http://127.0.0.1:{proxy.server_address[1]}"
        folder = str(service.folder / "ca.pem")
        (tmp_path / "bot.py").write_text(source, "utf-8")
        done = subprocess.run(
            [
                *(sys.executable, "-P", "-m", "perfscan", "record", "-o", "t.jsonl"),
                *("--upstream-ca", folder, "--", sys.executable, "bot.py"),
            ],
            cwd=tmp_path,
            env={**os.environ, "HTTPS_PROXY": address, "NO_PROXY": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        proxy.shutdown()
    assert done.stdout == "200\n", done.stderr
    assert Tunnel.asked[0].startswith(b"CONNECT api.example.test:443 ")
    (found,) = exchanges(read_recording(tmp_path / "t.jsonl"))
    assert found.url == "https://api.example.test/x"


def test_a_proxy_of_the_bots_own_is_told(record: Record) -> None:
    done = record(
        """
        import requests
        proxies = {"https": "http://proxy.example.test:8080"}
        try:
            requests.get("https://api.example.test/", proxies=proxies)
        except requests.exceptions.ProxyError as error:
            print("501" in str(error))
        """
    )
    assert done.stdout == "True\n", done.stderr
    assert "the bot uses a proxy of its own (CONNECT api.example.test:443)" in done.stderr


def test_what_goes_past_the_recorder_is_told(record: Record) -> None:
    done = record(
        """
        import contextlib, socket
        for family, address in ((socket.AF_INET6, "2001:db8::1"), (socket.AF_INET, "192.0.2.7")):
            with socket.socket(family) as sock, contextlib.suppress(OSError):
                sock.settimeout(0.2)
                if family == socket.AF_INET:
                    sock.bind(("127.0.0.1", 0))
                sock.connect((address, 443))
        """
    )
    told = "2 connections to addresses instead of names went past the recorder: 192.0.2.7:443, 2001"
    assert told in done.stderr


WEBSOCKET_CLIENTS = {
    "websockets": """
        import asyncio, json, websockets
        async def main():
            async with websockets.connect(URL) as stream:
                await stream.send(json.dumps({"id": 5, "method": "subscribe"}))
                for _ in range(5):
                    print(len(await stream.recv()))
        asyncio.run(main())
        """,
    "websockets on uvloop": """
        import json, uvloop, websockets
        async def main():
            async with websockets.connect(URL) as stream:
                await stream.send(json.dumps({"id": 5, "method": "subscribe"}))
                for _ in range(5):
                    print(len(await stream.recv()))
        uvloop.run(main())
        """,
    "aiohttp": """
        import asyncio, aiohttp
        async def main():
            async with aiohttp.ClientSession() as session:
                async with session.ws_connect(URL, compress=15) as stream:
                    await stream.send_json({"id": 5, "method": "subscribe"})
                    for _ in range(5):
                        print(len((await stream.receive()).data))
        asyncio.run(main())
        """,
    "websocket-client": """
        import json, websocket
        stream = websocket.create_connection(URL)
        stream.send(json.dumps({"id": 5, "method": "subscribe"}))
        for _ in range(5):
            print(len(stream.recv()))
        stream.close()
        """,
}


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("client", WEBSOCKET_CLIENTS)
def test_a_websocket_client_is_recorded_with_all_messages(
    record: Record, client: str, scheme: str
) -> None:
    url = f"{scheme}://stream.example.test/ticks?n=3"
    done = record(f"URL = {url!r}\n" + textwrap.dedent(WEBSOCKET_CLIENTS[client]))
    assert done.status == 0, done.stderr
    (session,) = websockets(done.recording)
    assert session.url == url
    sent, ack, *ticks, end = session.messages
    assert (sent.direction, json.loads(sent.data)) == ("sent", {"id": 5, "method": "subscribe"})
    assert json.loads(ack.data) == {"result": 7, "id": 5}
    assert [json.loads(tick.data)["params"]["index"] for tick in ticks] == [0, 1, 2]
    assert end.data == b"\x00end"
    assert done.stdout.split() == [str(len(item.data)) for item in (ack, *ticks, end)]
    assert all(item.direction == "received" and item.heard for item in (ack, *ticks, end))
    gaps = [later.at_ns - tick.at_ns for tick, later in pairwise(ticks)]
    assert all(gap > 5e6 for gap in gaps)
    assert session.close is not None
    assert (session.close.by, session.close.code) == ("bot", 1000)


def test_bodies_of_every_kind_are_stored_as_the_bot_sees_them(record: Record) -> None:
    done = record(
        """
        import requests
        session = requests.Session()
        base = "http://api.example.test/"
        print(session.get(base + "packed").headers["Content-Encoding"])
        print(session.get(base + "pieces").text)
        print(session.head(base + "packed").status_code, session.get(base + "nothing").status_code)
        print(session.post(base + "binary", data=b"\\xff\\x00").status_code)
        """
    )
    assert done.stdout.split("\n")[0] == "gzip"
    packed, pieces, head, nothing, binary = (item.response for item in done.requests)
    assert packed is not None
    assert json.loads(packed.body) == {"packed": "y" * 2000}
    assert not {"content-encoding", "transfer-encoding"} & {n.lower() for n, _ in packed.headers}
    assert pieces is not None
    assert pieces.body == b"piece 0;piece 1;piece 2;"
    assert pieces.end_ns - pieces.at_ns > 10e6
    assert head is not None
    assert head.body == b""
    assert nothing is not None
    assert nothing.status == 204
    assert binary is not None
    assert done.requests[4].request.body == b"\xff\x00"
    assert packed.encoding == "gzip"
    assert sum(size for _, size in pieces.pieces) == len(pieces.body)
    assert len(pieces.pieces) == 3
    assert all(later - before > 5e6 for (before, _), (later, _) in pairwise(pieces.pieces))
    assert not packed.pieces


def test_an_event_stream_is_kept_as_far_as_the_bot_heard_it(record: Record) -> None:
    done = record(
        """
        import urllib.request
        with urllib.request.urlopen("https://api.example.test/events") as stream:
            print([stream.readline() for _ in range(5)][4].decode())
        """
    )
    assert done.stdout.split() == ["data:", "2"]
    (found,) = done.requests
    assert found.response is not None
    assert found.response.body.startswith(b"data: 0\n\ndata: 1\n\ndata: 2\n\n")
    assert len(found.response.pieces) >= 3
    assert sum(size for _, size in found.response.pieces) == len(found.response.body)
    assert ("Content-Length", str(len(found.response.body))) in found.response.headers
    (close,) = (event for event in done.recording.events if isinstance(event, Close))
    assert close.by == "bot"
    assert "warning" not in done.stderr
    assert not done.recording.truncated


def test_fragments_and_pings_of_both_sides_are_recorded(record: Record) -> None:
    done = record(
        """
        import json, websockets.sync.client
        url = "wss://stream.example.test/ticks?n=1&every=0.5"
        with websockets.sync.client.connect(url, ping_interval=None, compression=None) as stream:
            stream.send(['{"id": 1,', '"method": "x"}'])
            stream.ping(b"token=secret-in-a-ping").wait()
            for _ in range(3):
                stream.recv()
        """
    )
    assert done.status == 0, done.stderr
    (session,) = websockets(done.recording)
    assert session.messages[0].data == '{"id": 1,"method": "x"}'
    assert session.messages[0].frames[:2] == (9, 14)
    pings = [event for event in done.recording.events if isinstance(event, Ping)]
    (own,) = (ping for ping in pings if ping.direction == "sent")
    assert own.data.startswith(b"token=REDACTED-token-")
    assert any(ping.direction == "received" for ping in pings)  # the service's heartbeat


def test_many_connections_at_once_are_recorded(record: Record) -> None:
    done = record(
        """
        import asyncio, resource
        print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        async def main():
            opened = [await asyncio.open_connection("api.example.test", 80) for _ in range(300)]
            for number, (_, writer) in enumerate(opened):
                writer.write(b"GET /%d HTTP/1.1\\r\\nHost: api.example.test\\r\\n\\r\\n" % number)
            answers = [await reader.readline() for reader, _ in opened]
            print(len(answers), set(answers))
            for _, writer in opened:
                writer.close()
        asyncio.run(main())
        """,
        limit=400,
    )
    assert done.stdout == "400\n300 {b'HTTP/1.1 200 OK\\r\\n'}\n", done.stderr
    assert len(done.requests) == 300
    assert len({found.open.connection for found in done.requests}) == 300


def test_what_breaks_is_recorded_and_told(record: Record) -> None:
    done = record(
        """
        import requests
        for url in ("https://refused.example.test/", "http://api.example.test/broken"):
            try:
                requests.get(url)
            except requests.RequestException as error:
                print(type(error).__name__)
        """
    )
    assert done.status == 0
    assert done.stdout.split() == ["ConnectionError", "ChunkedEncodingError"]
    refused, broken = (event for event in done.recording.events if isinstance(event, Failure))
    assert "cannot connect to refused.example.test:443" in refused.detail
    assert "in the middle of a response" in broken.detail
    assert refused.exchange is not None
    assert broken.exchange is not None
    assert not done.recording.truncated
    assert "warning: 1x cannot connect" in done.stderr


def test_no_secret_reaches_the_file(record: Record) -> None:
    done = record(
        f"""
        import requests
        requests.get(
            "https://api.example.test/bot123456:AAAA-telegram/getMe",
            params={{"note": {SECRET!r}}},
            headers={{"Authorization": "Bearer header-secret-1", "X-API-Key": {SECRET!r}}},
        )
        requests.post("https://api.example.test/", json={{"password": "hunter2-hunter2"}})
        """,
        arguments=("--token", "flag-secret-1", SECRET),
    )
    assert done.status == 0, done.stderr
    assert len(done.requests) == 2
    text = done.path.read_text()
    for secret in (
        SECRET,
        "AAAA-telegram",
        "header-secret",
        "hunter2",
        "cookie-secret",
        "flag-secret",
    ):
        assert secret not in text
    assert all(json.loads(line) for line in text.splitlines())
    assert done.recording.header.redacted


def test_a_secret_in_a_host_name_is_refused_and_leaves_no_file(record: Record) -> None:
    done = record(
        f"""
        import http.client, time
        try:
            http.client.HTTPConnection("{SECRET}.example.test").request("GET", "/")
        except OSError:
            pass
        time.sleep(30)
        """,
        "--map",
        f"{SECRET}.example.test=127.0.0.1:1",
    )
    assert done.status == 2
    assert "$SERVICE_TOKEN is still in a open event" in done.stderr
    assert not done.path.exists()


def test_input_output_and_status_are_the_bots(record: Record) -> None:
    done = record(
        """
        import sys
        print("out", sys.stdin.read())
        print("err", file=sys.stderr)
        sys.exit(7)
        """,
        stdin="in",
    )
    assert done.stdout == "out in\n"
    assert "err\n" in done.stderr
    assert done.status == 7
    assert "the bot failed with status 7" in done.stderr
    assert "nothing was recorded" in done.stderr


LONG = """
    import time, urllib.request
    while True:
        urllib.request.urlopen("http://api.example.test/x").read()
        print("done", flush=True)
        time.sleep(0.05)
"""


def start(folder: Path, service: Service) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        prepare(folder, service, LONG),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    assert process.stdout is not None
    for _ in range(3):
        assert process.stdout.readline() == "done\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_bot_and_keeps_the_recording(
    tmp_path: Path, service: Service, number: signal.Signals
) -> None:
    with start(tmp_path, service) as process:
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "recorded" in err
    recording = read_recording(tmp_path / "t.jsonl")
    assert len(exchanges(recording)) >= 3


def test_a_killed_recorder_leaves_a_loadable_file(tmp_path: Path, service: Service) -> None:
    with start(tmp_path, service) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)
    path = tmp_path / "t.jsonl"
    assert len(exchanges(read_recording(path))) >= 3
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert read_recording(path).truncated


HOLD = """
    import json, time, websocket
    seen = []
    while len(seen) < 6:
        stream = websocket.create_connection(
            "wss://stream.example.test/ticks?n=6&every=0.03"
        )
        stream.send(json.dumps({"id": 10 + len(seen), "method": "subscribe"}))
        assert json.loads(stream.recv())["id"] == 10 + len(seen)
        seen.append(json.loads(stream.recv())["params"]["index"])
        stream.close()
        time.sleep(0.12)
    print(seen)
"""


def test_held_streams_reach_a_reconnecting_bot_and_keep_their_times(record: Record) -> None:
    done = record(HOLD, "--hold-streams")
    assert done.status == 0, done.stderr
    assert done.stdout == "[0, 1, 2, 3, 4, 5]\n"
    sessions = websockets(done.recording)
    assert len(sessions) == 6
    ticks = [
        event
        for event in done.recording.events
        if isinstance(event, Message) and isinstance(event.data, str) and "tick" in event.data
    ]
    assert [json.loads(tick.data)["params"]["index"] for tick in ticks] == [0, 1, 2, 3, 4, 5]
    assert ticks[-1].at_ns - ticks[0].at_ns < 0.4e9
    assert ticks[0].heard
    assert not all(tick.heard for tick in ticks)
    opens = [event for event in done.recording.events if isinstance(event, Open)]
    assert len({(opened.connect_ns, opened.tls_ns) for opened in opens}) == 1
    closes = [event for event in done.recording.events if isinstance(event, Close)]
    assert {close.by for close in closes} == {"bot"}


def test_without_holding_the_same_bot_hears_the_stream_from_its_start(
    record: Record,
) -> None:
    done = record(HOLD)
    assert done.stdout == "[0, 0, 0, 0, 0, 0]\n"


def test_a_bot_that_stays_hears_everything_at_once(record: Record) -> None:
    done = record(
        """
        import json, websocket
        stream = websocket.create_connection("ws://stream.example.test/ticks?n=3&every=0.15")
        stream.send(json.dumps({"id": 1, "method": "subscribe"}))
        print([len(stream.recv()) > 0 for _ in range(4)])
        stream.ping()
        stream.close()
        """,
        "--hold-streams",
    )
    assert done.stdout == "[True, True, True, True]\n"
    (session,) = websockets(done.recording)
    assert all(message.heard for message in session.messages[:5])
    waited = session.messages[2].at_ns - session.messages[1].at_ns
    assert waited > 0.1e9


def test_a_declined_websocket_is_stored_as_the_bot_sees_it(record: Record) -> None:
    done = record(
        """
        import requests
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Accept-Encoding": "gzip"}
        print(requests.get("http://api.example.test/packed", headers=upgrade).status_code)
        """,
        "--hold-streams",
    )
    assert done.stdout == "200\n"
    (declined,) = (one.response for one in done.requests)
    assert declined is not None
    assert json.loads(declined.body) == {"packed": "y" * 2000}
    assert declined.encoding == "gzip"


def test_other_loopback_traffic_is_left_alone(record: Record, service: Service) -> None:
    source = f"""
        import urllib.request
        for host in ("localhost", "127.0.0.1"):
            print(urllib.request.urlopen(f"http://{{host}}:{service.plain}/x").status)
        """
    assert record(source).stdout == "200\n200\n"
    assert not exchanges(record(source).recording)
    local = record(source, "--include-local", "--port", str(service.plain))
    (found,) = exchanges(local.recording)
    assert found.url == f"http://localhost:{service.plain}/x"


def test_the_summary_is_one_line(record: Record) -> None:
    done = record("import requests; requests.get('http://api.example.test/x?token=0123456789')")
    (line,) = done.stderr.splitlines()
    assert line.startswith("recorded 1 request and 0 messages on 1 connection to 1 host, ")
    assert line.endswith(str(done.path))


def test_timestamps_follow_the_clock(record: Record) -> None:
    began = time.monotonic()
    done = record("import requests; requests.get('http://api.example.test/x')")
    passed_ns = (time.monotonic() - began) * 1e9
    times = [event.at_ns for event in done.recording.events]
    assert times == sorted(times)
    assert 0 < times[-1] < passed_ns
