"""The WebSocket side of a connection: what the bot says is answered, streams are passed on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN, Side
from websockets.protocol import Protocol as Framing
from websockets.utils import accept_key

from perfscan.replay.keys import Key
from perfscan.replay.model import Failure, Headers, Message, Miss, Party, Request, Served
from perfscan.replay.server.conversation import Conversation, Reply
from perfscan.replay.server.directory import Handshake
from perfscan.replay.server.draft import websocket_key
from perfscan.replay.server.frames import Deflater, agree_on_compression, frame_of
from perfscan.replay.server.nearest import describe, nearest
from perfscan.replay.server.playback import Playback
from perfscan.replay.server.stations import Station, Wanted
from perfscan.replay.wire import HttpRequest, header

MESSAGE_LIMIT = 64 * 1024 * 1024
"""Bytes of a client's message; services of the field take far less."""
CLOSING_NS = 1_000_000_000
"""So long a client may take to answer a close frame before the connection ends all the same."""
_NOT_REPEATED = frozenset(
    [
        *("connection", "upgrade", "content-length", "transfer-encoding"),
        *("sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol"),
    ]
)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """How a request for a WebSocket is answered."""

    handshake: Handshake
    headers: Headers
    decoder: PerMessageDeflate | None
    """For what the client compresses, where that was agreed on."""


def upgrade(playback: Playback, asked: HttpRequest, host: str) -> Upgrade | None:
    """Return how a request for a WebSocket is answered, None where the recording has none there."""
    key = header(asked.headers, "sec-websocket-key")
    address = websocket_key(host, asked.target, playback.settings.rules)
    mock = playback.settings.mock
    handshake = playback.directory.open(address, any_host=mock) if key else None
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
    name = "sec-websocket-extensions"
    agreed = agree_on_compression(header(asked.headers, name), header(handshake.headers, name))
    if agreed is not None:
        headers.append(("Sec-WebSocket-Extensions", agreed[0]))
    return Upgrade(handshake, tuple(headers), agreed[1] if agreed else None)


class Line(Protocol):
    """The connection below."""

    number: int

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def end(self, by: Party) -> None:
        """Close."""


