"""Recordings survive the disk, cuts and damage."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfscan.errors import InputError
from perfscan.replay.event_json import decode_event, encode_event
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
from perfscan.replay.recording import (
    RecordingWriter,
    read_recording,
    write_recording,
)

EVENTS: tuple[Event, ...] = (
    Open(1, 0, "https", "api.example.com", 443, connect_ns=5, tls_ns=7),
    Request(1, 1, 10, "POST", "/v1?a=1", (("Host", "api.example.com"),), b'{"x":"\xc3\xa9"}'),
    Response(1, 1, 20, 25, 200, (("A", "1"), ("A", "2")), b"\xff\x00binary", "OK"),
    Open(2, 30, "https", "api.example.com", 443),
    Request(2, 2, 31, "GET", "/ws"),
    Response(2, 2, 32, 32, 101),
    Message(2, 40, "received", "text \u2028 line"),
    Message(2, 41, "sent", b"plain ascii but a binary frame", heard=False),
    Close(2, 50, "upstream", 1001, "going away"),
    Failure(1, 60, "reset by peer", exchange=1),
)
RECORDING = Recording(RecordingHeader(started_at="2026-01-01T00:00:00+00:00"), EVENTS)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_survives_json(event: Event) -> None:
    assert decode_event(json.loads(json.dumps(encode_event(event)))) == event


@given(body=st.binary(), text=st.text(st.characters()))
def test_any_body_and_any_text_survive(body: bytes, text: str) -> None:
    for event in (Request(1, 1, 0, "POST", "/", (), body), Message(1, 0, "sent", text)):
        assert decode_event(json.loads(json.dumps(encode_event(event)))) == event


def test_a_binary_message_stays_binary_even_when_it_is_ascii() -> None:
    line = encode_event(Message(1, 0, "sent", b"abc"))
    assert "data" not in line
    assert line["data_base64"] == "YWJj"


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz", "t.jsonl.zst"])
def test_a_written_recording_reads_back_and_repeats_its_bytes(tmp_path: Path, name: str) -> None:
    first, second = tmp_path / name, tmp_path / f"second-{name}"
    write_recording(RECORDING, first)
    write_recording(RECORDING, second)
    assert first.read_bytes() == second.read_bytes()
    loaded = read_recording(first)
    assert (loaded.header, loaded.events) == (RECORDING.header, EVENTS)
    assert not loaded.truncated
    assert loaded.path == first
    assert len(loaded.sha256) == 64


def test_events_are_sorted_by_time(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    write_recording(Recording(RecordingHeader(), EVENTS[::-1]), path)
    assert [event.at_ns for event in read_recording(path).events] == sorted(
        event.at_ns for event in EVENTS
    )


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz", "t.jsonl.zst"])
def test_what_the_writer_appended_is_readable_before_it_is_closed(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    writer = RecordingWriter(path, RecordingHeader())
    for event in EVENTS[:3]:
        writer.append(event)
    loaded = read_recording(path)
    assert loaded.events == EVENTS[:3]
    writer.close()


def test_the_closing_line_completes_the_header(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with RecordingWriter(path, RecordingHeader(notes=("one",))) as writer:
        writer.append(EVENTS[0])
        writer.finish(redacted={"header": 2}, notes=["two"])
    header = read_recording(path).header
    assert header.redacted == {"header": 2}
    assert header.notes == ("one", "two")


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz", "t.jsonl.zst"])
def test_a_file_cut_in_half_loads_as_truncated(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with RecordingWriter(path, RecordingHeader()) as writer:
        for event in EVENTS:
            writer.append(event)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    loaded = read_recording(path)
    assert loaded.truncated
    assert 0 < len(loaded.events) < len(EVENTS)
    assert loaded.events == EVENTS[: len(loaded.events)]


def test_an_unanswered_request_means_truncated_unless_its_connection_ended(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    write_recording(Recording(RecordingHeader(), EVENTS[:2]), path)
    assert read_recording(path).truncated
    write_recording(Recording(RecordingHeader(), (*EVENTS[:2], Failure(1, 99, "reset"))), path)
    assert not read_recording(path).truncated


def _damaged(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "t.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_recording(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.remedy
    return str(caught.value)


HEADER_LINE = b'{"schema":"perfscan.recording/1"}\n'


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"\x00" * 100, "not a recording"),
        (b"127.0.0.1 localhost\n", "not a recording"),
        (b'{"some": "json"}\n', "not a recording"),
        (b"[" * 100_000, "not a recording"),
        (b"\x1f\x8bgarbage that is not gzip", "gzip"),
        (b'{"schema":"perfscan.recording/9"}\n', "perfscan.recording/9"),
        (HEADER_LINE + b'\xff\xfe\n{"kind":"open"}\n', ":2: the line is not a JSON object"),
        (HEADER_LINE + b"[1]\n", ":2: the line is not a JSON object"),
        (HEADER_LINE + b'{"kind":"opne"}\n', ":2: unknown kind 'opne'"),
        (HEADER_LINE + b'{"kind":["open"]}\n', "unknown kind"),
        (HEADER_LINE + b'{"kind":"open","connection":1}\n', "needs 'at_ns'"),
        (
            HEADER_LINE + b'{"kind":"close","connection":1,"at_ns":1.5,"by":"bot"}\n',
            "'at_ns' must be a whole number",
        ),
        (
            HEADER_LINE + b'{"kind":"close","connection":1,"at_ns":1,"by":"me"}\n',
            "'by' must be one of bot, upstream",
        ),
        (
            HEADER_LINE + b'{"kind":"close","connection":1,"at_ns":1,"by":"bot"}\n',
            "no open event",
        ),
        (
            HEADER_LINE
            + b'{"kind":"request","exchange":1,"connection":1,"at_ns":1,"method":"GET",'
            + b'"target":"/","headers":[["a"]]}\n',
            "'headers' must be a list of [name, value] pairs",
        ),
        (
            HEADER_LINE
            + b'{"kind":"message","connection":1,"at_ns":1,"direction":"sent",'
            + b'"data_base64":"%%"}\n',
            "'data' is not base64",
        ),
        (
            HEADER_LINE
            + b'{"kind":"close","connection":1,"at_ns":1%s,"by":"bot"}\n' % (b"0" * 400),
            "'at_ns' must fit into 64 bits",
        ),
        (b'{"schema":"perfscan.recording/1","redacted":3}\n', ":1: the header's values"),
        (b'{"schema":"perfscan.recording/1","redacted":{"a":"b"}}\n', ":1: the header's values"),
        (HEADER_LINE + b'{"kind":"end","redacted":{"a":[1]}}\n', ":2: the end's redacted"),
    ],
)
def test_damage_is_one_clear_line(tmp_path: Path, content: bytes, expected: str) -> None:
    assert expected in _damaged(tmp_path, content)


def test_a_missing_file_and_a_folder_are_one_clear_line(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.jsonl", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_recording(path)


def test_an_unwritable_path_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "t.jsonl"
    with pytest.raises(InputError, match="cannot be written"):
        write_recording(RECORDING, path)
    with pytest.raises(InputError, match="cannot be written"):
        RecordingWriter(path, RecordingHeader())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_full_disk_is_one_clear_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.jsonl{suffix}"
    path.symlink_to("/dev/full")
    with pytest.raises(InputError, match="cannot be written: No space left"):
        write_recording(RECORDING, path)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        RecordingWriter(path, RecordingHeader())


def test_unknown_fields_of_a_later_version_are_ignored() -> None:
    line = {**encode_event(EVENTS[0]), "later": 1}
    assert decode_event(line) == EVENTS[0]


def test_the_gzip_holds_no_time_of_day(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl.gz"
    write_recording(RECORDING, path)
    assert path.read_bytes()[4:8] == b"\0\0\0\0"
    assert gzip.decompress(path.read_bytes()).startswith(b'{"schema"')


def test_a_last_line_without_its_newline_counts_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    write_recording(RECORDING, path)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    loaded = read_recording(path)
    assert not loaded.truncated
    assert loaded.events == EVENTS
