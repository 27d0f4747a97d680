"""The configuration of the driver's process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from perfscan.errors import InputError
from perfscan.replay.driver.drive import main, read_order
from perfscan.replay.model import Open, Recording, RecordingHeader, Request
from perfscan.replay.recording import write_recording


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    traffic = tmp_path / "traffic.jsonl"
    opened = Open(1, 0, "http", "127.0.0.1", 8000, inbound=True)
    events = (opened, Request(1, 1, 5, "GET", "/"))
    write_recording(Recording(RecordingHeader(), events), traffic)
    return {"recording": str(traffic), "origin_ns": 7, "journal": str(tmp_path / "seen.jsonl")}


def written(folder: Path, config: Any) -> Path:
    file = folder / "drive.json"
    file.write_text(json.dumps(config), "utf-8")
    return file


def test_a_configuration_is_read(tmp_path: Path, config: dict[str, Any]) -> None:
    order = read_order(written(tmp_path, config | {"ports": {"8000": 9000}, "until_s": 2}))

    assert order.plan.sendings == 1
    assert (order.ports, order.origin_ns) == ({8000: 9000}, 7)
    assert (order.speed, order.until_ns) == (1.0, 2_000_000_000)


@pytest.mark.parametrize("wrong", [{"origin_ns": "x"}, {"ports": [1]}, {"recording": None}])
def test_a_bad_configuration_is_an_error(
    tmp_path: Path, config: dict[str, Any], wrong: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="not a configuration of the driver"):
        read_order(written(tmp_path, config | wrong))


def test_wrong_use_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
    assert main([str(tmp_path / "none.json")]) == 2
    assert "not a configuration" in capsys.readouterr().err


def test_the_process_stays_on_its_processors(
    tmp_path: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned: list[tuple[int, list[int]]] = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda *where: pinned.append(where), raising=False)
    read_order(written(tmp_path, config | {"cpus": []}))
    assert pinned == [], "an empty list leaves it where it is"
    read_order(written(tmp_path, config | {"cpus": [0, 3]}))
    assert pinned == [(0, [0, 3])]
