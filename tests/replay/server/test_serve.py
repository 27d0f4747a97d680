from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from perfscan.errors import InputError
from perfscan.replay.model import Open, Recording, RecordingHeader, Request, Response
from perfscan.replay.recording import write_recording
from perfscan.replay.server import serve as serve_module
from perfscan.replay.server.playback import Settings
from perfscan.replay.server.serve import Order, read_order, serve


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    traffic = tmp_path / "traffic.jsonl"
    events = [
        Open(1, 0, "https", "a.example", 8443),
        Request(1, 1, 1, "GET", "/"),
        Response(1, 1, 2, 2, 200),
    ]
    write_recording(Recording(RecordingHeader(), tuple(events)), traffic)
    return {"recording": str(traffic), "listeners": []}


def order(folder: Path, config: Any) -> Order:
    path = folder / "serve.json"
    path.write_text(json.dumps(config), "utf-8")
    return read_order(path)


def test_doors_are_secure_as_recorded_unless_said_otherwise(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    config["listeners"] = [
        {"fd": 5, "port": 8443},
        {"fd": 6, "port": 80},
        {"fd": 7, "port": 8443, "tls": False},
    ]
    assert order(tmp_path, config).listeners == ((5, 8443, True), (6, 80, False), (7, 8443, False))


def test_defaults(tmp_path: Path, config: dict[str, Any]) -> None:
    read = order(tmp_path, config)
    assert read.settings == Settings()
    assert (read.authority, read.journal) == (None, None)


@pytest.mark.parametrize(
    "change", [{"listeners": 1}, {"listeners": [{}]}, {"recording": None}, {"speed": "x"}]
)
def test_a_bad_configuration_is_an_error(
    tmp_path: Path, config: dict[str, Any], change: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="not a configuration"):
        order(tmp_path, config | change)


def test_a_defect_ends_the_server(
    tmp_path: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_module, "stop_on_signals_and_silence", lambda stop: None)

    def fail() -> None:
        raise LookupError("nobody expected this")

    def say(line: Mapping[str, Any]) -> bool:
        asyncio.get_running_loop().call_soon(fail)
        return True

    with pytest.raises(LookupError, match="nobody expected"):
        asyncio.run(asyncio.wait_for(serve(order(tmp_path, config), say), 10))


def test_the_process_stays_on_its_processors(
    tmp_path: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned: list[tuple[int, list[int]]] = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda *where: pinned.append(where), raising=False)
    order(tmp_path, config | {"cpus": []})
    assert pinned == [], "an empty list leaves it where it is"
    order(tmp_path, config | {"cpus": [0, 3]})
    assert pinned == [(0, [0, 3])]


def test_processors_that_are_not_there_are_an_error(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="not a configuration"):
        order(tmp_path, config | {"cpus": [100_000]})


def test_what_is_no_object_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a configuration"):
        order(tmp_path, [])
