from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.model import (
    Close,
    Event,
    Failure,
    Message,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.recording import read_recording, write_recording
from perfscan.replay.recording_store import open_recording
from perfscan.replay.stored_events import select

EVENTS: tuple[Event, ...] = (
    Open(1, 0, "https", "api.example", 443),
    Request(1, 1, 10, "POST", "/a", (("Host", "api.example"),), b"\xff\x00"),
    Response(1, 1, 20, 25, 200, (("Content-Type", "text/plain"),), "grün\n".encode()),
    Message(1, 30, "received", '{"half": "\ud800"}'),
    Message(1, 40, "sent", b"\x00"),
    Failure(2, 50, "refused"),
    Close(1, 60, "bot"),
)
RECORDING = Recording(RecordingHeader(source="test", notes=("made up",)), EVENTS)


@pytest.fixture(params=["traffic.jsonl", "traffic.jsonl.gz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    write_recording(RECORDING, path)
    return path


def test_events_are_those_of_the_loaded_recording(path: Path) -> None:
    stored, loaded = open_recording(path), read_recording(path)
    assert stored.header == loaded.header
    assert tuple(stored.events) == loaded.events == EVENTS
    assert len(stored.events) == len(EVENTS)
    assert stored.events[2:4] == list(EVENTS[2:4])
    assert stored.events[-1] == EVENTS[-1]
    with pytest.raises(IndexError):
        stored.events[len(EVENTS)]


def test_a_selection_is_the_same_on_disk_and_in_memory(path: Path) -> None:
    on_disk = list(select(open_recording(path), Message, Close))
    assert on_disk == list(select(RECORDING, Message, Close))
    assert [index for index, _ in on_disk] == [3, 4, 6]


def test_a_time_that_no_clock_shows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "traffic.jsonl"
    late = Message(1, 1 << 70, "received", "of another age")
    write_recording(replace(RECORDING, events=(EVENTS[0], late)), path)
    for read in (open_recording, read_recording):
        with pytest.raises(InputError, match="'at_ns' must fit into 64 bits") as caught:
            read(path)
        assert caught.value.where == f"{path}:3"


@pytest.mark.parametrize(
    "message",
    [
        Message(1, 30, "sent", "grün"),
        Message(1, 30, "received", "two parts", heard=False, frames=(4, 5)),
        Message(1, 30, "received", b"text?"),
    ],
)
def test_every_kind_of_message_is_read(tmp_path: Path, message: Message) -> None:
    path = tmp_path / "traffic.jsonl"
    recording = replace(RECORDING, events=(EVENTS[0], message))
    write_recording(recording, path)
    assert list(select(open_recording(path), Message)) == [(1, message)]


def test_events_come_in_time_order(tmp_path: Path) -> None:
    path = tmp_path / "traffic.jsonl"
    write_recording(replace(RECORDING, events=EVENTS[::-1]), path)
    assert tuple(open_recording(path).events) == EVENTS
    assert list(select(open_recording(path), Open)) == [(0, EVENTS[0])]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_cut_recording_is_used_as_far_as_it_goes(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("cut.jsonl.gz" if packed else "cut.jsonl")
    write_recording(RECORDING, path)
    path.write_bytes(path.read_bytes()[:-12])
    stored = open_recording(path)
    assert stored.truncated or packed
    assert tuple(stored.events) == read_recording(path).events


def test_members_of_a_gzip_file_are_joined(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    write_recording(RECORDING, plain)
    data = plain.read_bytes()
    packed.write_bytes(gzip.compress(data[:300]) + gzip.compress(data[300:]))
    assert tuple(open_recording(packed).events) == EVENTS


def test_other_formats_are_converted(tmp_path: Path) -> None:
    har = Path(__file__).parents[2] / "fixtures/importers/har/mitmproxy_websocket.har"
    assert tuple(open_recording(har).events) == read_recording(har).events


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("[]", "not a JSON object"),
        ('{"kind": 1}', "unknown kind 1"),
        ('{"kind": "other", "at_ns": 1}', "unknown kind 'other'"),
        ('{"kind": "open", "connection": "x", "at_ns": 1}', "'connection' must be"),
        (
            '{"kind": "close", "connection": 9, "at_ns": 1, "by": "bot"}',
            "a close uses connection 9",
        ),
    ],
)
def test_a_bad_line_is_an_error_that_names_it(tmp_path: Path, line: str, what: str) -> None:
    path = tmp_path / "traffic.jsonl"
    write_recording(RECORDING, path)
    path.write_bytes(path.read_bytes() + f"{line}\n".encode())
    with pytest.raises(InputError, match=what):
        open_recording(path)


def test_the_last_line_adds_to_the_header(tmp_path: Path) -> None:
    path = tmp_path / "traffic.jsonl"
    write_recording(RECORDING, path)
    end = {"kind": "end", "redacted": {"value": 3}, "notes": ["late"]}
    path.write_bytes(path.read_bytes() + json.dumps(end).encode() + b"\n")
    assert open_recording(path).header.notes == ("made up", "late")
    assert open_recording(path).header == read_recording(path).header


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        open_recording(tmp_path / "none.jsonl")
