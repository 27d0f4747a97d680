"""Both directions are read right, however the bytes are cut."""

from __future__ import annotations

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import Side

from perfscan.replay.wire import (
    HttpRequest,
    HttpResponse,
    MessageReader,
    RequestReader,
    ResponseReader,
    WireError,
    WireMessage,
    WirePing,
)

REQUESTS = (
    b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    b"GET /d HTTP/1.1\r\nHost: x\r\n\r\n"
    b"PUT /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nhi\r\n0\r\nT: trailer\r\n\r\n"
)
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def responses(data: bytes, methods: str = "GET", size: int = 1 << 20) -> list[HttpResponse]:
    reader = ResponseReader()
    for method in methods.split():
        reader.expect(method)
    for now, start in enumerate(range(0, len(data), size)):
        reader.feed(data[start : start + size], now)
    return list(reader.take())


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_requests_are_split_wherever_the_bytes_are_cut(size: int) -> None:
    reader = RequestReader()
    for start in range(0, len(REQUESTS), size):
        reader.feed(REQUESTS[start : start + size])
    post, get, put = reader.take()
    assert post == HttpRequest("POST", "/a?b=c", (("Host", "x"), ("Content-Length", "3")), b"abc")
    assert (get.method, get.target, get.body) == ("GET", "/d", b"")
    assert put.body == b"hi"
    assert "trailer" not in str(put.headers)
    assert list(reader.take()) == []


def test_the_head_is_known_before_the_body_is_there() -> None:
    reader = RequestReader()
    reader.feed(REQUESTS[:20])
    assert reader.head is None
    reader.feed(REQUESTS[20 : REQUESTS.index(b"abc")])
    assert reader.head is not None
    assert reader.head.target == "/a?b=c"
    assert list(reader.take()) == []


def test_what_follows_an_upgrade_waits_for_the_servers_decision() -> None:
    reader = RequestReader()
    reader.feed(UPGRADE + b"GET /next HTTP/1.1\r\n")
    reader.feed(b"Host: x\r\n\r\n")
    assert [request.is_websocket for request in reader.take()] == [True]
    reader.resume()
    assert [request.target for request in reader.take()] == ["/next"]


def test_bytes_that_are_not_http_are_an_error() -> None:
    with pytest.raises(WireError, match="from the bot"):
        RequestReader().feed(b"\x00\x01 hello\r\n\r\n")
    with pytest.raises(WireError, match="from the service"):
        ResponseReader().feed(b"SSH-2.0-OpenSSH\r\n", 0)


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    ("data", "methods", "expected"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 404 Nope\r\n"
            b"Content-Length: 0\r\n\r\n",
            "GET GET",
            [(200, "OK", b"hi"), (404, "Nope", b"")],
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
            "GET",
            [(200, "OK", b"ab")],
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            b"HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
            "POST",
            [(201, "Created", b"x")],
        ),
        (
            b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny",
            "GET GET GET",
            [(204, "No Content", b""), (304, "Not Modified", b""), (200, "OK", b"y")],
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz",
            "HEAD GET",
            [(200, "OK", b""), (200, "OK", b"z")],
        ),
    ],
    ids=["keep-alive", "chunked", "interim", "bodiless", "head"],
)
def test_responses(
    data: bytes, methods: str, expected: list[tuple[int, str, bytes]], size: int
) -> None:
    found = responses(data, methods, size)
    assert [(answer.status, answer.reason, answer.body) for answer in found] == expected


def test_a_response_is_timed_from_its_first_to_its_last_byte() -> None:
    reader = ResponseReader()
    reader.expect("GET")
    reader.feed(b"HTTP/1.1 200 OK\r\n", 10)
    reader.feed(b"Content-Length: 2\r\n\r\nh", 20)
    reader.feed(b"i", 30)
    (answer,) = reader.take()
    assert (answer.at_ns, answer.end_ns) == (10, 30)


def test_the_end_of_the_connection_completes_only_a_body_without_length() -> None:
    whole = ResponseReader()
    whole.feed(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 0)
    assert whole.end()
    assert [answer.body for answer in whole.take()] == [b"until the end"]
    for cut in (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b"HTTP/1.1 200"):
        reader = ResponseReader()
        reader.feed(cut, 0)
        assert not reader.end()
        assert list(reader.take()) == []
    assert ResponseReader().end()


def test_a_101_ends_http() -> None:
    reader = ResponseReader()
    reader.expect("GET")
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    reader.feed(head + b"\x81", 0)
    reader.feed(b"\x01a", 1)
    assert [answer.status for answer in reader.take()] == [101]
    assert reader.after_upgrade == b"\x81\x01a"


