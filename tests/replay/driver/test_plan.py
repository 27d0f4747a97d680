"""What the bot's users do, read from a recording."""

from __future__ import annotations

from perfscan.replay.driver.plan import plan_driving, request_bytes
from perfscan.replay.model import (
    Close,
    Message,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)

MS = 1_000_000
RECORDED = Recording(
    RecordingHeader(),
    (
        Open(1, 0, "https", "api.test", 443),
        Request(1, 1, 1 * MS, "GET", "/price"),
        Response(1, 1, 2 * MS, 2 * MS, 200),
        Open(2, 500 * MS, "http", "127.0.0.1", 8000, inbound=True),
        Request(2, 2, 510 * MS, "POST", "/hook", (("Host", "bot.test"),), b"{}"),
        Response(2, 2, 520 * MS, 520 * MS, 200),
        Open(3, 600 * MS, "http", "127.0.0.1", 8000, inbound=True),
        Request(3, 3, 610 * MS, "GET", "/ws"),
        Response(3, 3, 611 * MS, 611 * MS, 101),
        Message(3, 700 * MS, "received", "hello"),
        Message(3, 701 * MS, "sent", "welcome"),
        Close(2, 800 * MS, "upstream"),
        Close(3, 900 * MS, "bot"),
        Open(4, 950 * MS, "http", "127.0.0.1", 9000, inbound=True),
    ),
)


def test_users_act_at_their_times_from_the_first_connection() -> None:
    plan = plan_driving(RECORDED)

    assert (plan.starts_ns, plan.ports, plan.sendings) == (500 * MS, (8000,), 3)
    hook, socket = plan.callers
    assert (hook.opens_ns, hook.closes_ns) == (0, 300 * MS)
    assert [(one.event, one.at_ns, one.websocket) for one in hook.asks] == [(4, 10 * MS, False)]
    assert (socket.opens_ns, socket.closes_ns) == (100 * MS, None), "the bot hung up there"
    assert [one.websocket for one in socket.asks] == [True]
    assert [(one.event, one.at_ns, one.data) for one in socket.says] == [(9, 200 * MS, "hello")]


def test_only_what_is_played_is_planned() -> None:
    plan = plan_driving(RECORDED, until_ns=150 * MS)

    assert [len(caller.says) for caller in plan.callers] == [0, 0]
    assert plan_driving(RECORDED, until_ns=50 * MS).sendings == 1


def test_a_bot_without_users_has_no_plan() -> None:
    assert plan_driving(Recording(RecordingHeader(), RECORDED.events[:3])).callers == ()


def test_requests_are_sent_as_recorded_with_a_length_of_their_own() -> None:
    headers = (("Host", "bot.test"), ("Content-Length", "99"), ("Transfer-Encoding", "chunked"))
    sent = request_bytes(Request(1, 1, 0, "POST", "/hook?a=1", (*headers, ("X-Sign", "s")), b"{}"))

    assert sent == (
        b"POST /hook?a=1 HTTP/1.1\r\nHost: bot.test\r\nX-Sign: s\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_what_a_handshake_lacks_is_added() -> None:
    recorded = (("Connection", "Upgrade"), ("Sec-WebSocket-Key", "abc"), ("Cookie", "c=1"))
    sent = request_bytes(Request(1, 1, 0, "GET", "/ws", recorded), websocket=True)

    lines = sent.decode().split("\r\n")
    assert lines[:2] == ["GET /ws HTTP/1.1", "Host: localhost"]
    assert set(lines[2:-2]) == {
        "Connection: Upgrade", "Sec-WebSocket-Key: abc", "Cookie: c=1", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
    }  # fmt: skip


def test_messages_of_clients_are_masked() -> None:
    (_, socket) = plan_driving(RECORDED).callers

    frame = socket.says[0].frame
    assert frame[0] == 0x81
    assert frame[1] == 0x80 | len("hello")
