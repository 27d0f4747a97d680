"""The WebSocket side of a connection: what the bot says is answered, streams are passed on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN, Side
from websockets.protocol import Protocol as Framing
from websockets.utils import accept_key

from perfscan.replay.keys import Key, message_key
from perfscan.replay.model import Headers, Message, Miss, Party, Request, Served
from perfscan.replay.server.nearest import describe, nearest
from perfscan.replay.server.playback import Playback
from perfscan.replay.server.stations import Handshake, websocket_key
from perfscan.replay.server.streams import Push, frame_of
from perfscan.replay.server.transcript import Acknowledgement, rpc_id_of
from perfscan.replay.wire import HttpRequest, header

_NOT_REPEATED = frozenset(
    [
        *("connection", "upgrade", "content-length", "transfer-encoding"),
        *("sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol"),
    ]
)


def upgrade(playback: Playback, asked: HttpRequest, host: str) -> tuple[Handshake, Headers] | None:
    """Return how a request for a WebSocket is answered, and with which headers; or None."""
    key = header(asked.headers, "sec-websocket-key")
    address = websocket_key(host, asked.target, playback.settings.rules)
    mock = playback.settings.mock
    handshake = playback.stations.open(address, any_host=mock) if key else None
    if handshake is None:
        return None
    kept = (pair for pair in handshake.headers if pair[0].lower() not in _NOT_REPEATED)
    headers = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept_key(key)),
        *kept,
    ]
    spoken = header(handshake.headers, "sec-websocket-protocol")
    offered = header(asked.headers, "sec-websocket-protocol").split(",")
    if spoken and spoken in map(str.strip, offered):
        headers.append(("Sec-WebSocket-Protocol", spoken))
    return handshake, tuple(headers)


class Line(Protocol):
    """The connection below."""

    number: int

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def end(self, by: Party) -> None:
        """Close."""


class WebSocketConnection:
    """Frames in, frames out. Compression is never agreed on, so that frames can be made once."""

    def __init__(
        self, playback: Playback, line: Line, request: Request, handshake: Handshake
    ) -> None:
        self.number = line.number
        self._playback = playback
        self._line = line
        self._request = request
        self._handshake = handshake
        self._station = handshake.station
        self._framing = Framing(Side.SERVER, state=OPEN, max_size=None)
        self._active: set[str] = set()
        self._parts: list[bytes] = []
        self._text = False
        self._early: list[bytes] = []
        self._is_open = False

    def opened(self) -> None:
        """Begin: the answer to the handshake has gone out."""
        self._is_open = True
        alarm, pace = self._playback.alarm, self._playback.pace
        opened_ns = alarm.now()
        for greeting in self._handshake.greetings:
            due_ns = opened_ns + pace(greeting.after_ns)
            alarm.at(due_ns, partial(self.write_frame, greeting.frame))
        self._station.join(self)
        if not self._station.plan.gated:
            self._station.start()
        early, self._early = self._early, []
        for data in early:
            self.receive(data)

    def lost(self) -> tuple[int | None, str]:
        """End; returns code and reason of the client's close frame, where there was one."""
        self._is_open = False
        self._station.leave(self)
        close = self._framing.close_rcvd or self._framing.close_sent
        return (None, "") if close is None else (int(close.code), close.reason)

    # --- What the station needs -------------------------------------------------------------------

    def wants(self, push: Push) -> bool:
        """Tell whether the client has subscribed to what ``push`` belongs to."""
        return not push.gate or not push.gate.isdisjoint(self._active)

    def write_frame(self, frame: bytes) -> None:
        """Send a whole frame."""
        if self._is_open:
            self._line.write(frame)
            self._playback.active()

    def hang_up(self, code: int | None, reason: str) -> None:
        """Close as the service did: with a close frame where it sent a code."""
        self._station.leave(self)
        if code is not None and self._framing.state is OPEN:
            self._framing.send_close(_sendable(code), reason)
            self._flush()
        self._line.end("upstream")

    # --- What the client sends --------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Read bytes that follow the handshake."""
        if not self._is_open:
            self._early.append(data)
            return
        self._framing.receive_data(data)
        for frame in self._framing.events_received():
            if isinstance(frame, Frame):
                for message in self._message(frame):
                    self._hear(message)
        self._flush()

    def _flush(self) -> None:
        """Send what the protocol owes: pongs, the answer to a close frame, errors."""
        for data in self._framing.data_to_send():
            if data:
                self._line.write(data)
            else:
                self._line.end("bot")
        if self._framing.close_rcvd is not None:
            self._station.leave(self)

    def _message(self, frame: Frame) -> Iterator[str | bytes]:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is not Opcode.CONT:
            self._parts, self._text = [], frame.opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if frame.fin:
            data = b"".join(self._parts)
            yield data.decode("utf-8", "replace") if self._text else data

    def _hear(self, data: str | bytes) -> None:
        playback, station = self._playback, self._station
        now_ns = playback.active()
        playback.observe(Message(self.number, now_ns, "sent", data))
        key = message_key(data, playback.settings.rules)
        if key not in station.plan.known:
            self._miss(key, now_ns)
            return
        if station.plan.gated:
            station.start()
        acknowledgement = station.acknowledgement(key)
        if acknowledgement is None:
            self._active.add(key)
            return
        rpc_id = rpc_id_of(data)
        due_ns = now_ns + playback.pace(acknowledgement.delay_ns)
        playback.alarm.at(due_ns, lambda: self._acknowledge(key, acknowledgement, rpc_id))

    def _acknowledge(self, key: str, acknowledgement: Acknowledgement, rpc_id: Any) -> None:
        if not self._is_open:
            return
        text = acknowledgement.text_for(rpc_id)
        self.write_frame(frame_of(text))
        self._playback.observe(Message(self.number, self._playback.alarm.now(), "received", text))
        self._active.add(key)

    def _miss(self, key: str, now_ns: int) -> None:
        playback = self._playback
        url = self._station.plan.url
        recorded = [Key("WEBSOCKET", url, "", (), other) for other in self._station.plan.known]
        asked = Key("WEBSOCKET", url, "", (), key)
        miss = Miss(describe(asked), nearest(asked, recorded))
        playback.tally.outcomes["miss"] += 1
        exchange = self._request.exchange
        playback.observe(Served(exchange, "miss", None, now_ns, now_ns, 0, miss))


def _sendable(code: int) -> int:
    """Return a code that may stand in a close frame; some only say how a connection ended."""
    unsendable = (CloseCode.NO_STATUS_RCVD, CloseCode.ABNORMAL_CLOSURE, CloseCode.TLS_HANDSHAKE)
    return CloseCode.NORMAL_CLOSURE if code in unsendable else code