class WebSocketConnection:
    """Frames in, frames out; what is due waits here while the client does not take it."""

    def __init__(self, playback: Playback, line: Line, request: Request, upgraded: Upgrade) -> None:
        self.number = line.number
        self._playback = playback
        self._line = line
        self._request = request
        self._handshake = handshake = upgraded.handshake
        self._conversation = Conversation(
            handshake.stations, handshake.topics, playback.settings.rules
        )
        self._framing = Framing(Side.SERVER, state=OPEN, max_size=MESSAGE_LIMIT)
        self._deflate: Deflater | None = None
        if upgraded.decoder is not None:
            self._framing.extensions = [upgraded.decoder]
            self._deflate = Deflater()
        self._wanted: dict[Station, Wanted] = {}
        self._owed: deque[tuple[Station, range, Wanted]] = deque()
        self._parts: list[bytes] = []
        self._text = False
        self._early: list[bytes] = []
        self._farewell: tuple[int | None, str] | None = None
        """How the service closed, from then on."""
        self._is_open = False
        self._paused = False

    def opened(self) -> None:
        """Begin: the answer to the handshake has gone out."""
        self._is_open = True
        alarm, pace = self._playback.alarm, self._playback.pace
        opened_ns = alarm.now()
        for greeting in self._handshake.greetings:
            due_ns = opened_ns + pace(greeting.after_ns)
            alarm.at(due_ns, partial(self._write, greeting.frame))
        for station in self._handshake.stations:
            station.join(self)
            if not station.plan.gated:
                station.start(opened_ns)
        early, self._early = self._early, []
        for data in early:
            self.receive(data)

    def lost(self) -> tuple[int | None, str]:
        """End; returns code and reason of the client's close frame, where there was one."""
        self._leave()
        close = self._framing.close_rcvd or self._framing.close_sent
        if close is None or close.code == CloseCode.NO_STATUS_RCVD:
            return None, ""
        return int(close.code), close.reason

    # --- What the stations need -------------------------------------------------------------------

    def wants(self, gate: frozenset[str]) -> bool:
        """Tell whether the client has asked for one of the topics of ``gate``."""
        return not gate or not gate.isdisjoint(self._conversation.active)

    def owe(self, station: Station, rows: range) -> None:
        """Send rows of a stream, at once or as soon as the client takes more."""
        if station not in self._wanted:
            self._wanted[station] = station.wanted(self)
        self._owed.append((station, rows, self._wanted[station]))
        self._pay()

    def hang_up(self, code: int | None, reason: str) -> None:
        """Close as the service did: after what is owed, with a close frame where it sent a code."""
        self._farewell = code, reason
        self._part_from_stations()
        self._pay()

    # --- What the connection below says -----------------------------------------------------------

    def pause(self) -> None:
        """Write no more: the client does not keep up."""
        self._paused = True

    def resume(self) -> None:
        """Write on."""
        self._paused = False
        self._pay()

    def receive(self, data: bytes) -> None:
        """Read bytes that follow the handshake."""
        if not self._is_open and self._framing.state is OPEN:
            self._early.append(data)
            return
        self._framing.receive_data(data)
        for frame in self._framing.events_received():
            if isinstance(frame, Frame):
                self._read(frame)
        self._flush()

    # --- Writing ----------------------------------------------------------------------------------

    def _pay(self) -> None:
        self._send_owed()
        if self._farewell is not None and self._is_open and not self._owed:
            self._close(*self._farewell)

    def _close(self, code: int | None, reason: str) -> None:
        """Begin the closing handshake, or end at once where the service did.

        A client that answers pings, or the close frame, on a connection that has ended already
        fails in that, and may never look at the messages that came with them.
        """
        self._leave()
        if code is None or self._framing.state is not OPEN:
            self._line.end("upstream")
            return
        self._framing.send_close(_sendable(code), reason)
        self._flush()
        alarm = self._playback.alarm
        alarm.at(alarm.now() + CLOSING_NS, partial(self._line.end, "upstream"))

    def _send_owed(self) -> None:
        while self._owed and not self._paused:
            station, rows, wanted = self._owed.popleft()
            portion = station.portion(rows, wanted, deflated=self._deflate is not None)
            if rest := range(portion.rows.stop, rows.stop):
                self._owed.appendleft((station, rest, wanted))
            if portion.data:
                self._line.write(portion.data)
                now_ns = self._playback.busy()
                if pushes := station.noted(portion, self.number, now_ns):
                    self._playback.observe(pushes)

    def _write(self, frames: bytes) -> None:
        if self._is_open:
            self._line.write(self._deflate(frames) if self._deflate else frames)
            self._playback.busy()

    def _flush(self) -> None:
        """Send what the protocol owes: pongs, the answer to a close frame, errors."""
        for data in self._framing.data_to_send():
            if data:
                self._line.write(data)
            else:
                self._line.end("upstream" if self._farewell else "bot")
        if self._framing.parser_exc is not None and self._is_open:
            detail = f"not WebSocket from the bot: {self._framing.parser_exc}"
            self._playback.observe(Failure(self.number, self._playback.alarm.now(), detail))
        if self._framing.state is not OPEN:
            self._leave()

    def _leave(self) -> None:
        self._is_open = False
        self._owed.clear()
        self._part_from_stations()

    def _part_from_stations(self) -> None:
        for station in self._handshake.stations:
            station.leave(self)

    # --- What the client says ---------------------------------------------------------------------

    def _read(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is not Opcode.CONT:
            self._parts, self._text = [], frame.opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return
        data, self._parts = b"".join(self._parts), []
        try:
            message = data.decode() if self._text else data
        except UnicodeDecodeError as error:
            self._framing.parser_exc = error
            self._framing.fail(CloseCode.INVALID_DATA, f"not UTF-8 at byte {error.start}")
        else:
            self._hear(message)

    def _hear(self, data: str | bytes) -> None:
        playback = self._playback
        now_ns = playback.busy()
        playback.observe(Message(self.number, now_ns, "sent", data))
        heard = self._conversation.hear(data, now_ns)
        self._wanted.clear()
        for unit in heard.unknown:
            self._miss(unit, now_ns)
        for reply in heard.replies:
            playback.alarm.at(now_ns + playback.pace(reply.delay_ns), partial(self._reply, reply))

    def _reply(self, reply: Reply) -> None:
        if not self._is_open:
            return
        self._write(frame_of(reply.text))
        playback = self._playback
        playback.observe(Message(self.number, playback.alarm.now(), "received", reply.text))
        self._conversation.active |= reply.opens
        self._wanted.clear()

    def _miss(self, unit: str, now_ns: int) -> None:
        playback = self._playback
        url = self._handshake.stations[0].plan.url
        known = sorted(set(self._conversation.known))
        recorded = [Key("WEBSOCKET", url, "", (), other) for other in known]
        asked = Key("WEBSOCKET", url, "", (), unit)
        miss = Miss(describe(asked), nearest(asked, recorded))
        playback.tally.outcomes["miss"] += 1
        exchange = self._request.exchange
        playback.observe(Served(exchange, "miss", None, now_ns, now_ns, 0, miss))


def _sendable(code: int) -> int:
    """Return a code that may stand in a close frame; some only say how a connection ended."""
    unsendable = (CloseCode.NO_STATUS_RCVD, CloseCode.ABNORMAL_CLOSURE, CloseCode.TLS_HANDSHAKE)
    return CloseCode.NORMAL_CLOSURE if code in unsendable else code
