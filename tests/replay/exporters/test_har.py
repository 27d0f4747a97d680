"""What is exported to HAR is valid, and comes back with everything that a HAR can hold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing

from perfscan.errors import InputError
from perfscan.replay import exporters
from perfscan.replay.exporters.har import archive
from perfscan.replay.model import (
    Close,
    Event,
    Failure,
    Message,
    Open,
    Ping,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.recording import read_recording, write_recording

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS: dict[str, Any] = json.loads((ROOT / "fixtures/schemas/har-1.2.json").read_text("utf-8"))
FIXTURES = sorted(path.with_suffix("") for path in (ROOT / "fixtures/importers").glob("*/*.jsonl"))
FOREIGN = sorted(
    path for path in (ROOT.parent / "shared/traffic").glob("*") if path.suffix != ".md"
)
MS = 1_000_000


def validator() -> jsonschema.Draft6Validator:
    resources = [
        (name, referencing.Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
    ]
    registry: Any = referencing.Registry().with_resources(resources)
    return jsonschema.Draft6Validator(
        SCHEMAS["har.json"],
        registry=registry,
        format_checker=jsonschema.Draft6Validator.FORMAT_CHECKER,
    )


def there_and_back(recording: Recording, folder: Path) -> Recording:
    path = folder / "t.har"
    exporters.choose(path).write(recording, path)
    validator().validate(json.loads(path.read_text("utf-8")))
    return read_recording(path)


def test_the_schema_refuses_what_is_not_a_har() -> None:
    document = archive(read_recording(FIXTURES[0]))
    del document["log"]["entries"][0]["request"]["url"]
    with pytest.raises(jsonschema.ValidationError, match="'url' is a required property"):
        validator().validate(document)


@pytest.mark.parametrize("path", [*FIXTURES, *FOREIGN], ids=lambda path: path.name)
def test_every_format_becomes_a_valid_archive_that_is_stable(path: Path, tmp_path: Path) -> None:
    recording = read_recording(path)
    first = there_and_back(recording, tmp_path)
    write_recording(first, tmp_path / "t.jsonl")
    second = there_and_back(read_recording(tmp_path / "t.jsonl"), tmp_path)
    assert second.events == first.events
    assert second.header.latency == recording.header.latency
    assert second.header.started_at[:19] == recording.header.started_at[:19] or not (
        recording.header.started_at
    )
    for kind in (Request, Response, Message, Ping, Failure):
        numbers = [
            sum(isinstance(event, kind) for event in one.events) for one in (recording, second)
        ]
        assert numbers[0] == numbers[1], kind.__name__


HOST = ("Host", "a.example:8443")
MOVED = (
    *(("Location", "/y"), ("Set-Cookie", "s=1; Path=/"), ("Set-Cookie", "t=2")),
    ("Content-Length", "3"),
)
POST = (HOST, ("Content-Type", "text/x"))
UPGRADE = (("Upgrade", "websocket"),)
EVENTS: tuple[Event, ...] = (
    Open(1, 0, "https", "a.example", 8443, connect_ns=20 * MS, tls_ns=30 * MS),
    Request(0, 1, 60 * MS, "GET", "/x?a=1&b=%20&a=", (HOST, ("Cookie", "c=d; e=f"))),
    Response(0, 1, 100 * MS, 120 * MS, 302, MOVED, b"abc", "Found", encoding="gzip"),
    Request(1, 1, 200 * MS, "POST", "/y", POST, b"\xff\x00"),
    Failure(1, 230 * MS, "reset by peer", exchange=1),
    Open(2, 300 * MS, "http", "b.example", 80, inbound=True),
    Request(2, 2, 300 * MS, "POST", "/hook", (("Host", "b.example"),), "größer".encode()),
    Response(2, 2, 310 * MS, 310 * MS, 200, (("Content-Length", "1"),), b"\xfe", "OK"),
    Open(3, 400 * MS, "https", "a.example", 443),
    Request(3, 3, 400 * MS, "GET", "/ws", (("Host", "a.example"),)),
    Response(3, 3, 450 * MS, 450 * MS, 101, UPGRADE, b"", "Switching Protocols"),
    Message(3, 500 * MS, "sent", "größer"),
    Message(3, 510 * MS, "received", b"\x00\xff"),
    Ping(3, 520 * MS, "received", b"hi"),
    Close(3, 530 * MS, "upstream", 1001, "going away"),
    Request(4, 1, 600 * MS, "GET", "/never-answered", (HOST,)),
)


def test_everything_that_a_har_can_hold_comes_back(tmp_path: Path) -> None:
    header = RecordingHeader(started_at="2024-05-01T12:00:00+00:00")
    back = there_and_back(Recording(header, EVENTS), tmp_path)
    assert back.events == EVENTS
    assert back.header.started_at == "2024-05-01T12:00:00.000000+00:00"


def test_an_archive_is_easy_on_viewers() -> None:
    entries = archive(Recording(RecordingHeader(), EVENTS))["log"]["entries"]
    first, failed, inbound, socket, _ = entries
    assert first["timings"]["connect"] == 50  # with the TLS handshake, as specified
    assert first["time"] == 120
    assert first["request"]["cookies"] == [
        {"name": "c", "value": "d"},
        {"name": "e", "value": "f"},
    ]
    assert [pair["value"] for pair in first["request"]["queryString"]] == ["1", " ", ""]
    assert first["response"]["redirectURL"] == "/y"
    assert {"name": "Content-Encoding", "value": "gzip"} in first["response"]["headers"]
    assert failed["response"] | {"status": 0, "_error": "reset by peer"} == failed["response"]
    assert inbound["_inbound"] is True
    assert socket["request"]["url"] == "wss://a.example/ws"
    assert [one["opcode"] for one in socket["_webSocketMessages"]] == [1, 2, 9, 8]


def test_a_recording_without_latencies_says_so_when_it_comes_back(tmp_path: Path) -> None:
    untimed = Recording(RecordingHeader(latency="not recorded"), EVENTS[:3])
    assert there_and_back(untimed, tmp_path).header.latency == "not recorded"


def test_odd_values_do_not_break_the_archive(tmp_path: Path) -> None:
    odd = (
        EVENTS[8],
        replace(EVENTS[9], target="/<b>?q=\ud800&%ff"),
        EVENTS[10],
        Close(3, 500 * MS, "bot", 70_000, "no such code"),
    )
    back = there_and_back(Recording(RecordingHeader(), odd), tmp_path)
    assert isinstance(back.events[-1], Close)
    assert back.events[-1].code is None


@pytest.mark.parametrize(
    ("name", "to", "expected"),
    [
        ("t.har", None, "har"),
        ("t.jsonl", None, "jsonl"),
        ("t.jsonl.gz", None, "jsonl"),
        ("t.jsonl.zst", None, "jsonl"),
        ("t", "har", "har"),
        ("t.har", "jsonl", "jsonl"),
    ],
)
def test_the_name_or_the_user_chooses(name: str, to: str | None, expected: str) -> None:
    assert expected == exporters.choose(Path(name), to).NAME


@pytest.mark.parametrize(("name", "to"), [("t.txt", None), ("t", None), ("t.har", "pcap")])
def test_what_nobody_writes_is_refused(name: str, to: str | None) -> None:
    with pytest.raises(InputError) as caught:
        exporters.choose(Path(name), to)
    assert "har" in str(caught.value.remedy)
