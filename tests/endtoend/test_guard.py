"""A bot of a bench replay tries everything to get out; listeners outside must hear nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from endtoend.toy import API, BOT, SCENARIO, toy_recording

from perfscan.replay import namespace
from perfscan.replay.certificates import Authority
from perfscan.replay.namespace import Namespace, unavailable
from perfscan.replay.network import open_network
from perfscan.replay.recording import write_recording
from perfscan.replay.redirection import bot_environment, escapes
from perfscan.replay.scenario import read_scenario
from perfscan.replay.server.process import ServerProcess

pytestmark = [
    pytest.mark.endtoend,
    pytest.mark.skipif(unavailable() is not None, reason=f"no namespace: {unavailable()}"),
]

AWAY = "away.example.test"

# Each defines attempt(host, port), which may raise. It is called for every address outside.
WAYS = {
    "requests": """
        import requests
        def attempt(host, port):
            requests.get(f"http://{host}:{port}/", timeout=3)""",
    "urllib3": """
        import urllib3
        def attempt(host, port):
            urllib3.PoolManager(timeout=3, retries=False).request("GET", f"http://{host}:{port}/")""",
    "http.client": """
        import http.client
        def attempt(host, port):
            http.client.HTTPConnection(host, port, timeout=3).request("GET", "/")""",
    "httpx": """
        import httpx
        def attempt(host, port):
            httpx.get(f"http://{host}:{port}/", timeout=3, trust_env=False)""",
    "aiohttp": """
        import asyncio, aiohttp
        async def get(host, port):
            connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
            async with aiohttp.ClientSession(connector=connector) as session:
                await session.get(f"http://{host}:{port}/")
        def attempt(host, port):
            asyncio.run(get(host, port))""",
    "aiohttp with aiodns": """
        import asyncio, aiohttp
        async def get(host, port):
            resolver = aiohttp.AsyncResolver(timeout=1, tries=1)
            connector = aiohttp.TCPConnector(resolver=resolver)
            async with aiohttp.ClientSession(connector=connector) as session:
                await session.get(f"http://{host}:{port}/")
        def attempt(host, port):
            asyncio.run(get(host, port))""",
    "uvloop": """
        import aiohttp, asyncio, uvloop
        async def get(host, port):
            async with aiohttp.ClientSession() as session:
                await session.get(f"http://{host}:{port}/")
        def attempt(host, port):
            uvloop.run(get(host, port))""",
    "uvloop streams": """
        import asyncio, uvloop
        def attempt(host, port):
            uvloop.run(asyncio.open_connection(host, port))""",
    "uvloop datagram": """
        import asyncio, uvloop
        async def send(host, port):
            loop = asyncio.get_running_loop()
            sender, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=(host, port)
            )
            sender.sendto(b"out")
            await asyncio.sleep(0.05)
        def attempt(host, port):
            uvloop.run(send(host, port))""",
    "websockets": """
        from websockets.sync.client import connect
        def attempt(host, port):
            connect(f"ws://{host}:{port}/", open_timeout=3)""",
    "websocket-client": """
        import websocket
        def attempt(host, port):
            websocket.create_connection(f"ws://{host}:{port}/", timeout=3)""",
    "a proxy of its own": """
        import os, urllib.request
        def attempt(host, port):
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({"http": f"http://{host}:{port}"})
            )
            opener.open("http://api.example.test/price/k00", timeout=3)""",
    "a raw socket": """
        import _socket
        def attempt(host, port):
            _socket.socket().connect((host, port))""",
    "an IPv6 socket": """
        import socket
        def attempt(host, port):
            socket.socket(socket.AF_INET6).connect((f"::ffff:{host}", port))""",
    "a datagram": """
        import socket
        def attempt(host, port):
            socket.socket(type=socket.SOCK_DGRAM).sendto(b"out", (host, port))""",
    "a name server of its own": """
        import asyncio, aiodns
        async def ask(host, port):
            resolver = aiodns.DNSResolver(nameservers=[f"{host}:{port}"], timeout=0.2, tries=1)
            await resolver.query("example.org", "A")
        def attempt(host, port):
            asyncio.run(ask(host, port))""",
    "an abstract Unix socket": """
        import socket
        def attempt(host, port):
            socket.socket(socket.AF_UNIX).connect(abstract)""",
    "a thread": """
        import threading, urllib.request
        def attempt(host, port):
            url = f"http://{host}:{port}/"
            thread = threading.Thread(target=urllib.request.urlopen, args=(url, None, 3))
            thread.start()
            thread.join()""",
    "a subprocess without hooks": """
        import subprocess, sys
        code = "import sys, socket; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
        def attempt(host, port):
            subprocess.run([sys.executable, "-I", "-c", code, host, str(port)], env={})""",
    "a process that leaves its session": """
        import os, socket
        def attempt(host, port):
            if os.fork():
                os.wait()
                return
            os.setsid()
            try:
                socket.create_connection((host, port), 3)
            finally:
                os._exit(0)""",
    "curl": """
        import subprocess
        def attempt(host, port):
            subprocess.run(["curl", "-sm3", f"http://{host}:{port}/"], env={})""",
    "a shell": """
        import subprocess
        def attempt(host, port):
            subprocess.run(["bash", "-c", f"echo out > /dev/tcp/{host}/{port}"], env={})""",
}
TRY_ALL = """
for host in hosts:
    try:
        attempt(host, port)
    except Exception as error:
        print(type(error).__name__)
