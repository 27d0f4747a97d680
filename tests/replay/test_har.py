"""HAR archives of several makers become recordings with the right times."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from perfscan.errors import InputError
from perfscan.replay.model import Event, Failure, Message, Open, Recording, Request, Response
from perfscan.replay.recording import read_recording

HAR_FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "importers" / "har"
Json = dict[str, Any]


def entry(url: str = "https://api.example.com/v1?a=b", **changes: Any) -> Json:
    return {
        "startedDateTime": "2024-01-01T00:00:00.000Z",
        "time": 100,
        "request": {"method": "GET", "url": url, "httpVersion": "HTTP/1.1", "headers": []},
        "response": {"status": 200, "statusText": "OK", "headers": [], "content": {"text": "{}"}},
        "timings": {"blocked": -1, "dns": -1, "connect": -1, "send": 1, "wait": 90, "receive": 9},
        **changes,
    }


def load(tmp_path: Path, *entries: Json, creator: str = "Chrome", prefix: bytes = b"") -> Recording:
    path = tmp_path / "t.har"
    log = {"version": "1.2", "creator": {"name": creator}, "entries": list(entries)}
    path.write_bytes(prefix + json.dumps({"log": log}).encode())
    return read_recording(path)


def of(kind: type[Event], recording: Recording) -> list[Any]:
    return [event for event in recording.events if isinstance(event, kind)]


def test_no_message_comes_before_its_handshake() -> None:
    recording = read_recording(HAR_FOLDER / "mitmproxy_websocket.har")
    answered = {answer.connection: answer.at_ns for answer in of(Response, recording)}
    assert all(message.at_ns > answered[message.connection] for message in of(Message, recording))
    assert recording.events[0].at_ns == 0


def test_a_byte_order_mark_and_minus_one_are_no_obstacle(tmp_path: Path) -> None:
    recording = load(tmp_path, entry(), prefix=b"\xef\xbb\xbf \n")
    opened, request, response = recording.events
    assert opened == Open(1, 0, "https", "api.example.com", 443)
    assert isinstance(request, Request)
    assert isinstance(response, Response)
    assert (request.at_ns, response.at_ns, response.end_ns) == (1_000_000, 91_000_000, 100_000_000)
    assert (request.target, request.headers) == ("/v1?a=b", (("Host", "api.example.com"),))
    assert recording.header.latency == "recorded"


def test_connect_holds_ssl_unless_the_sum_says_otherwise(tmp_path: Path) -> None:
    timings = {"blocked": 5, "connect": 50, "ssl": 30, "send": 1, "wait": 90, "receive": 9}
    within = load(tmp_path, entry(timings=timings, time=155)).events[0]
    beside = load(tmp_path, entry(timings=timings, time=185)).events[0]
    assert isinstance(within, Open)
    assert isinstance(beside, Open)
    assert (within.connect_ns, within.tls_ns) == (20_000_000, 30_000_000)
    assert (beside.connect_ns, beside.tls_ns) == (50_000_000, 30_000_000)


def test_connections_are_the_archives_own_or_those_that_somebody_paid_for(tmp_path: Path) -> None:
    paid = {"connect": 10, "send": 0, "wait": 1, "receive": 0}
    free = {"connect": -1, "send": 0, "wait": 1, "receive": 0}
    other = "https://other.example.com/"
    plain = load(
        tmp_path,
        entry(timings=paid),
        entry(timings=free),
        entry(timings=paid),
        entry(timings=free),
        entry(other, timings=free),
    )
    named = load(
        tmp_path,
        entry(timings=paid, connection="7"),
        entry(timings=free, connection="8"),
        entry(timings=free, connection="7"),
    )
    assert sorted(request.connection for request in of(Request, plain)) == [1, 1, 2, 2, 3]
    assert len(of(Open, plain)) == 3
    assert sorted(request.connection for request in of(Request, named)) == [1, 1, 2]


def test_bodies_are_decoded_and_their_headers_speak_of_them(tmp_path: Path) -> None:
    packed = {"encoding": "base64", "text": base64.b64encode(b"\xff\x00").decode(), "size": 2}
    headers = [
        {"name": "content-encoding", "value": "gzip"},
        {"name": "Content-Length", "value": "999"},
        {"name": "X-A", "value": "b"},
    ]
    post = {"method": "POST", "url": "https://a.example/", "headers": []}
    recording = load(
        tmp_path,
        entry(response={"status": 200, "headers": headers, "content": packed}),
        entry(request={**post, "postData": {"text": "héllo"}}),
        entry(request={**post, "postData": {"params": [{"name": "a b", "value": "ü"}]}}),
    )
    response = of(Response, recording)[0]
    assert response.body == b"\xff\x00"
    assert response.headers == (("X-A", "b"), ("Content-Length", "2"))
    bodies = {request.body for request in of(Request, recording)}
    assert bodies == {b"", "héllo".encode(), b"a+b=%C3%BC"}


def test_websocket_messages_have_their_own_clock_and_binary_ones_are_base64(tmp_path: Path) -> None:
    start = 1_704_067_200
    messages = [
        {"type": "send", "time": start + 1, "opcode": 1, "data": "hi"},
        {"type": "receive", "time": start + 1.5, "opcode": 2, "data": "AAE="},
    ]
    response = {"status": 101, "statusText": "Switching Protocols", "headers": []}
    recording = load(
        tmp_path, entry("wss://a.example/ws", response=response, _webSocketMessages=messages)
    )
    assert of(Open, recording)[0].scheme == "https"
    assert of(Message, recording) == [
        Message(1, 1_000_000_000, "sent", "hi"),
        Message(1, 1_500_000_000, "received", b"\x00\x01"),
    ]


def test_a_sanitised_export_says_what_it_lacks(tmp_path: Path) -> None:
    http2 = {
        "method": "GET",
        "url": "https://a.example/",
        "httpVersion": "h2",
        "headers": [{"name": ":authority", "value": "a.example"}],
    }
    bare = {"status": 200, "content": {"size": 12, "mimeType": "text/html"}}
    recording = load(tmp_path, entry(request=http2, response=bare, timings={"wait": -1}))
    assert recording.header.latency == "not recorded"
    assert any("1 responses have no body" in note for note in recording.header.notes)
    assert any("HTTP/2" in note for note in recording.header.notes)
    assert of(Request, recording)[0].headers == (("Host", "a.example"),)


def test_a_blocked_request_is_a_failure(tmp_path: Path) -> None:
    blocked = {"status": 0, "statusText": "", "_error": "net::ERR_CONNECTION_REFUSED"}
    (failure,) = of(Failure, load(tmp_path, entry(response=blocked)))
    assert failure.detail == "net::ERR_CONNECTION_REFUSED"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"startedDateTime": "yesterday"}, "entries[1].startedDateTime: 'yesterday' is not"),
        ({"startedDateTime": None}, "entries[1].startedDateTime"),
        ({"request": {"url": "ftp://x/"}}, "entries[1].request.url: 'ftp://x/' is not"),
        ({"request": {"url": "https://"}}, "entries[1].request.url"),
        ({"request": {"url": "https://x:port/"}}, "entries[1].request.url"),
        ({"request": None}, "entries[1].request: not an object"),
        ({"_webSocketMessages": [{"time": "x"}]}, "entries[1]._webSocketMessages[0]"),
        (
            {"_webSocketMessages": [{"time": 1, "opcode": 2, "data": "%"}]},
            "entries[1]._webSocketMessages[0]: not base64",
        ),
        ({"response": {"status": 200, "headers": "x"}}, "entries[1].response.headers"),
        (
            {"response": {"status": 200, "content": {"encoding": "base64", "text": "%"}}},
            "entries[1].response.content: not base64",
        ),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, change: Mapping[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, entry(), {**entry(), **change})
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"log": {"entries": [', "not valid JSON"),
        (b'{"log": []}', "'log' is not an object"),
        (b'{"log": {"version": "1.2"}}', "'log.entries' is not a list"),
        (b'{"log": {"entries": []}}', "holds no entries"),
        (b'{"log": {"entries": [3]}}', "entries[0]: not an object"),
        (b'{"logs": 1}', "not a recording in a known format"),
        (b'{"log"\x00: 1}', "not valid JSON"),
    ],
)
def test_a_wrong_archive_is_one_clear_line(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "t.har"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"t\.har") as caught:
        read_recording(path)
    assert expected in str(caught.value)
