"""Reads both directions of a connection without touching a socket: HTTP/1.1, then WebSocket.

Readers are fed the bytes as they pass and keep what they completed until it is taken. They do not
alter the traffic, so a connection that they cannot follow still works; they raise WireError.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httptools
from websockets.exceptions import InvalidHeader
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Opcode
from websockets.headers import parse_extension
from websockets.protocol import OPEN, Protocol, Side

from perfscan.replay.model import Headers

_WINDOW_BITS = frozenset(map(str, range(8, 16)))
PIECE_NS = 1_000_000
"""What arrives within this time of a piece's beginning belongs to the piece."""


class WireError(Exception):
    """The bytes are not what the reader follows; the detail is one line."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request, as far as it was read."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""

    @property
    def is_websocket(self) -> bool:
        """Whether it asks for a WebSocket."""
        return header(self.headers, "upgrade").lower() == "websocket"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole response with the times that :meth:`ResponseReader.feed` was given."""

    status: int
    reason: str
    headers: Headers
    body: bytes
    at_ns: int
    end_ns: int
    pieces: tuple[tuple[int, int], ...] = ()
    """Where the body came little by little: nanoseconds after ``at_ns``, bytes."""


@dataclass(frozen=True, slots=True)
class WireMessage:
    """A whole WebSocket message; ``frames`` has the bytes of each where it came in several."""

    data: str | bytes
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class WirePing:
    """A WebSocket ping."""

    data: bytes


def header(headers: Headers, name: str) -> str:
    """Return the first value of ``name`` (lower case), or an empty string."""
    return next((value for key, value in headers if key.lower() == name), "")