print("tried")
"""


@dataclass(slots=True)
class Outside:
    """Listeners on every address of this machine, which no bot of a replay may reach."""

    stream: socket.socket
    datagram: socket.socket
    abstract: socket.socket

    @property
    def port(self) -> int:
        port: int = self.stream.getsockname()[1]
        return port

    def heard(self) -> list[str]:
        """Return all that has arrived since the last call."""
        found = []
        for listener in (self.stream, self.abstract):
            with contextlib.suppress(BlockingIOError):
                while True:
                    listener.accept()[0].close()
                    found.append("connection")
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self.datagram.recv(100).decode("latin-1"))
        return found


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with (
        socket.socket() as stream,
        socket.socket(type=socket.SOCK_DGRAM) as datagram,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        stream.bind(("0.0.0.0", 0))
        datagram.bind(stream.getsockname())
        abstract.bind(f"\0perfscan-guard-{os.getpid()}")
        for listener in (stream, abstract):
            listener.listen()
        for listener in (stream, datagram, abstract):
            listener.setblocking(False)
        yield Outside(stream, datagram, abstract)


@dataclass(slots=True)
class Replay:
    """The surroundings of a bot in a bench."""

    folder: Path
    command: list[str]
    environment: dict[str, str]

    def run(self, source: str, **names: object) -> subprocess.CompletedProcess[str]:
        program = "".join(f"{name} = {value!r}\n" for name, value in names.items())
        bot = self.folder / "bot.py"
        bot.write_text(program + textwrap.dedent(source), "utf-8")
        return subprocess.run(
            [*self.command, sys.executable, "-P", str(bot)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def escapes(self) -> tuple[str, ...]:
        return escapes(self.folder / "escapes.jsonl")


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """Play the toy recording, as ``bench replay`` does, to whatever is run inside."""
    folder = tmp_path_factory.mktemp("guard")
    for side in ("original", "optimized"):
        (folder / side).mkdir()
        (folder / side / "bot.py").write_text(BOT, "utf-8")
    write_recording(toy_recording(), folder / "traffic.jsonl")
    (folder / "scenario.yaml").write_text(json.dumps(SCENARIO), "utf-8")
    scenario = read_scenario(folder / "scenario.yaml")
    authority = Authority.create(folder / "ca")
    with (
        open_network(toy_recording(), folder / "network") as network,
        ServerProcess(
            scenario, scenario.recording, network, authority, folder, speed=1, seed=1, until_s=None
        ),
    ):
        environment = bot_environment(
            {"PATH": os.environ["PATH"]},
            mode="replay",
            ca_bundle=authority.ca_file,
            hosts=network.hosts,
            ports=network.redirected_ports,
            report=folder / "escapes.jsonl",
        )
        yield Replay(folder, network.command([]), environment)


def addresses() -> list[str]:
    """Return every name and address under which this machine can be reached from outside."""
    found = {"127.0.0.1", "localhost", socket.gethostname()}
    with socket.socket(type=socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing; asks which address would be used
        found.add(probe.getsockname()[0])
    return sorted(found)


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_out(replay: Replay, outside: Outside, way: str) -> None:
    if way == "curl" and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    done = replay.run(
        textwrap.dedent(WAYS[way]) + TRY_ALL,
        hosts=addresses(),
        port=outside.port,
        abstract=outside.abstract.getsockname(),
    )
    assert done.stdout.endswith("tried\n"), done.stderr
    assert outside.heard() == []


@pytest.mark.parametrize("way", ["requests", "a raw socket", "a datagram", "a shell"])
def test_the_same_ways_lead_out_where_nothing_guards(outside: Outside, way: str) -> None:
    """Silence means something: the listeners do hear what is not guarded."""
    source = textwrap.dedent(WAYS[way]) + TRY_ALL
    names = f"hosts, port = {addresses()!r}, {outside.port}\n"
    process = subprocess.Popen(
        [sys.executable, "-c", names + source],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    heard: list[str] = []
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        heard += outside.heard()
        time.sleep(0.01)
    assert [*heard, *outside.heard()]


USED_UP = """
    import http.client, json, ssl
    connection = http.client.HTTPSConnection("api.example.test")
    def status(method, path, body=None):
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    for number in range(20):
        print(status("GET", "/price/k00")[0])
    print(*status("GET", "/price/never-recorded"))
    print(*status("DELETE", "/price/k00"))
