"""The upstream server as the process that a runner starts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest

from perfscan.replay.certificates import Authority
from perfscan.replay.model import (
    Close,
    Event,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
    Served,
)
from perfscan.replay.namespace import Namespace, unavailable
from perfscan.replay.recording import write_recording
from perfscan.replay.server.journal import read_observation

pytestmark = pytest.mark.endtoend

EVENTS: tuple[Event, ...] = (
    Open(1, 0, "http", "api.example", 80),
    Request(1, 1, 10, "GET", "/a"),
    Response(1, 1, 20, 20, 200, (), b"recorded"),
    Open(2, 30, "https", "api.example", 443),
    Request(2, 2, 40, "GET", "/secure"),
    Response(2, 2, 50, 50, 200, (), b"recorded"),
)


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    traffic = tmp_path / "traffic.jsonl"
    write_recording(Recording(RecordingHeader(), EVENTS), traffic)
    Authority.create(tmp_path / "ca")
    return {
        "recording": str(traffic),
        "ca": str(tmp_path / "ca"),
        "journal": str(tmp_path / "journal.jsonl"),
        "listeners": [],
    }


@contextlib.contextmanager
def served(
    folder: Path, config: dict[str, Any], listeners: Sequence[tuple[int, socket.socket]], **how: Any
) -> Iterator[subprocess.Popen[str]]:
    config["listeners"] = [{"fd": sock.fileno(), "port": port} for port, sock in listeners]
    path = folder / "serve.json"
    path.write_text(json.dumps(config), "utf-8")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "perfscan.replay.server.serve", str(path)],
        stdin=how.get("stdin", subprocess.DEVNULL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[sock.fileno() for _, sock in listeners],
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> dict[str, Any]:
    stdout: IO[str] | None = process.stdout
    assert stdout is not None
    text = stdout.readline()
    assert text, process.stderr.read() if process.stderr else ""
    value: dict[str, Any] = json.loads(text)
    return value


def ask(port: int) -> bytes:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/a", headers={"Host": "api.example"})
    with urllib.request.urlopen(asked, timeout=5) as answer:
        body: bytes = answer.read()
        return body


def test_a_run_from_ready_to_journal(tmp_path: Path, config: dict[str, Any]) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        served(tmp_path, config, [(80, listener)]) as process,
    ):
        ready = line(process)
        assert ready["ready"] is True
        assert 0 < ready["origin_ns"] <= time.monotonic_ns()
        assert ask(listener.getsockname()[1]) == b"recorded"
        status = line(process)
        while status["hits"] == 0:
            status = line(process)
        assert {"stimuli_left", "streams_started", "in_flight", "idle_s", "effects", "misses"} <= (
            status.keys()
        )
        process.terminate()
        assert process.wait(10) == 0
    observation = read_observation(Path(config["journal"]))
    assert [type(event) for event in observation.events] == [Open, Request, Response, Served, Close]


@pytest.mark.skipif(unavailable() is not None, reason=f"no namespace: {unavailable()}")
def test_the_server_answers_inside_a_namespace_from_outside(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    """Also when the recording is used up, nothing but it is ever served."""
    program = """
import ssl, sys, urllib.error, urllib.request
context = ssl.create_default_context(cafile=sys.argv[1])
for url in ["http://api.example/a"] * 3 + ["https://api.example/secure", "http://api.example/b"]:
    try:
        print(urllib.request.urlopen(url, timeout=5, context=context).read().decode())
    except urllib.error.HTTPError as error:
        print(error.code)
"""
    with Namespace.open(["api.example"], [80, 443], tmp_path) as namespace:
        listeners = sorted(namespace.listeners.items())
        with served(tmp_path, config, listeners) as process:
            line(process)
            done = subprocess.run(
                namespace.command([sys.executable, "-c", program, f"{config['ca']}/ca.pem"]),
                capture_output=True,
                text=True,
                check=False,
            )
    assert done.stdout.split() == ["recorded"] * 4 + ["599"], done.stderr


def test_a_closed_pipe_ends_it(tmp_path: Path, config: dict[str, Any]) -> None:
    with served(tmp_path, config, [], stdin=subprocess.PIPE) as process:
        line(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def test_nobody_reading_ends_it(tmp_path: Path, config: dict[str, Any]) -> None:
    with served(tmp_path, config, []) as process:
        line(process)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_killed_server_shows(tmp_path: Path, config: dict[str, Any]) -> None:
    with served(tmp_path, config, []) as process:
        line(process)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
    assert read_observation(Path(config["journal"])).events == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recording": "none.jsonl"}, r"none\.jsonl: cannot be read"),
        ({"ca": "none"}, "no certificate authority"),
        ({"speed": "fast"}, "not a configuration"),
        ({"scenario": "none.yaml"}, r"none\.yaml"),
    ],
)
def test_a_bad_configuration_is_one_line(
    tmp_path: Path, config: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with served(tmp_path, config | change, []) as process:
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert re.search(message, errors)
    assert errors.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processors cannot be chosen here")
def test_it_stays_on_the_processors_that_it_is_given(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    wanted = max(os.sched_getaffinity(0))
    config["cpus"] = [wanted]
    with served(tmp_path, config, []) as process:
        assert line(process)["ready"]
        assert os.sched_getaffinity(process.pid) == {wanted}
