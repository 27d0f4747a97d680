"""Attempts to get out of the network of a replay, by every kind of client."""

from __future__ import annotations

import contextlib
import http.server
import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from perfscan.replay.certificates import Authority
from perfscan.replay.namespace import Namespace, unavailable

pytestmark = [
    pytest.mark.endtoend,
    pytest.mark.skipif(unavailable() is not None, reason=f"no namespace: {unavailable()}"),
]

RECORDED = "api.recorded.example"
ROOT = Path(__file__).resolve().parents[2]

# Each program gets a URL and prints the body that it received.
CLIENTS = {
    "urllib": """
import urllib.request
print(urllib.request.urlopen(url, timeout=3).read().decode())
""",
    "http.client": """
import http.client, ssl
from urllib.parse import urlsplit
parts = urlsplit(url)
kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
client = kind(parts.netloc, timeout=3)
client.request("GET", "/")
print(client.getresponse().read().decode())
""",
    "requests": """
import requests
print(requests.get(url, timeout=3).text)
""",
    "httpx": """
import httpx
print(httpx.get(url, timeout=3).text)
""",
    "httpx async": """
import asyncio, httpx
async def main():
    async with httpx.AsyncClient(timeout=3) as client:
        print((await client.get(url)).text)
asyncio.run(main())
""",
    "aiohttp with the system's resolver": """
import asyncio, aiohttp
async def main():
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get(url) as answer:
            print(await answer.text())
asyncio.run(main())
""",
    "aiohttp with aiodns": """
import asyncio, aiohttp
async def main():
    connector = aiohttp.TCPConnector(resolver=aiohttp.AsyncResolver())
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get(url) as answer:
            print(await answer.text())
asyncio.run(main())
""",
    "aiohttp on uvloop": """
import asyncio, aiohttp, uvloop
async def main():
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            print(await answer.text())
asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main())
""",
    "uvloop streams": """
import asyncio, ssl, uvloop
from urllib.parse import urlsplit
parts = urlsplit(url)
async def main():
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure)
    writer.write(f"GET / HTTP/1.0\\r\\nHost: {parts.hostname}\\r\\n\\r\\n".encode())
    print((await reader.read()).decode())
asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main())
""",
    "a thread": """
import threading, urllib.request
def fetch():
    print(urllib.request.urlopen(url, timeout=3).read().decode())
thread = threading.Thread(target=fetch)
thread.start()
thread.join()
""",
    "a subprocess that ignores the environment": """
import subprocess, sys
program = "import ssl, sys, urllib.request as r; c = ssl.create_default_context(cafile=sys.argv[2])"
program += "; print(r.urlopen(sys.argv[1], timeout=3, context=c).read().decode())"
subprocess.run([sys.executable, "-I", "-c", program, url, ca], check=True)
""",
    "curl": """
import subprocess
subprocess.run(["curl", "-sS", "-m", "3", "--cacert", ca, url], check=True)
""",
}
WEBSOCKET_CLIENTS = {
    "websockets": """
from websockets.sync.client import connect
connect(url, open_timeout=3)
""",
    "websockets on asyncio": """
import asyncio
from websockets.asyncio.client import connect
async def main():
    async with connect(url, open_timeout=3):
        pass
asyncio.run(main())
""",
    "websocket-client": """
import websocket
websocket.create_connection(url, timeout=3)
""",
}
RAW = """
import socket
socket.create_connection((host, port), timeout=3).close()
"""
DATAGRAM = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.sendto(b"out", (host, port))
"""


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"inside {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def serving(listener: socket.socket, secure: ssl.SSLContext | None) -> Iterator[None]:
    with http.server.ThreadingHTTPServer(("", 0), Answer, bind_and_activate=False) as server:
        server.socket.close()
        server.socket = secure.wrap_socket(listener, server_side=True) if secure else listener
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@dataclass(slots=True)
class Outside:
    """Real TCP and UDP listeners of this machine that must never hear anything."""

    stream: socket.socket
    datagram: socket.socket

    @property
    def port(self) -> int:
        port: int = self.stream.getsockname()[1]
        return port

    def heard(self) -> list[str]:
        """Return what has arrived so far."""
        found = []
        with contextlib.suppress(BlockingIOError):
            self.stream.accept()[0].close()
            found.append("connection")
        with contextlib.suppress(BlockingIOError):
            found.append(self.datagram.recv(100).decode())
        return found


@pytest.fixture
def outside() -> Iterator[Outside]:
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        stream.bind(("0.0.0.0", 0))
        stream.listen()
        datagram.bind(stream.getsockname())
        for listener in (stream, datagram):
            listener.setblocking(False)
        yield Outside(stream, datagram)


@dataclass(slots=True)
class Inside:
    namespace: Namespace
    ca: Path

    def run(self, program: str, **names: object) -> subprocess.CompletedProcess[str]:
        names["ca"] = str(self.ca)
        text = "".join(f"{name} = {value!r}\n" for name, value in names.items()) + program
        environment = os.environ | dict.fromkeys(
            ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE"), str(self.ca)
        )
        return subprocess.run(
            self.namespace.command([sys.executable, "-c", text]),
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    authority = Authority.create(tmp_path_factory.mktemp("ca"))
    folder = tmp_path_factory.mktemp("network")
    with (
        Namespace.open([RECORDED, "10.11.12.13"], [80, 443], folder) as namespace,
        serving(namespace.listeners[80], None),
        serving(namespace.listeners[443], authority.server_context()),
    ):
        yield Inside(namespace, authority.ca_file)


def own_addresses() -> list[str]:
    """Return addresses of this machine at which ``outside`` really listens."""
    found = {"127.0.0.1", "localhost"}
    with socket.socket(type=socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing; asks which address would be used
        found.add(probe.getsockname()[0])
    return sorted(found)


def requirement(name: str) -> None:
    if name == "curl" and shutil.which("curl") is None:
        pytest.skip("curl is not installed")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_recorded_host_is_served_inside(inside: Inside, client: str, scheme: str) -> None:
    requirement(client)
    done = inside.run(CLIENTS[client], url=f"{scheme}://{RECORDED}/")
    assert f"inside {RECORDED}" in done.stdout, done.stderr


def test_a_recorded_address_is_served_inside(inside: Inside) -> None:
    done = inside.run(CLIENTS["urllib"], url="http://10.11.12.13/")
    assert "inside 10.11.12.13" in done.stdout, done.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_nothing_gets_out(inside: Inside, outside: Outside, client: str) -> None:
    requirement(client)
    for address in own_addresses():
        done = inside.run(CLIENTS[client], url=f"http://{address}:{outside.port}/")
        assert done.stdout == ""
        assert done.returncode != 0 or done.stderr
    assert outside.heard() == []


@pytest.mark.parametrize("client", WEBSOCKET_CLIENTS)
def test_no_websocket_gets_out(inside: Inside, outside: Outside, client: str) -> None:
    done = inside.run(WEBSOCKET_CLIENTS[client], url=f"ws://127.0.0.1:{outside.port}/")
    assert "refused" in done.stderr.lower()
    assert outside.heard() == []


def test_no_raw_socket_gets_out(inside: Inside, outside: Outside) -> None:
    for address in own_addresses():
        done = inside.run(RAW, host=address, port=outside.port)
        assert re.search("refused|unreachable", done.stderr), done
    assert outside.heard() == []


def test_no_datagram_gets_out(inside: Inside, outside: Outside) -> None:
    for address in own_addresses():
        inside.run(DATAGRAM, host=address, port=outside.port)
    assert outside.heard() == []


@pytest.mark.parametrize("program", [RAW, DATAGRAM], ids=["raw", "datagram"])
def test_the_listeners_outside_do_hear(outside: Outside, program: str) -> None:
    """Silence means something: from outside the very same attempts arrive."""
    for address in own_addresses():
        exec(program, {"host": address, "port": outside.port})
        assert outside.heard() != [], address


def test_a_name_that_was_not_recorded_is_unknown_at_once(inside: Inside) -> None:
    started = time.monotonic()
    done = inside.run(CLIENTS["urllib"], url="http://other.example/")
    assert "getaddrinfo" in done.stderr or "Name" in done.stderr
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("client", WEBSOCKET_CLIENTS)
def test_a_websocket_reaches_the_server_inside(inside: Inside, client: str) -> None:
    done = inside.run(WEBSOCKET_CLIENTS[client], url=f"wss://{RECORDED}/")
    assert "200" in done.stderr  # this server knows no upgrade, so it was asked


def test_the_way_out_cannot_be_taken_back(inside: Inside) -> None:
    """Even root inside cannot join the network outside again, nor add a device."""
    program = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.setns(os.open(f"/proc/{outer}/ns/net", os.O_RDONLY), 0), libc.unshare(0x40000000))
"""
    done = inside.run(program, outer=os.getpid())
    assert done.stdout.strip() in ("-1 -1", ""), done


