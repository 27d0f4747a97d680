"""Views of traffic: who answered what, and which messages belong to which session."""

from __future__ import annotations

import pytest

from perfscan.replay.exchanges import exchanges, turned, url_of, websockets
from perfscan.replay.model import (
    Close,
    Message,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
    Scheme,
)

HTTPS = Open(1, 0, "https", "api.example.com", 443)
PLAIN_WS = Open(2, 5, "http", "stream.example.com", 8080)
RECORDING = Recording(
    RecordingHeader(),
    (
        HTTPS,
        PLAIN_WS,
        Request(2, 2, 6, "GET", "/live?key=x"),
        Response(2, 2, 8, 8, 101),
        Request(1, 1, 10, "GET", "/price?ids=a,b"),
        Message(2, 11, "sent", "subscribe"),
        Request(3, 1, 12, "GET", "/never-answered"),
        Message(2, 13, "received", b"\x00"),
        Response(1, 1, 19, 20, 200, body=b"{}"),
        Close(2, 30, "bot", 1000),
    ),
)


def test_each_request_meets_its_own_answer_in_order_of_sending() -> None:
    handshake, price, unanswered = exchanges(RECORDING)
    assert [handshake.ordinal, price.ordinal, unanswered.ordinal] == [0, 1, 2]
    assert price.response is not None
    assert price.response.body == b"{}"
    assert price.service_ns == 9
    assert (price.path, price.query) == ("/price", "ids=a,b")
    assert handshake.is_websocket
    assert not price.is_websocket
    assert unanswered.response is None
    assert unanswered.service_ns is None


def test_a_session_has_its_messages_with_their_index_and_its_end() -> None:
    (session,) = websockets(RECORDING)
    assert session.url == "ws://stream.example.com:8080/live?key=x"
    assert [message.data for message in session.messages] == ["subscribe", b"\x00"]
    assert [RECORDING.events[index] for index in session.indexes] == list(session.messages)
    assert session.close == Close(2, 30, "bot", 1000)


@pytest.mark.parametrize(
    ("scheme", "host", "port", "target", "expected"),
    [
        ("https", "a.example", 443, "/x?y", "https://a.example/x?y"),
        ("http", "a.example", 443, "/", "http://a.example:443/"),
        ("https", "2001:db8::1", 8443, "/", "https://[2001:db8::1]:8443/"),
        ("http", "proxy.example", 80, "http://real.example/x", "http://real.example/x"),
    ],
)
def test_url_of(scheme: Scheme, host: str, port: int, target: str, expected: str) -> None:
    assert url_of(Open(1, 0, scheme, host, port), target) == expected


def test_a_turned_recording_is_what_the_other_party_saw() -> None:
    other = turned(RECORDING)
    assert exchanges(other) == ()
    assert [one.request.target for one in exchanges(other, inbound=True)] == [
        one.request.target for one in exchanges(RECORDING)
    ]
    (session,) = websockets(other, inbound=True)
    assert [one.direction for one in session.messages] == ["received", "sent"]
    assert session.close is not None
    assert session.close.by == "upstream"
    assert turned(other) == RECORDING


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a/b?c=d?e#f", "/a/b", "c=d?e"),
        ("/", "/", ""),
        ("", "", ""),
        ("http://[/x?y", "/x", "y"),
        ("?only=query", "", "only=query"),
    ],
)
def test_any_target_has_a_path_and_a_query(target: str, path: str, query: str) -> None:
    recording = Recording(RecordingHeader(), (HTTPS, Request(1, 1, 1, "GET", target)))
    (exchange,) = exchanges(recording)
    assert (exchange.path, exchange.query) == (path, query)
