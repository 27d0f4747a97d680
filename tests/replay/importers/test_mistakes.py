"""What is wrong with a file of each format, and where, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.model import Message, Request
from perfscan.replay.recording import read_recording
from perfscan.replay.tnetstring import TnetstringError, parse_all

VCRPY = "interactions:\n- request: {method: GET, uri: %s}\n  response: {status: {code: %s}}\n"
RUBY = "http_interactions:\n- request: {uri: 'http://a.example/'}\n  response: %s\n  %s\n"
FEED = "wss://a.example <-> 1700000000.5\n"
GOR = "1 aaaaaaaaaaaaaaaaaaaaaaaa 1700000000000000000 0\n%s\r\n\r\n\n🐵🙈🙉\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (VCRPY % ("ftp://a/", 200), "interactions[0].request.uri: 'ftp://a/' is not an HTTP"),
        (VCRPY % ("'http://a/'", "soon"), "status.code: 'soon' is not an HTTP status"),
        (VCRPY % ("[]", 200), "interactions[0].request.uri: not a text"),
        ("interactions: []\n", "holds no interactions"),
        ("interactions:\n- 3\n", "interactions[0]: not a mapping"),
        ("interactions:\n- request: {\n", ":3: not valid YAML"),
        ("interactions:\n- *nothing\n", "the alias 'nothing' stands for nothing"),
        ("interactions:\n" + "- " * 100 + "a\n", "nested deeper than 64 levels"),
        (RUBY % ("{status: {code: 200}, body: {base64_string: 'a'}}", ""), "not base64"),
        (RUBY % ("{status: {code: 200}}", "recorded_at: soon"), "'soon' is not a date"),
        (RUBY % ("{status: {code: 200}, headers: [[a]]}", ""), "headers: not headers"),
        (FEED + "1700000001.0: x\nnonsense\n", ":3: neither 'URL SIGN TIME: DATA'"),
        ("1700000001.5: x\n", ":1: a message before any WebSocket was opened"),
        (FEED + "1e999: x\n", ":2: neither"),
        (FEED + "99999999999999: x\n", ":2: '99999999999999' is not a time"),
        (GOR % "FETCH / HTTP/1.1\r\nHost: [", "payload 1: "),
        (GOR % "what?", "payload 1: 'what?' is not the first line of a request"),
        ((GOR % "GET / HTTP/1.1") + "4 b\n🐵\n🐵🙈🙉\n", "payload 2: does not begin with"),
        ("10:4:type;0:;}", "flow 0: not a flow"),
        ("29:4:type;4:http;7:version;2:99#}", "flow format version 99 is newer than 21"),
        ("28:4:type;3:tcp;7:version;2:21#}", "the file holds no HTTP flows"),
        ("9:4:type;x", "not a flow file"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "t"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_recording(path)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_a_cut_capture_keeps_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text(FEED + "1700000001.0: one\n1700000002.0: tw", encoding="utf-8")
    recording = read_recording(path)
    assert recording.truncated
    assert [one.data for one in recording.events if isinstance(one, Message)] == ["one"]
    path.write_text((GOR % "GET /a HTTP/1.1") + (GOR % "GET /b HTTP/1.1")[:-20], encoding="utf-8")
    recording = read_recording(path)
    assert recording.truncated
    assert [one.target for one in recording.events if isinstance(one, Request)] == ["/a"]


def test_tnetstrings_have_all_their_types() -> None:
    raw = b"51:4:text;4:\xc3\xb6\xc3\xb6;1:n,2:-7#1:f;3:1.5^1:t;4:true!1:~;0:~]0:]"
    assert list(parse_all(raw)) == [
        ["text", "öö", b"n", -7, "f", 1.5, "t", True, "~", None],
        [],
    ]


@pytest.mark.parametrize(
    "raw",
    [b"3:abc", b"99:abc,", b"x:abc,", b"3:abc?", b"3:abc#", b"3:abc^", b"3:yes!", b"4:0:~]}", b"1"],
)
def test_what_is_no_tnetstring_is_refused(raw: bytes) -> None:
    with pytest.raises(TnetstringError):
        list(parse_all(raw))
