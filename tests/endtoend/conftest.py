"""Fixtures for tests that run whole bots."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from endtoend import service as service_module
from endtoend.driving import Bench
from endtoend.recorded import Record, Service, record_bot
from endtoend.toy import BOT, SCENARIO, Done, Perfscan, Toy, perfscan_command, toy_recording

from perfscan.replay.recording import write_recording


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """Write the toy scenario with both bots and the recording."""
    for side in ("original", "optimized"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "bot.py").write_text(BOT, "utf-8")
    write_recording(toy_recording(), tmp_path / "traffic.jsonl")
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(json.dumps(SCENARIO, indent=1), "utf-8")  # JSON is YAML
    return Toy(tmp_path, scenario, tmp_path / "optimized" / "bot.py")


@pytest.fixture
def perfscan(tmp_path: Path) -> Perfscan:
    """Run the command line in ``tmp_path`` as a user would."""

    def run(*words: str | Path, environment: Sequence[tuple[str, str]] = ()) -> Done:
        done = subprocess.run(
            perfscan_command(*words),
            cwd=tmp_path,
            env={**os.environ, **dict(environment)},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the local service that stands in for real ones."""
    folder = tmp_path_factory.mktemp("service")
    command = [sys.executable, service_module.__file__, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        plain, tls = map(int, process.stdout.readline().split())
        yield Service(folder, plain, tls)
        process.terminate()


@pytest.fixture
def record(tmp_path: Path, service: Service) -> Record:
    """Record a bot given as source."""
    return partial(record_bot, tmp_path, service)


@pytest.fixture
def bench(tmp_path: Path, perfscan: Perfscan) -> Bench:
    """Return a scenario that is still to be written."""
    return Bench(tmp_path, perfscan)
