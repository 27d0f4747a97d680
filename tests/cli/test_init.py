"""``perfscan init`` and ``perfscan schema``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from endtoend.toy import toy_recording

from perfscan.cli.main import execute
from perfscan.replay.recording import write_recording
from perfscan.replay.scenario import read_scenario


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    write_recording(toy_recording(), tmp_path / "traffic.jsonl")
    return tmp_path


def test_a_scenario_is_begun_from_a_recording(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--recording", str(recorded / "traffic.jsonl")]
    sides = ["--original", str(recorded), "--optimized", str(recorded)]
    assert execute(["init", str(recorded), *words, *sides]) == 0
    scenario = read_scenario(recorded / "scenario.yaml")
    assert scenario.recording == recorded / "traffic.jsonl"
    assert scenario.original.directory.resolve() == recorded.resolve()
    printed = capsys.readouterr().out
    assert "POST https://api.example.test/alerts (8 found in the recording)" in printed


def test_nothing_is_overwritten(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (recorded / "scenario.yaml").write_text("mine")
    assert execute(["init", str(recorded)]) == 2
    assert (recorded / "scenario.yaml").read_text() == "mine"
    assert "exists already" in capsys.readouterr().err


def test_without_a_recording_the_next_step_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["init", str(tmp_path)]) == 0
    assert "next: perfscan record -o" in capsys.readouterr().out


def test_a_missing_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["init", str(tmp_path / "nowhere")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["schema", "scenario"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "perfscan scenario"


def test_an_unknown_schema_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["schema", "nothing"]) == 2
    assert "the schemas are scenario" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["python 'bot.py", ""])
def test_what_is_no_command_is_one_line(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["init", str(tmp_path), "--command", command]) == 2
    assert "error: --command: no" in capsys.readouterr().err
    assert not (tmp_path / "scenario.yaml").exists()
