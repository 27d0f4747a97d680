"""The code inside the bot's process, in real processes with real clients that try to get out."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from ast import literal_eval
from collections.abc import Callable
from pathlib import Path

import pytest

from perfscan.replay.certificates import Authority
from perfscan.replay.redirection import bot_environment, escapes
from perfscan.replay.vitals import read_vitals

pytestmark = pytest.mark.endtoend

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def run(tmp_path: Path, authority: Authority) -> Run:
    """Run source as ``bot.py`` under the hooks of a replay; no namespace unless asked for."""

    def run_bot(
        source: str,
        *,
        ports: dict[int, int] | None = None,
        namespace: bool = False,
        vitals: Path | None = None,
        **base: str,
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
            vitals=vitals,
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
    here = "('127.112.102.115', 4443)"
    assert done.stdout.splitlines() == [
        here,
        "('127.112.102.115', 8080)",
        here,
        here,
        "127.112.102.115",
        "5",
    ]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_clients_that_keep_an_address_but_not_its_port_arrive(run: Run, loop: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = run(
            f"""
            import asyncio, socket, {loop}
            async def main():
                loop = asyncio.get_running_loop()
                (found, *_) = await loop.getaddrinfo("api.example.test", 443)
                _, writer = await asyncio.open_connection(found[4][0], 443)
                print(writer.get_extra_info("peername"))
                writer.close()
            {loop}.run(main())
            address = socket.gethostbyname("api.example.test")
            with socket.create_connection((address, 443)) as connected:
                print(connected.getpeername())
            """,
            ports={443: listener.getsockname()[1]},
        )
        assert done.stdout.splitlines() == [str(listener.getsockname())] * 2, done.stderr


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


WORK = """
    import asyncio, gc, time
    async def work(times):
        for number in range(times):
            await asyncio.sleep(0.021 + number / 1000)
            end = time.perf_counter() + 0.05
            while time.perf_counter() < end:
                pass
    async def main():
        idle = [asyncio.ensure_future(asyncio.sleep(60)) for _ in range(30)]
        await work(20)
        gc.collect()
"""


def blocking(loop: str) -> str:
    start = "asyncio.run(main())" if loop == "asyncio" else "import uvloop; uvloop.run(main())"
    return f"{textwrap.dedent(WORK)}\n{start}\n"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_blocks_of_a_loop_are_found(run: Run, tmp_path: Path, loop: str) -> None:
    done = run(blocking(loop), vitals=tmp_path)
    assert done.returncode == 0, done.stderr
    found = read_vitals(tmp_path)
    # 20 blocks of 50 ms; a busy machine can only add to them.
    assert found["blocked_ms"] > 900
    assert found["loop_lag_ms.max"] > 40
    assert found["tasks_max"] >= 30
    assert found["gc_ms"] > 0


def test_a_killed_bot_has_told_until_the_last_second(run: Run, tmp_path: Path) -> None:
    source = """
        import asyncio, os, signal
        async def main():
            await asyncio.sleep(1.5)
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
    """
    assert run(source, vitals=tmp_path).returncode == -9
    assert read_vitals(tmp_path)["loop_lag_ms.p50"] >= 0


def test_each_thread_and_process_with_a_loop_tells_a_file(run: Run, tmp_path: Path) -> None:
    source = """
        import asyncio, multiprocessing, subprocess, sys, threading
        def beat():
            asyncio.run(asyncio.sleep(0.1))
        for _ in range(3):
            beat()  # one after another: one file
        thread = threading.Thread(target=beat)
        thread.start(); thread.join()
        child = multiprocessing.get_context("fork").Process(target=beat)
        child.start(); child.join()
        code = "import asyncio; asyncio.run(asyncio.sleep(0.1))"
        subprocess.run([sys.executable, "-c", code], check=True)
    """
    done = run(source, vitals=tmp_path)
    assert done.returncode == 0, done.stderr
    told = [literal_eval(file.read_text()) for file in tmp_path.glob("*.txt")]
    assert len(told) == 4
    assert all(one["beats"] > 3 for one in told)


def test_a_bot_without_a_loop_tells_nothing(run: Run, tmp_path: Path) -> None:
    assert run("import time; time.sleep(0.05)", vitals=tmp_path).returncode == 0
    assert read_vitals(tmp_path) == {}
