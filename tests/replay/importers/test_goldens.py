"""Every fixture becomes the recording beside it; real files of others are read where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfscan.replay import importers
from perfscan.replay.model import Open, Request, Response
from perfscan.replay.recording import read_recording, read_what_can_be_read, write_recording
from perfscan.replay.soundness import examine

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "fixtures" / "importers"
GOLDENS = sorted(path for path in FIXTURES.glob("*/*") if path.suffix in (".jsonl",))
OTHERS = ROOT.parent / "shared" / "traffic"
FOREIGN = sorted(path for path in OTHERS.glob("*") if path.suffix != ".md")


def source_of(golden: Path) -> Path:
    return golden.with_suffix("")


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_becomes_the_expected_recording(golden: Path, tmp_path: Path) -> None:
    recording = read_recording(source_of(golden))
    write_recording(recording, tmp_path / "t.jsonl")
    assert (tmp_path / "t.jsonl").read_text("utf-8") == golden.read_text("utf-8")
    assert recording.format in importers.names()
    assert not recording.truncated


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recording_keeps_its_promises(golden: Path) -> None:
    recording = read_recording(source_of(golden))
    times = [event.at_ns for event in recording.events]
    assert times == sorted(times)
    assert times[0] == 0
    sent = {one.exchange: one.at_ns for one in recording.events if isinstance(one, Request)}
    for answer in recording.events:
        if isinstance(answer, Response):
            assert sent[answer.exchange] <= answer.at_ns <= answer.end_ns
            names = {name.lower() for name, _ in answer.headers}
            assert not names & {"transfer-encoding", "content-encoding"}
    opens = [event for event in recording.events if isinstance(event, Open)]
    assert len({opened.connection for opened in opens}) == len(opens)


def test_every_importer_has_fixtures_of_its_own_name() -> None:
    folders = {path.name for path in FIXTURES.iterdir()}
    modules = {path.stem for path in (ROOT / "replay" / "importers").glob("[a-z]*.py")}
    assert folders == modules
    assert {golden.parent.name for golden in GOLDENS} == modules
    read = [read_recording(source_of(golden)).format for golden in GOLDENS]
    assert sorted(set(read)) == importers.names()


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.name)
def test_real_files_are_read_and_found_sound(path: Path) -> None:
    reading = read_what_can_be_read(path)
    assert len(reading.recording.events) > 2
    assert examine(reading).replayable