class _Callbacks:
    """Collects what httptools reports about one message."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.url = b""
        self.reason = b""
        self.body = bytearray()
        self.in_head = True
        self.begun = False
        self._headers: list[tuple[str, str]] = []

    @property
    def headers(self) -> Headers:
        return tuple(self._headers)

    def on_message_begin(self) -> None:
        self.clear()
        self.begun = True

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_head:  # not the trailers of a chunked body
            self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.in_head = False

    def on_body(self, body: bytes) -> None:
        self.body += body


class RequestReader(_Callbacks):
    """Splits what a client sends into requests."""

    def __init__(self) -> None:
        super().__init__()
        self._parser = httptools.HttpRequestParser(self)
        self._done: deque[HttpRequest] = deque()
        self.after_upgrade: bytearray | None = None
        """What the client sent after a request to change the protocol, or None."""

    def feed(self, data: bytes) -> None:
        """Read on; raises WireError."""
        if self.after_upgrade is not None:
            self.after_upgrade += data
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.after_upgrade = bytearray(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            raise WireError(f"not HTTP from the bot: {error}") from error

    def resume(self) -> None:
        """Go on with HTTP after the server declined to change the protocol; raises WireError."""
        rest, self.after_upgrade = self.after_upgrade, None
        self._parser = httptools.HttpRequestParser(self)
        if rest:
            self.feed(bytes(rest))

    @property
    def head(self) -> HttpRequest | None:
        """The first request whose headers are complete and that was not taken yet."""
        if self._done:
            return self._done[0]
        return self._current() if self.begun and not self.in_head else None

    def take(self) -> Iterator[HttpRequest]:
        """Yield and forget the complete requests."""
        while self._done:
            yield self._done.popleft()

    def on_message_complete(self) -> None:
        """Note that the parser reached the end of a message."""
        self._done.append(self._current())
        self.begun = False

    def _current(self) -> HttpRequest:
        method = self._parser.get_method().decode("latin-1")
        return HttpRequest(method, self.url.decode("latin-1"), self.headers, bytes(self.body))


class ResponseReader(_Callbacks):
    """Splits what a server sends into responses to the requests that were announced."""

    def __init__(self) -> None:
        super().__init__()
        self._parser = httptools.HttpResponseParser(self)
        self._methods: deque[str] = deque()
        self._done: deque[HttpResponse] = deque()
        self._now_ns = self._began_ns = 0
        self._pieces: list[tuple[int, int]] = []
        self._bodiless = False
        self.after_upgrade: bytearray | None = None
        """What followed a response with status 101, or None."""

    def expect(self, method: str) -> None:
        """Announce the method of a request that was sent."""
        self._methods.append(method)

    def feed(self, data: bytes, now_ns: int) -> None:
        """Read bytes that arrived at ``now_ns``; raises WireError."""
        self._now_ns = now_ns
        if self.after_upgrade is not None:
            self.after_upgrade += data
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.after_upgrade = bytearray(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            raise WireError(f"not HTTP from the service: {error}") from error
        if self._bodiless:
            self._end_bodiless()

    def end(self) -> bool:
        """Note that the server closed; False when that cut a response short."""
        if not self.begun:
            return True
        until_close = not (
            self.in_head
            or header(self.headers, "content-length")
            or "chunked" in header(self.headers, "transfer-encoding").lower()
        )
        if until_close:
            self.on_message_complete()
        return until_close

    def cut(self) -> bool:
        """Complete a response as far as it came; False where not even its head has."""
        begun = self.begun and not self.in_head
        if begun:
            self.on_message_complete()
        return begun

    def take(self) -> Iterator[HttpResponse]:
        """Yield and forget the complete responses."""
        while self._done:
            yield self._done.popleft()

    def on_message_begin(self) -> None:
        """Note when the message began."""
        super().on_message_begin()
        self._began_ns = self._now_ns
        self._pieces = []

    def on_body(self, body: bytes) -> None:
        """Note when the piece came."""
        super().on_body(body)
        after_ns, size = self._now_ns - self._began_ns, len(body)
        if self._pieces and after_ns - self._pieces[-1][0] <= PIECE_NS:
            after_ns, before = self._pieces.pop()
            size += before
        self._pieces.append((after_ns, size))

    def on_headers_complete(self) -> None:
        """Note whether a body can follow."""
        super().on_headers_complete()
        self._bodiless = bool(self._methods) and self._methods[0] == "HEAD"

    def on_message_complete(self) -> None:
        """Note that the parser reached the end of a message."""
        status = self._parser.get_status_code()
        if self._bodiless or not self.begun:
            return
        self.begun = False
        if 100 <= status < 200 and status != 101:
            return  # interim: the answer is still to come
        self._finish(status, bytes(self.body))

    def _end_bodiless(self) -> None:
        """End the response to a HEAD at its headers, which the parser cannot be told to do."""
        status, rest = self._parser.get_status_code(), bytes(self.body)
        self._bodiless = self.begun = False
        self._parser = httptools.HttpResponseParser(self)
        if status >= 200:
            self._finish(status, b"")
        if rest:
            self.feed(rest, self._now_ns)

    def _finish(self, status: int, body: bytes) -> None:
        if self._methods:
            self._methods.popleft()
        reason = self.reason.decode("latin-1")
        times = self._began_ns, self._now_ns
        late = bool(body) and self._pieces[-1][0] > PIECE_NS
        pieces = tuple(self._pieces) if late else ()
        self._done.append(HttpResponse(status, reason, self.headers, body, *times, pieces))


class MessageReader:
    """Reassembles the WebSocket messages that one party sends."""

    def __init__(self, sender: Side, extensions: str = "") -> None:
        """Read with the extensions of the handshake's answer; raises WireError for broken ones."""
        self._protocol = Protocol(
            Side.CLIENT if sender is Side.SERVER else Side.SERVER, state=OPEN, max_size=None
        )
        self._protocol.extensions = _deflate(sender, extensions)
        self._parts: list[bytes] = []
        self._text = False
        self.closed: tuple[int | None, str] | None = None
        """Code and reason of the close frame, once there was one."""
        self.replies = b""
        """What an endpoint answers to the last feed: pongs and the close frame."""

    def feed(self, data: bytes) -> list[WireMessage | WirePing]:
        """Return what ``data`` completes; raises WireError."""
        self._protocol.receive_data(data)
        self.replies = b"".join(self._protocol.data_to_send())
        frames = self._protocol.events_received()
        found = [one for frame in frames for one in self._completed(frame)]
        if self._protocol.parser_exc is not None:
            raise WireError(f"not WebSocket: {self._protocol.parser_exc}")
        return found

    def _completed(self, frame: Any) -> Iterator[WireMessage | WirePing]:
        if frame.opcode is Opcode.CLOSE:
            close = self._protocol.close_rcvd
            if close is not None:
                no_code = close.code == 1005
                self.closed = (None if no_code else int(close.code), close.reason)
        elif frame.opcode is Opcode.PING:
            yield WirePing(bytes(frame.data))
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            if frame.opcode is not Opcode.CONT:
                self._parts, self._text = [], frame.opcode is Opcode.TEXT
            self._parts.append(bytes(frame.data))
            if frame.fin:
                yield _joined(self._parts, text=self._text)


def _joined(parts: list[bytes], *, text: bool) -> WireMessage:
    data = b"".join(parts)
    frames = tuple(map(len, parts)) if len(parts) > 1 else ()
    return WireMessage(data.decode("utf-8", "replace") if text else data, frames)


def _deflate(sender: Side, extensions: str) -> list[Any]:
    """Return the decoder for what ``sender`` compresses, as agreed in the handshake's answer."""
    name = "server" if sender is Side.SERVER else "client"
    try:
        agreed = parse_extension(extensions) if extensions else ()
    except InvalidHeader as error:
        raise WireError(f"not WebSocket extensions: {extensions[:100]!r}") from error
    for extension, parameters in agreed:
        if extension == "permessage-deflate":
            given = dict(parameters)
            bits = given.get(f"{name}_max_window_bits") or "15"
            if bits not in _WINDOW_BITS:
                raise WireError(f"not a window of permessage-deflate: {bits[:100]!r}")
            return [PerMessageDeflate(f"{name}_no_context_takeover" in given, True, int(bits), 15)]
    return []
