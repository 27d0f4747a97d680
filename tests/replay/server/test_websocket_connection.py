from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from wire.air import FakeAlarm
from wire.talk import (
    MS,
    RECEIVED,
    SENT,
    Line,
    acknowledge,
    notice,
    recorded,
    session,
    subscribe,
)

from perfscan.replay.model import Close, Failure, Message, Party, Request, Served
from perfscan.replay.server import conversation
from perfscan.replay.server.frames import parts_of
from perfscan.replay.server.playback import Playback, Settings
from perfscan.replay.server.subscriptions import Ask, read_asks
from perfscan.replay.server.turn import Seen
from perfscan.replay.server.websocket_connection import (
    CLOSING_NS,
    MESSAGE_LIMIT,
    WebSocketConnection,
    upgrade,
)
from perfscan.replay.wire import HttpRequest

CLOSE = 0x88
CALM: Sequence[Line] = (
    (10, SENT, subscribe()),
    (20, RECEIVED, acknowledge(7)),
    (30, RECEIVED, notice("a")),
)


@dataclass
class Talk:
    """A client's connection; what is written and observed is kept."""

    lines: Sequence[Line] = CALM
    close: Close | None = None
    number: int = 1
    written: bytes = b""
    ended_by: Party | None = None
    seen: list[Seen] = field(default_factory=list)
    client: WebSocketConnection = field(init=False)

    def __post_init__(self) -> None:
        traffic = recorded(session(1, 0, *self.lines, close=self.close))
        self.alarm = FakeAlarm()
        playback = Playback(traffic, Settings(), self.alarm, self.seen.append)
        asked = HttpRequest("GET", "/", (("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),))
        opened = upgrade(playback, asked, "rpc.example")
        assert opened is not None
        request = Request(1, 1, 0, "GET", "/")
        self.client = WebSocketConnection(playback, self, request, opened)
        self.client.opened()

    def write(self, data: bytes) -> None:
        self.written += data

    def end(self, by: Party) -> None:
        self.ended_by = by

    def ask(self, value: object) -> None:
        """Send what the client asks for."""
        self.client.receive(masked(Opcode.TEXT, json.dumps(value).encode()))

    @property
    def heard(self) -> list[object]:
        """The messages that the client was sent."""
        return [json.loads(data) for first, data in parts_of(self.written) if first != CLOSE]

    @property
    def code(self) -> int | None:
        """Code of the close frame that the client was sent."""
        closes = [payload for first, payload in parts_of(self.written) if first == CLOSE]
        return int.from_bytes(closes[0][:2]) if closes else None

    @property
    def failures(self) -> list[str]:
        return [event.detail for event in self.seen if isinstance(event, Failure)]


def masked(opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0) -> bytes:
    """Return a frame of a client whose mask is zero."""
    first = fin << 7 | rsv << 4 | opcode
    if len(payload) < 126:
        head = bytes((first, 0x80 | len(payload)))
    else:
        head = struct.pack("!BBH", first, 0x80 | 126, len(payload))
    return head + bytes(4) + payload


BROKEN = {
    "reserved bits": (masked(1, b"a", rsv=2), 1002),
    "unknown opcode": (masked(3, b"a"), 1002),
    "no mask": (b"\x81\x01a", 1002),
    "fragmented ping": (masked(9, b"a", fin=False), 1002),
    "long ping": (masked(9, b"a" * 126), 1002),
    "continuation of nothing": (masked(0, b"a"), 1002),
    "message in a message": (masked(1, b"a", fin=False) + masked(1, b"b"), 1002),
    "code of one byte": (masked(8, b"a"), 1002),
    "code that means nothing": (masked(8, (999).to_bytes(2)), 1002),
    "not UTF-8": (masked(1, b"\xff\xfe"), 1007),
    "not UTF-8 across fragments": (masked(1, b"\xc3", fin=False) + masked(0, b"("), 1007),
    "too long": (struct.pack("!BBQ", 0x81, 0xFF, MESSAGE_LIMIT + 1), 1009),
    "endless": (struct.pack("!BBQ", 0x81, 0xFF, (1 << 63) - 1), 1009),
}


@pytest.mark.parametrize(("sent", "code"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_websocket_is_refused_in_one_line(sent: bytes, code: int) -> None:
    talk = Talk()
    for at in range(len(sent)):
        talk.client.receive(sent[at : at + 1])
    assert talk.code == code
    assert talk.ended_by is not None
    (failure,) = talk.failures
    assert failure.startswith("not WebSocket from the bot: ")
    assert "\n" not in failure


frames = st.builds(
    masked,
    st.sampled_from([0, 1, 2, 8, 9, 10]) | st.integers(0, 15),
    st.binary(max_size=200),
    fin=st.booleans(),
    rsv=st.sampled_from([0, 0, 0, 1, 4]),
)


@settings(max_examples=600, deadline=None)
@given(st.lists(frames | st.binary(max_size=40), max_size=8).map(b"".join), st.integers(1, 64))
def test_any_bytes_are_answered_or_refused(sent: bytes, size: int) -> None:
    talk = Talk()
    for at in range(0, len(sent), size):
        talk.client.receive(sent[at : at + size])
    assert len(talk.failures) <= 1
    if talk.failures:
        assert talk.code is not None  # which may answer a close frame that came with the mistake
        assert talk.ended_by is not None
        assert "\n" not in talk.failures[0]
    talk.alarm.run_to(60_000)
    code, reason = talk.client.lost()
    assert code is None or (1000 <= code < 5000 and isinstance(reason, str))


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["method", "op", "params", "args", "id", "jsonrpc"])
                | st.text(max_size=3),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_any_message_is_a_hit_or_a_miss(value: object) -> None:
    talk = Talk()
    frame = Frame(Opcode.TEXT, json.dumps(value).encode()).serialize(mask=True)
    talk.client.receive(frame)
    talk.alarm.run_to(1000)
    assert talk.code is None
    assert not talk.failures
    assert sum(isinstance(one, Message) and one.direction == "sent" for one in talk.seen) == 1


@pytest.mark.parametrize("levels", [80, 600, 100_000])
def test_a_message_nested_too_deep_is_a_miss(levels: int) -> None:
    talk = Talk()
    text = '{"op": "subscribe", "args": ' + "[" * levels + "]" * levels + "}"
    talk.client.receive(Frame(Opcode.TEXT, text.encode()).serialize(mask=True))
    assert talk.code is None
    (miss,) = [one.miss for one in talk.seen if isinstance(one, Served)]
    assert miss is not None


def test_nothing_is_sent_after_the_end() -> None:
    talk = Talk()
    talk.client.receive(masked(1, json.dumps(subscribe()).encode()) + masked(8, b""))
    written = talk.written
    talk.alarm.run_to(1000)
    assert talk.written == written
    assert talk.client.lost() == (None, "")


def test_what_came_before_an_answer_comes_before_it_again() -> None:
    status = {"event": "systemStatus"}
    talk = Talk([*CALM[:1], (12, RECEIVED, status), *CALM[1:]])
    talk.ask(subscribe())
    talk.alarm.run_to(1000)
    assert talk.heard == [status, acknowledge(7), notice("a")]


def test_a_stream_and_the_answers_count_from_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long it takes to understand what the client asks for."""
    talk = Talk([*CALM[:1], (18, RECEIVED, {"status": "online"}), *CALM[1:]])

    def slowly(*arguments: object) -> tuple[Ask, ...]:
        talk.alarm.time += 5 * MS
        return read_asks(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(conversation, "read_asks", slowly)
    talk.ask(subscribe())
    talk.alarm.run_to(1000)
    assert talk.heard == [{"status": "online"}, acknowledge(7), notice("a")]


HUNG_UP = Close(1, 40 * MS, "upstream", 1001, "maintenance")


def test_the_closing_handshake_is_awaited() -> None:
    """A client that has to answer on a dead connection may lose what came last."""
    talk = Talk(close=HUNG_UP)
    talk.ask(subscribe())
    talk.alarm.run_to(100)
    assert (talk.code, talk.ended_by) == (1001, None)
    talk.client.receive(masked(Opcode.CLOSE, (1001).to_bytes(2)))
    assert talk.ended_by == "upstream"
    assert talk.client.lost() == (1001, "")


def test_a_client_that_does_not_answer_is_left_after_a_while() -> None:
    talk = Talk(close=HUNG_UP)
    talk.ask(subscribe())
    talk.alarm.run_to(100 + CLOSING_NS // MS)
    assert talk.ended_by == "upstream"


@pytest.mark.parametrize("code", [None, 1001])
def test_a_slow_client_is_sent_what_came_before_the_end(code: int | None) -> None:
    talk = Talk(close=replace(HUNG_UP, code=code))
    talk.ask(subscribe())
    talk.alarm.run_to(15)
    talk.client.pause()
    talk.alarm.run_to(100)
    assert (talk.heard, talk.code, talk.ended_by) == ([acknowledge(7)], None, None)
    talk.client.resume()
    assert (talk.heard, talk.code) == ([acknowledge(7), notice("a")], code)
    assert talk.ended_by == (None if code else "upstream")
