"""One connection passed on between a client and a server, and read along in both directions."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from websockets.protocol import Side

from perfscan.replay.model import (
    Close,
    Direction,
    Failure,
    Message,
    Open,
    Party,
    Ping,
    Request,
    Response,
)
from perfscan.replay.recorder.accepting import Connection
from perfscan.replay.recorder.capture import Capture
from perfscan.replay.recorder.plain_body import undo
from perfscan.replay.wire import (
    HttpRequest,
    HttpResponse,
    MessageReader,
    RequestReader,
    ResponseReader,
    WireError,
    WirePing,
    header,
)

CHUNK = 1 << 16
EVENT_STREAM = "text/event-stream"
"""Answers of this type have no end, so a client that leaves one breaks nothing."""


class Relay:
    """The client is the bot and the server a service; the other way round with ``inbound``."""

    def __init__(self, client: Connection, capture: Capture, *, inbound: bool = False) -> None:
        self._client = client
        self._capture = capture
        self._parties: dict[Side, Party] = {
            Side.CLIENT: "upstream" if inbound else "bot",
            Side.SERVER: "bot" if inbound else "upstream",
        }
        self._names = ("user", "bot") if inbound else ("bot", "service")
        self._requests = RequestReader()
        self._responses = ResponseReader()
        self._exchanges: deque[int] = deque()
        self._messages: dict[Side, MessageReader] = {}
        self.failed = False
        self._blind = False
        """The traffic cannot be followed any more; it is only passed on."""
        self._closed = False

    async def first_head(self) -> tuple[HttpRequest, bytes] | None:
        """Read until the first request says where it is meant to go; None where none comes."""
        sent = bytearray()
        while self._requests.head is None:
            try:
                data = await self._client.reader.read(CHUNK)
                self._requests.feed(data)
            except OSError:
                data = b""
            except WireError as error:
                self.fail(str(error))
                return None
            if not data:
                return None
            sent += data
        return self._requests.head, bytes(sent)

    def refused(self, opened: Open, detail: str) -> None:
        """Record that the server cannot be reached."""
        self._capture.add(opened)
        self._record_requests()
        self.fail(detail)

    async def run(
        self,
        opened: Open,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        sent: bytes,
    ) -> None:
        """Pass on and record until one side ends; ``sent`` is what the client has sent so far."""
        self._capture.add(opened)
        try:
            writer.write(sent)
            self._record_requests()
            await self._pump(reader, writer)
        finally:
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pumps = [
            asyncio.create_task(self._from_client(writer)),
            asyncio.create_task(self._from_server(reader)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _from_client(self, server: asyncio.StreamWriter) -> None:
        while True:
            try:
                data = await self._client.reader.read(CHUNK)
            except OSError:
                data = b""
            if not data:
                self._client_left()
                return
            server.write(data)
            self._follow(Side.CLIENT, data)
            with contextlib.suppress(OSError):  # the other direction notices
                await server.drain()

    async def _from_server(self, server: asyncio.StreamReader) -> None:
        client = self._client.writer
        while True:
            try:
                data = await server.read(CHUNK)
            except OSError as error:
                detail = str(error) or type(error).__name__
                self._server_left(f"the {self._names[1]} broke the connection: {detail}")
                return
            if not data:
                self._server_left()
                with contextlib.suppress(OSError):
                    await client.drain()
                return
            client.write(data)
            self._follow(Side.SERVER, data)
            with contextlib.suppress(OSError):
                await client.drain()

    # --- Reading along

    def _follow(self, sender: Side, data: bytes) -> None:
        if self._blind:
            return
        try:
            if sender in self._messages:
                self._record_messages(sender, data)
            elif sender is Side.CLIENT:
                self._requests.feed(data)
                self._record_requests()
            else:
                self._responses.feed(data, self._capture.now())
                self._record_responses()
        except WireError as error:
            self._blind = True
            self.fail(f"{error}; the rest of this connection is not recorded")

    def _record_requests(self) -> None:
        now = self._capture.now()
        for request in self._requests.take():
            exchange = self._capture.exchange()
            self._exchanges.append(exchange)
            self._responses.expect(request.method)
            plain = undo(request.headers, request.body)
            self._capture.opaque += plain.opaque
            self._capture.add(
                Request(
                    exchange,
                    self._client.number,
                    now,
                    request.method,
                    request.target,
                    plain.headers,
                    plain.body,
                )
            )

    def _record_responses(self, *, cut: bool = False) -> None:
        for response in self._responses.take():
            self._record_response(response, cut=cut)
            if response.status == 101:
                self._switch(response.headers)
            elif self._requests.after_upgrade is not None:
                self._requests.resume()
                self._record_requests()

    def _record_response(self, response: HttpResponse, *, cut: bool) -> None:
        exchange = self._exchanges.popleft() if self._exchanges else self._capture.exchange()
        plain = undo(response.headers, response.body, response.pieces, cut=cut)
        self._capture.opaque += plain.opaque
        self._capture.add(
            Response(
                exchange,
                self._client.number,
                response.at_ns,
                response.end_ns,
                response.status,
                plain.headers,
                plain.body,
                response.reason,
                plain.encoding,
                plain.pieces,
            )
        )

    def _switch(self, headers: tuple[tuple[str, str], ...]) -> None:
        """Read on as WebSocket, beginning with what came right behind the handshake."""
        protocol = header(headers, "upgrade")
        if protocol.lower() != "websocket":
            raise WireError(f"the connection changed to {protocol or 'an unnamed protocol'}")
        extensions = header(headers, "sec-websocket-extensions")
        for side in (Side.CLIENT, Side.SERVER):
            self._messages[side] = MessageReader(side, extensions)
        self._record_messages(Side.SERVER, bytes(self._responses.after_upgrade or b""))
        self._record_messages(Side.CLIENT, bytes(self._requests.after_upgrade or b""))

    def _record_messages(self, sender: Side, data: bytes) -> None:
        now, number, reader = self._capture.now(), self._client.number, self._messages[sender]
        direction: Direction = "sent" if self._parties[sender] == "bot" else "received"
        for found in reader.feed(data):
            if isinstance(found, WirePing):
                self._capture.add(Ping(number, now, direction, found.data))
            else:
                self._capture.add(Message(number, now, direction, found.data, frames=found.frames))
        if reader.closed is not None:
            self._close(sender, *reader.closed)

    # --- Ends

    def _client_left(self) -> None:
        if not self._blind and not self._messages and self._responses.cut():
            endless = header(self._responses.headers, "content-type").startswith(EVENT_STREAM)
            self._record_responses(cut=True)
            if not endless:
                self.fail(f"the {self._names[0]} left in the middle of a response")
        self._close(Side.CLIENT)

    def _server_left(self, problem: str = "") -> None:
        if not self._responses.end() and not self._blind:
            problem = (
                problem or f"the {self._names[1]} closed the connection in the middle of a response"
            )
        if problem:
            self.fail(problem)
        self._record_responses()
        self._close(Side.SERVER)

    def _close(self, by: Side, code: int | None = None, reason: str = "") -> None:
        if not self._closed:
            self._closed = True
            now = self._capture.now()
            self._capture.add(Close(self._client.number, now, self._parties[by], code, reason))

    def fail(self, detail: str) -> None:
        """Record that the connection, or the exchange under way, broke."""
        self.failed = True
        exchange = self._exchanges[0] if self._exchanges else None
        self._capture.add(Failure(self._client.number, self._capture.now(), detail, exchange))