def test_a_body_that_comes_little_by_little_is_kept_in_pieces() -> None:
    reader = ResponseReader()
    reader.expect("GET")
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    reader.feed(head + b"3\r\nabc\r\n", 1_000)
    reader.feed(b"2\r\nde\r\n", 1_001_000)  # within a millisecond: the same piece
    reader.feed(b"1\r\nf\r\n", 1_001_001)
    reader.feed(b"2\r\ngh\r\n", 9_001_000)
    reader.feed(b"0\r\n\r\n", 99_000_000)
    (answer,) = reader.take()
    assert answer.body == b"abcdefgh"
    assert answer.pieces == ((0, 5), (1_000_001, 1), (9_000_000, 2))
    assert answer.end_ns == 99_000_000


def test_a_body_that_comes_at_once_has_no_pieces() -> None:
    reader = ResponseReader()
    for start in (0, 50_000_000):  # the second answer does not inherit the first one's time
        reader.expect("GET")
        reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", start)
        reader.feed(b"cd", start + 900_000)
    assert [answer.pieces for answer in reader.take()] == [(), ()]


def test_a_response_that_the_client_leaves_is_kept_as_far_as_it_came() -> None:
    reader = ResponseReader()
    reader.expect("GET")
    assert not reader.cut()
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n", 0)
    assert not reader.cut()
    reader.feed(b"\r\nabc", 5)
    assert reader.cut()
    (answer,) = reader.take()
    assert (answer.body, answer.end_ns) == (b"abc", 5)


def frame(opcode: Opcode, data: bytes, *, mask: bool, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=mask)


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("sender", [Side.CLIENT, Side.SERVER])
def test_messages_are_reassembled_and_pings_stand_between(sender: Side, size: int) -> None:
    mask = sender is Side.CLIENT
    data = (
        frame(Opcode.TEXT, b"h\xc3", mask=mask, fin=False)
        + frame(Opcode.PING, b"!", mask=mask)
        + frame(Opcode.CONT, b"\xa9", mask=mask)
        + frame(Opcode.BINARY, b"abc", mask=mask)
        + frame(Opcode.PONG, b"", mask=mask)
        + frame(Opcode.TEXT, b"", mask=mask)
        + frame(Opcode.CLOSE, Close(1001, "bye").serialize(), mask=mask)
    )
    reader = MessageReader(sender)
    found = [
        message
        for start in range(0, len(data), size)
        for message in reader.feed(data[start : start + size])
    ]
    assert found == [
        WirePing(b"!"),
        WireMessage("hé", (2, 1)),
        WireMessage(b"abc"),
        WireMessage(""),
    ]
    assert reader.closed == (1001, "bye")


def test_a_close_frame_without_code() -> None:
    reader = MessageReader(Side.SERVER)
    reader.feed(frame(Opcode.CLOSE, b"", mask=False))
    assert reader.closed == (None, "")


@pytest.mark.parametrize("takeover", [True, False])
@pytest.mark.parametrize("sender", [Side.CLIENT, Side.SERVER])
def test_compressed_messages_are_read_with_the_senders_parameters(
    sender: Side, takeover: bool
) -> None:
    name = "client" if sender is Side.CLIENT else "server"
    offer = "permessage-deflate; client_max_window_bits=12; server_max_window_bits=12"
    offer += "" if takeover else f"; {name}_no_context_takeover"
    compressor = PerMessageDeflate(True, not takeover, 12, 12)
    reader = MessageReader(sender, offer)
    for _ in range(3):
        plain = Frame(Opcode.TEXT, b"the same text again " * 20)
        data = plain.serialize(mask=sender is Side.CLIENT, extensions=[compressor])
        assert len(data) < 100
        assert reader.feed(data) == [WireMessage("the same text again " * 20)]


def test_bytes_that_are_not_websocket_are_an_error() -> None:
    with pytest.raises(WireError, match="not WebSocket"):
        MessageReader(Side.SERVER).feed(b"\xff\xff\xff\xff")


@pytest.mark.parametrize("bits", ["7", "16", "x", "99999999999999999999"])
def test_extensions_that_nobody_can_speak_are_an_error(bits: str) -> None:
    with pytest.raises(WireError, match="window"):
        MessageReader(Side.SERVER, f"permessage-deflate; server_max_window_bits={bits}")
    with pytest.raises(WireError, match="extensions"):
        MessageReader(Side.SERVER, "@@;;")
