"""One connection of the bot: HTTP/1.1 with keep-alive and pipelining, then perhaps a WebSocket."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from perfscan.replay.exchanges import url_of
from perfscan.replay.keys import host_and_port, read_request
from perfscan.replay.model import (
    Close,
    Failure,
    Headers,
    Open,
    Party,
    Request,
    Response,
    Scheme,
    Served,
)
from perfscan.replay.server.answers import Answer
from perfscan.replay.server.playback import Playback
from perfscan.replay.server.timeline import answer_due
from perfscan.replay.server.websocket_connection import WebSocketConnection, upgrade
from perfscan.replay.wire import HttpRequest, RequestReader, WireError, header

HEAD_LIMIT = 256 * 1024
"""Bytes of one request's head; real servers stop at 8 to 64 KiB."""
BODY_LIMIT = 256 * 1024 * 1024
WORTH_A_TIMER_NS = 1_000_000
"""A body that took less than this to arrive is sent with its head."""
QUEUE_LIMIT = 256
"""Requests that may wait on one connection before it is not read any further."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS = frozenset([204, 304])


@dataclass(frozen=True, slots=True)
class Door:
    """Where a connection came in."""

    scheme: Scheme
    port: int | None
    """The recorded port that this door stands for; None where that does not matter."""
    accepted_ns: int


@dataclass(slots=True)
class _Pending:
    """A request whose answer is not written yet."""

    request: Request
    answer: Answer
    due_ns: int
    last: bool
    """The connection closes after it."""
    ready: bool = False
    begun_ns: int | None = None
    whole: bool = False
    """The recorded time of the last byte has come, too."""


class _Reader(RequestReader):
    """Also remembers which requests speak HTTP/1.0."""

    def __init__(self) -> None:
        super().__init__()
        self.old: deque[bool] = deque()

    def on_message_complete(self) -> None:
        self.old.append(self._parser.get_http_version() == "1.0")
        super().on_message_complete()


class HttpConnection(asyncio.Protocol):
    """Answers every request when its recorded time has come, in the order in which they came."""

    def __init__(self, playback: Playback, door: Door, connected: set[HttpConnection]) -> None:
        self.number = playback.next_connection()
        self._connected = connected
        self._playback = playback
        self._door = door
        self._reader = _Reader()
        self._queue: deque[_Pending] = deque()
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._websocket: WebSocketConnection | None = None
        self._host: tuple[str, int] | None = None
        self._ending = False
        self._usable_ns = door.accepted_ns
        self._head_bytes = 0
        self._continued = False
        self._closed_by: Party = "bot"

    # --- What asyncio calls -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._connected.add(self)

    def data_received(self, data: bytes) -> None:
        """Read what the bot sent."""
        if self._websocket is not None:
            self._websocket.receive(data)
            return
        try:
            self._reader.feed(data)
        except WireError as error:
            self._refuse(400, "Bad Request", str(error))
            return
        requests = list(self._reader.take())
        for request in requests:
            self._continued = False
            self._take(request, old=self._reader.old.popleft())
        while self._reader.after_upgrade is not None and self._websocket is None:
            if not self._decline_upgrade():
                return
        self._check_unfinished(0 if requests else len(data))

    def eof_received(self) -> bool:
        """Let what is asked for be answered also when the bot sends no more."""
        self._ending = True
        return bool(self._queue) and self._websocket is None

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._connected.discard(self)
        now_ns = self._playback.active()
        self._playback.tally.in_flight -= len(self._queue)
        self._queue.clear()
        if self._host is None:
            self._introduce("", "")
        code, reason = None, ""
        if self._websocket is not None:
            code, reason = self._websocket.lost()
        if exc is not None:
            self._playback.observe(Failure(self.number, now_ns, str(exc) or type(exc).__name__))
        self._playback.observe(Close(self.number, now_ns, self._closed_by, code, reason))

    def abort(self) -> None:
        """Cut the connection."""
        self._closed_by = "upstream"
        self._transport.abort()

    # --- What the WebSocket part needs ------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes unless the connection is closing."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def end(self, by: Party) -> None:
        """Close after what is written has gone out."""
        if not self._transport.is_closing():
            self._closed_by = by
            self._transport.close()

    # --- Requests ---------------------------------------------------------------------------------

    def _take(self, asked: HttpRequest, *, old: bool) -> None:
        playback = self._playback
        now_ns = playback.active()
        fields = {key.lower(): value for key, value in asked.headers}
        name = _name_of(fields.get("host", ""))
        host = host_and_port(name, self._port, self._default_port)
        if self._host is None:
            self._introduce(name, host)
        number = playback.next_exchange()
        request = Request(
            number, self.number, now_ns, asked.method, asked.target, asked.headers, asked.body
        )
        playback.observe(request)
        playback.tally.in_flight += 1
        if (
            "upgrade" in fields
            and asked.is_websocket
            and self._open_websocket(asked, request, host)
        ):
            return
        rules = playback.settings.rules
        answer = playback.answer(
            read_request(asked.method, host, asked.target, asked.headers, asked.body, rules)
        )
        wanted = fields.get("connection", "").lower()
        last = answer.closes or "close" in wanted or (old and "keep-alive" not in wanted)
        self._schedule(_Pending(request, answer, self._due(now_ns, answer.service_ns), last))

    def _open_websocket(self, asked: HttpRequest, request: Request, host: str) -> bool:
        """Answer a request for a WebSocket; False where the recording holds none there."""
        opened = upgrade(self._playback, asked, host)
        if opened is None:
            return False
        handshake, headers = opened
        answer = Answer(
            handshake.outcome, handshake.exchange, 101, "Switching Protocols", headers, b""
        )
        self._websocket = WebSocketConnection(self._playback, self, request, handshake)
        if self._reader.after_upgrade:
            self._websocket.receive(bytes(self._reader.after_upgrade))
        due_ns = self._due(request.at_ns, handshake.service_ns)
        self._schedule(_Pending(request, answer, due_ns, last=False))
        return True

    def _due(self, arrived_ns: int, service_ns: int) -> int:
        return answer_due(arrived_ns, self._usable_ns, self._playback.pace(service_ns))

    @property
    def _default_port(self) -> int:
        return 443 if self._door.scheme == "https" else 80

    @property
    def _port(self) -> int:
        return self._door.port or self._default_port

    def _introduce(self, name: str, host: str) -> None:
        """Report the connection, which is known by its first request, and charge its cost."""
        self._host = name, self._port
        self._usable_ns += self._playback.pace(self._playback.costs.next_ns(host))
        door = self._door
        self._playback.observe(Open(self.number, door.accepted_ns, door.scheme, *self._host))

    # --- Answers ----------------------------------------------------------------------------------

    def _schedule(self, pending: _Pending) -> None:
        self._queue.append(pending)
        if len(self._queue) == QUEUE_LIMIT:
            self._transport.pause_reading()
        if pending.due_ns <= self._playback.alarm.now():
            self._ready(pending)
        else:
            self._playback.alarm.at(pending.due_ns, lambda: self._ready(pending))

    def _ready(self, pending: _Pending) -> None:
        pending.ready = True
        self._send_queue()

    def _complete(self, pending: _Pending) -> None:
        pending.whole = True
        self._send_queue()

    def _send_queue(self) -> None:
        while self._queue and self._queue[0].ready and not self._transport.is_closing():
            if not self._send(self._queue[0]):
                return
            if len(self._queue) == QUEUE_LIMIT:
                self._transport.resume_reading()
            self._queue.popleft()
            self._playback.tally.in_flight -= 1
        if self._ending and not self._queue:
            self.end("bot")

    def _send(self, pending: _Pending) -> bool:
        """Write an answer; False while its body is still to come."""
        answer, request = pending.answer, pending.request
        if answer.broke:
            self._report(pending, b"")
            self.abort()
            return True
        bodiless = request.method == "HEAD" or answer.status in _BODILESS or answer.status < 200
        body = b"" if bodiless else answer.body
        if pending.begun_ns is None:
            pending.begun_ns = self._playback.active()
            head = head_of(answer.status, answer.reason, answer.headers)
            if not bodiless:
                head += b"Content-Length: %d\r\n" % len(body)
            head += b"Connection: close\r\n\r\n" if pending.last else b"\r\n"
            body_ns = self._playback.pace(answer.body_ns)
            if body and body_ns >= WORTH_A_TIMER_NS:
                self._transport.write(head)
                due_ns = pending.begun_ns + body_ns
                self._playback.alarm.at(due_ns, lambda: self._complete(pending))
                return False
            self._transport.write(head + body)
        elif pending.whole:
            self._transport.write(body)
        else:
            return False  # another answer became ready behind this one
        self._report(pending, body)
        if pending.last:
            self.end("upstream")
        if self._websocket is not None and answer.status == 101:
            self._websocket.opened()
        return True

    def _report(self, pending: _Pending, body: bytes) -> None:
        playback, answer, request = self._playback, pending.answer, pending.request
        now_ns = playback.active()
        begun_ns = now_ns if pending.begun_ns is None else pending.begun_ns
        if not answer.broke:
            playback.observe(
                Response(
                    *(request.exchange, self.number, begun_ns, now_ns, answer.status),
                    reason=answer.reason,
                )
            )
        playback.observe(
            Served(
                *(request.exchange, answer.outcome, answer.recorded, pending.due_ns, begun_ns),
                *(len(body), answer.miss),
            )
        )
        playback.tally.outcomes[answer.outcome] += 1
        if playback.settings.items and self._host is not None and not answer.broke:
            opened = Open(self.number, 0, self._door.scheme, *self._host)
            playback.note_effect(request, url_of(opened, request.target), answer.status)

    # --- What is not a whole request --------------------------------------------------------------

    def _decline_upgrade(self) -> bool:
        """Go on with HTTP after an offer to change the protocol, as to HTTP/2, was passed over."""
        try:
            self._reader.resume()
        except WireError as error:
            self._refuse(400, "Bad Request", str(error))
            return False
        for request in list(self._reader.take()):
            self._take(request, old=self._reader.old.popleft())
        return True

    def _check_unfinished(self, arrived: int) -> None:
        if not self._reader.begun:
            self._head_bytes = 0
            return
        if self._reader.in_head:
            self._head_bytes += arrived
            if self._head_bytes > HEAD_LIMIT:
                self._refuse(431, "Request Header Fields Too Large", "the head has no end")
            return
        if len(self._reader.body) > BODY_LIMIT:
            self._refuse(413, "Content Too Large", "the body has no end")
        elif not self._continued and header(self._reader.headers, "expect"):
            self._continued = True
            self.write(_CONTINUE)

    def _refuse(self, status: int, reason: str, detail: str) -> None:
        """Answer what cannot be understood, and close."""
        if self._transport.is_closing():
            return
        now_ns = self._playback.active()
        if self._host is None:
            self._introduce("", "")
        self._playback.observe(Failure(self.number, now_ns, detail))
        text = detail.encode()
        head = head_of(status, reason, (("Content-Type", "text/plain"),))
        self.write(b"%bContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (head, len(text), text))
        self.end("upstream")


@lru_cache(maxsize=4096)
def head_of(status: int, reason: str, headers: Headers) -> bytes:
    """Return status line and headers without the empty line that ends them."""
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1", "replace")


@lru_cache(maxsize=4096)
def _name_of(host_header: str) -> str:
    """Return the host that a Host header names, without port and brackets."""
    name, colon, port = host_header.rpartition(":")
    return (name if colon and port.isdigit() else host_header).strip("[]").lower()
