"""The code inside the bot's process, in real processes with real clients that try to get out."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from perfscan.replay.certificates import Authority
from perfscan.replay.redirection import bot_environment, escapes

pytestmark = pytest.mark.endtoend

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def run(tmp_path: Path, authority: Authority) -> Run:
    """Run source as ``bot.py`` under the hooks of a replay; no namespace unless asked for."""

    def run_bot(
        source: str, *, ports: dict[int, int] | None = None, namespace: bool = False, **base: str
    ) -> subprocess.CompletedProcess[str]:
        bot = tmp_path / "bot.py"
        bot.write_text(textwrap.dedent(source), "utf-8")
        environment = bot_environment(
            {**os.environ, **base},
            mode="replay",
            ca_bundle=authority.ca_file,
            hosts=["api.example.test"],
            ports=None if namespace else (ports or {443: 4443, 80: 8080}),
            report=tmp_path / "report.jsonl",
        )
        return subprocess.run(
            [sys.executable, "-P", str(bot)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run_bot


HOST = "away.example.test"
ATTEMPTS = {
    "requests": f"import requests; requests.get('https://{HOST}/')",
    "urllib3": f"import urllib3; urllib3.PoolManager().request('GET', 'http://{HOST}/', retries=0)",
    "http.client": f"import http.client; http.client.HTTPConnection('{HOST}').request('GET', '/')",
    "urllib": f"import urllib.request; urllib.request.urlopen('http://{HOST}/')",
    "httpx": f"import httpx; httpx.get('https://{HOST}/')",
    "websocket-client": f"import websocket; websocket.create_connection('wss://{HOST}/')",
    "socket by name": f"import socket; socket.socket().connect(('{HOST}', 80))",
    "gethostbyname": f"import socket; socket.gethostbyname('{HOST}')",
    "httpx async": f"""
        import asyncio, httpx
        async def main():
            async with httpx.AsyncClient() as client:
                await client.get('https://{HOST}/')
        asyncio.run(main())""",
    "aiohttp": f"""
        import asyncio, aiohttp
        async def main():
            async with aiohttp.ClientSession() as session:
                await session.get('https://{HOST}/')
        asyncio.run(main())""",
    "aiohttp on uvloop": f"""
        import aiohttp, uvloop
        async def main():
            async with aiohttp.ClientSession() as session:
                await session.get('https://{HOST}/')
        uvloop.run(main())""",
    "websockets": f"""
        import asyncio, websockets
        async def main():
            await websockets.connect('wss://{HOST}/')
        asyncio.run(main())""",
    "websockets on uvloop": f"""
        import uvloop, websockets
        async def main():
            await websockets.connect('wss://{HOST}/')
        uvloop.run(main())""",
    "uvloop streams": f"""
        import asyncio, uvloop
        async def main():
            await asyncio.open_connection('{HOST}', 443)
        uvloop.run(main())""",
    "a thread": f"""
        import concurrent.futures, requests
        with concurrent.futures.ThreadPoolExecutor() as pool:
            pool.submit(requests.get, 'https://{HOST}/').result()""",
    "a Python subprocess": f"""
        import subprocess, sys
        code = "import requests; requests.get('https://{HOST}/')"
        done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
        raise SystemExit(done.stderr)""",
    "multiprocessing": f"""
        import multiprocessing, socket
        if __name__ == '__main__':
            with multiprocessing.get_context('spawn').Pool(1) as pool:
                pool.apply(socket.getaddrinfo, ('{HOST}', 443))""",
}


@pytest.mark.parametrize("namespace", [False, True], ids=["hooks alone", "in a namespace"])
@pytest.mark.parametrize("client", ATTEMPTS)
def test_no_client_finds_a_host_outside_the_recording(
    run: Run, tmp_path: Path, client: str, namespace: bool
) -> None:
    done = run(ATTEMPTS[client], namespace=namespace)
    assert done.returncode != 0
    assert f"perfscan: {HOST} is not in the recording" in done.stderr
    (escape,) = {line.split(" (")[0] for line in escapes(tmp_path / "report.jsonl")}
    assert escape == HOST


@pytest.mark.parametrize("client", ["requests", "aiohttp", "aiohttp on uvloop", "websockets"])
def test_the_refusal_names_the_line_of_the_bot(run: Run, tmp_path: Path, client: str) -> None:
    source = textwrap.dedent(ATTEMPTS[client])
    call = next(number for number, line in enumerate(source.splitlines(), start=1) if "://" in line)
    assert f"(bot.py:{call})" in run(ATTEMPTS[client]).stderr
    assert escapes(tmp_path / "report.jsonl")[0] == f"{HOST} (bot.py:{call})"


WAYS_OUT = {
    "an address": "import socket; socket.create_connection(('192.0.2.1', 443))",
    "an address, asyncio": """
        import asyncio
        asyncio.run(asyncio.open_connection('192.0.2.1', 443))""",
    "an address, uvloop": """
        import asyncio, uvloop
        uvloop.run(asyncio.open_connection('192.0.2.1', 443))""",
    "a raw socket": "import _socket; _socket.socket().connect(('192.0.2.1', 443))",
    "a datagram": """
        import socket
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))""",
    "a datagram, uvloop": """
        import asyncio, uvloop
        async def main():
            loop = asyncio.get_running_loop()
            await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ('0.0.0.0', 0))
        uvloop.run(main())""",
    "a program": "import subprocess; subprocess.run(['curl', 'http://192.0.2.1/'])",
    "a shell": "import subprocess; subprocess.run('curl http://192.0.2.1/', shell=True)",
    "os.system": "import os; os.system('curl http://192.0.2.1/')",
    "exec": "import os; os.execvp('curl', ['curl', 'http://192.0.2.1/'])",
    "a program, asyncio": """
        import asyncio
        asyncio.run(asyncio.create_subprocess_exec('curl', 'http://192.0.2.1/'))""",
    "a program, uvloop": """
        import asyncio, uvloop
        uvloop.run(asyncio.create_subprocess_exec('curl', 'http://192.0.2.1/'))""",
    "Python without hooks": """
        import subprocess, sys
        subprocess.run([sys.executable, '-I', '-c', 'pass'])""",
    "Python with another environment": """
        import subprocess, sys
        subprocess.run([sys.executable, '-c', 'pass'], env={})""",
}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_without_a_namespace_the_hooks_close_other_ways_out(
    run: Run, tmp_path: Path, way: str
) -> None:
    done = run(WAYS_OUT[way])
    assert done.returncode != 0
    assert "perfscan: " in done.stderr
    assert len(escapes(tmp_path / "report.jsonl")) == 1


def test_recorded_hosts_lead_to_the_stand_in_everywhere(run: Run) -> None:
    done = run(
        """
        import asyncio, socket, uvloop
        def found(answers):
            return answers[0][4]
        print(found(socket.getaddrinfo("api.example.test", 443, type=socket.SOCK_STREAM)))
        print(found(socket.getaddrinfo(host="api.example.test", port="http")))
        async def main():
            loop = asyncio.get_running_loop()
            print(found(await loop.getaddrinfo("api.example.test", 443)))
        asyncio.run(main())
        uvloop.run(main())
        print(socket.gethostbyname("api.example.test"))
        socket.create_server(("127.0.0.1", 0)).close()
        print(socket.getaddrinfo("localhost", 5)[0][4][1])
        """
    )
    assert done.stderr == ""
    here = "('127.0.0.1', 4443)"
    assert done.stdout.splitlines() == [
        here,
        "('127.0.0.1', 8080)",
        here,
        here,
        "127.0.0.1",
        "5",
    ]


def test_every_context_that_loads_certificates_trusts_the_authority(run: Run) -> None:
    done = run(
        """
        import ssl, certifi
        for context in (
            ssl.create_default_context(),
            ssl.create_default_context(cafile=certifi.where()),
            ssl.create_default_context(cadata=open(certifi.where()).read()),
        ):
            names = str(context.get_ca_certs())
            print("perfscan replay" in names)
        print("perfscan replay" in str(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).get_ca_certs()))
        """
    )
    assert done.stdout.split() == ["True", "True", "True", "False"]


def test_the_bot_sees_nothing_but_one_package_more(run: Run) -> None:
    source = """
        import sys
        for name in ("socket", "ssl", "asyncio", "json", "typing", "dataclasses"):
            assert name not in sys.modules, name
        assert not [entry for entry in sys.path if entry.endswith("agent")], sys.path
        new = {name.partition(".")[0] for name in sys.modules if "perfscan" in name}
        assert new - {"__editable___perfscan_0_1_0_finder"} == {"_perfscan_agent"}, new
        for name in ("guard", "names", "trust", "config", "startup", "enter", "where"):
            try:
                __import__(name)
            except ModuleNotFoundError:
                continue
            raise AssertionError(name)
        import inspect, socket, ssl
        assert socket.__loader__.get_source("socket").startswith("# Wrapper")
        assert "exec_module" not in vars(socket.__loader__)
        assert socket.getaddrinfo.__module__ == "socket"
        """
    done = run(source)
    assert done.returncode == 0, done.stderr


def test_another_sitecustomize_still_runs(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import sys; sys.other = __file__\nvalue = 3\n")
    done = run(
        "import sitecustomize, sys; print(sitecustomize.value, sys.other)", PYTHONPATH=str(other)
    )
    assert done.stdout.split() == ["3", str(other / "sitecustomize.py")]


def test_without_orders_nothing_changes(tmp_path: Path) -> None:
    from perfscan.replay.redirection import AGENT_FOLDER

    code = "import sys, socket; print(socket.getaddrinfo.__code__.co_filename)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(AGENT_FOLDER)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().endswith("socket.py")