def test_folder_environment_and_status_are_kept(inside: Inside, tmp_path: Path) -> None:
    done = subprocess.run(
        inside.namespace.command(["sh", "-c", 'pwd; echo "$MARK"; exit 7']),
        cwd=tmp_path,
        env={**os.environ, "MARK": "kept"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [str(tmp_path), "kept"]
    assert done.returncode == 7


def test_broken_pipes_end_a_command_as_usual(inside: Inside) -> None:
    done = subprocess.run(
        inside.namespace.command(["sh", "-c", "grep SigIgn /proc/self/status"]),
        capture_output=True,
        text=True,
        check=True,
    )
    ignored = int(done.stdout.split()[1], 16)
    assert not ignored & 1 << (signal.SIGPIPE - 1)


def test_an_unknown_command_is_said_clearly(inside: Inside) -> None:
    done = subprocess.run(
        inside.namespace.command(["no-such-bot"]), capture_output=True, text=True, check=False
    )
    assert done.returncode == 127
    assert done.stderr == "cannot start no-such-bot: No such file or directory\n"


def ended(process: int) -> bool:
    """Wait until a process that is not ours is gone."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


LINGER = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def test_what_still_runs_inside_ends_with_the_namespace(tmp_path: Path) -> None:
    with Namespace.open([RECORDED], [80], tmp_path) as namespace:
        straggler = subprocess.Popen(
            namespace.command([sys.executable, "-I", "-c", LINGER]),
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert straggler.stdout is not None
        assert straggler.stdout.readline()  # it runs
    with straggler:
        assert straggler.wait(10) == -signal.SIGKILL
    assert ended(namespace.holder)


OWNER = """
import pathlib, subprocess, sys, time
from perfscan.replay.namespace import Namespace
with Namespace.open(["a.example"], [80], pathlib.Path(sys.argv[1])) as namespace:
    inner = subprocess.Popen(namespace.command([sys.executable, "-I", "-c", linger]))
    print(namespace.holder, flush=True)
    time.sleep(600)
"""


def test_nothing_is_left_when_the_owner_is_killed(tmp_path: Path) -> None:
    program = f"linger = {LINGER!r}\n" + OWNER
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        processes = [int(owner.stdout.readline()) for _ in range(2)]
        owner.kill()
    assert all(ended(process) for process in processes)


def plain_interpreter() -> str:
    """Return a Python that another user may execute, or skip."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        check = [candidate, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            if subprocess.run(check, user="nobody", capture_output=True).returncode == 0:
                return candidate
    pytest.skip("no Python 3.11 that a plain user can execute")


PLAIN = """
import os, subprocess, sys
from perfscan.replay.namespace import Namespace, unavailable
from perfscan.replay.scratch import scratch_folder
print(unavailable())
with scratch_folder("plain-") as folder, Namespace.open(["a.example"], [80], folder) as namespace:
    show = "import os, socket; print(os.getuid(), socket.gethostbyname('a.example'));" + (
        "socket.create_connection(('a.example', 80), 3); socket.create_connection((%r, %r), 3)"
        % ("127.0.0.1", int(sys.argv[1]))
    )
    done = subprocess.run(
        namespace.command([sys.executable, "-I", "-c", show]), capture_output=True, text=True
    )
    print(done.stdout.strip(), done.stderr.strip().splitlines()[-1])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests already run as a plain user")
def test_a_plain_user_needs_no_privilege(outside: Outside) -> None:
    interpreter = plain_interpreter()
    identity = pwd.getpwnam("nobody").pw_uid
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "perfscan"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "perfscan", folder, ignore=ignored)
        shutil.copytree(ROOT / "replay", folder / "replay", ignore=ignored)
        for path in (Path(name), *Path(name).rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        done = subprocess.run(
            [interpreter, "-c", PLAIN, str(outside.port)],
            user="nobody",
            group=pwd.getpwnam("nobody").pw_gid,
            extra_groups=[],
            cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": name},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stderr == ""
    allowed, _, rest = done.stdout.partition("\n")
    if allowed != "None":
        pytest.skip(f"plain users may not make namespaces here: {allowed}")
    assert rest.startswith(f"{identity} 127.0.0.1 ConnectionRefusedError")
    assert outside.heard() == []