"""


def test_a_recording_that_is_used_up_opens_no_way(replay: Replay, outside: Outside) -> None:
    done = replay.run(USED_UP)
    assert done.returncode == 0, done.stderr
    *repeated, unknown, other = done.stdout.splitlines()
    assert len(repeated) == 20
    assert "perfscan" in unknown
    assert "perfscan" in other
    assert unknown.split()[0] == other.split()[0] != "200"
    assert outside.heard() == []


def test_a_name_that_was_not_recorded_is_told_with_the_line(replay: Replay) -> None:
    done = replay.run(f"import socket\nsocket.getaddrinfo('{AWAY}', 443)")
    assert f"perfscan: {AWAY} is not in the recording" in done.stderr
    assert f"{AWAY} (bot.py:2)" in replay.escapes()


class Engine(threading.Thread):
    """Listens at a Unix socket, as programs do that could fetch things for a bot."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.asked = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.listener.accept()[0].close()
                self.asked += 1


ASK = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


def test_known_servants_at_unix_sockets_are_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as name:  # a short path, as Unix sockets need
        folder = Path(name)
        (folder / "bus").mkdir()
        paths = [folder / "docker.sock", folder / "bus" / "socket"]
        engines = [Engine(path) for path in paths]
        for engine in engines:
            engine.start()
        places = (str(paths[0])[1:], str(folder / "bus")[1:])
        monkeypatch.setattr(namespace, "SERVANTS", places)
        try:
            with Namespace.open([API], [80], tmp_path / "network") as inside:
                for path, expected in zip(paths, ("Refused", "FileNotFound"), strict=True):
                    ask = [sys.executable, "-I", "-c", ASK, str(path)]
                    done = subprocess.run(
                        inside.command(ask), capture_output=True, text=True, check=False
                    )
                    assert expected in done.stderr
            assert [engine.asked for engine in engines] == [0, 0]
            for path in paths:  # outside nothing has changed
                subprocess.run([sys.executable, "-I", "-c", ASK, str(path)], check=True)
        finally:
            for engine in engines:
                engine.listener.shutdown(socket.SHUT_RDWR)
                engine.join()
                engine.listener.close()
