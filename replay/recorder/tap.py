"""The recording proxy: one local port that takes TLS and plain connections of the bot.

Per connection of the bot it opens one to the real service, passes the bytes on unchanged in both
directions, and reads along to record them. Which service is meant is in the TLS server name and
the Host header. Bytes go out before they are looked at, so recording costs the bot no round trip.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from dataclasses import replace
from weakref import WeakKeyDictionary

from websockets.protocol import Side

from perfscan.replay.certificates import Authority
from perfscan.replay.content_coding import undo
from perfscan.replay.exchanges import DEFAULT_PORTS
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
from perfscan.replay.recorder.accepting import TLS_HANDSHAKE, Connection, open_streams, peek
from perfscan.replay.recorder.capture import Capture
from perfscan.replay.recorder.held_streams import HeldStreams
from perfscan.replay.recorder.upstream import Dialer, Upstream
from perfscan.replay.wire import (
    HttpRequest,
    MessageReader,
    RequestReader,
    ResponseReader,
    WireError,
    decoded,
    header,
)

CHUNK = 1 << 16
FAREWELL_S = 2.0


class Tap:
    """The listening side; ``port`` is where the bot is sent."""

    def __init__(
        self, capture: Capture, dialer: Dialer, authority: Authority, held: HeldStreams | None
    ) -> None:
        self._capture = capture
        self._dialer = dialer
        self._held = held
        self._names: WeakKeyDictionary[ssl.SSLObject, str] = WeakKeyDictionary()
        self._context = self._with_names(authority.server_context())
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept())

    def _with_names(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """Also remember which server name each connection asked for."""
        choose = context.sni_callback

        def remember(
            connection: ssl.SSLObject, name: str | None, initial: ssl.SSLContext
        ) -> int | None:
            if name:
                self._names[connection] = name.lower()
            return choose(connection, name, initial) if choose else None  # type: ignore[arg-type]

        context.sni_callback = remember
        return context

    async def close(self) -> None:
        """Stop listening and end what is still open."""
        self._accepting.cancel()
        self._listener.close()
        if self._held:
            await self._held.close()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=FAREWELL_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            accepted, _ = await loop.sock_accept(self._listener)
            task = asyncio.create_task(self._serve(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, accepted: socket.socket) -> None:
        number, at_ns = self._capture.connection(), self._capture.now()
        accepted.setblocking(False)
        # asyncio leaves this out for listeners made without a protocol number, and Nagle's
        # algorithm then holds answers back for 40 ms.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            first = await peek(accepted)
            if not first:
                accepted.close()
                return
            tls = first[0] == TLS_HANDSHAKE
            reader, writer = await open_streams(accepted, self._context if tls else None)
        except (OSError, TimeoutError) as error:
            accepted.close()
            detail = f"the bot broke off the TLS handshake with the recorder: {error}"
            self._capture.add(Failure(number, at_ns, detail))
            return
        name = self._names.get(writer.get_extra_info("ssl_object"), "") if tls else ""
        connection = Connection(number, at_ns, "https" if tls else "http", name, reader, writer)
        try:
            await _Relay(connection, self._capture, self._dialer, self._held).run()
        finally:
            writer.close()


class _Relay:
    """One connection of the bot with its connection to the service."""

    def __init__(
        self, bot: Connection, capture: Capture, dialer: Dialer, held: HeldStreams | None
    ) -> None:
        self._bot = bot
        self._capture = capture
        self._dialer = dialer
        self._held = held
        self._requests = RequestReader()
        self._responses = ResponseReader()
        self._exchanges: deque[int] = deque()
        self._messages: dict[Party, MessageReader] = {}
        self._blind = False
        """The traffic cannot be followed any more; it is only passed on."""
        self._closed = False
        self._pumps: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        first = await self._first_head()
        if first is None:
            return
        head, sent = first
        host, port = self._bot.service(head)
        if not host:
            self._fail("the request names no host")
            return
        opened = Open(self._bot.number, self._bot.at_ns, self._bot.scheme, host, port)
        if self._held and head.is_websocket:
            await self._held.serve(opened, head, sent, self._bot.reader, self._bot.writer)
            return
        try:
            upstream = await self._dialer.dial(host, port, tls=self._bot.scheme == "https")
        except (OSError, TimeoutError) as error:
            self._refused(opened, host, port, error)
            return
        self._capture.add(replace(opened, connect_ns=upstream.connect_ns, tls_ns=upstream.tls_ns))
        try:
            upstream.writer.write(sent)
            self._record_requests()
            await self._relay(upstream)
        finally:
            upstream.writer.close()

    async def _first_head(self) -> tuple[HttpRequest, bytes] | None:
        """Read until the first request says where it is meant to go."""
        sent = bytearray()
        while self._requests.head is None:
            try:
                data = await self._bot.reader.read(CHUNK)
                self._requests.feed(data)
            except OSError:
                data = b""
            except WireError as error:
                self._fail(str(error))
                return None
            if not data:
                self._left_silently()
                return None
            sent += data
        return self._requests.head, bytes(sent)

    def _left_silently(self) -> None:
        """Record a connection that was opened and closed without a request."""
        bot = self._bot
        if bot.server_name:
            port = DEFAULT_PORTS[bot.scheme]
            self._capture.add(Open(bot.number, bot.at_ns, bot.scheme, bot.server_name, port))
            self._close("bot")

    def _refused(self, opened: Open, host: str, port: int, error: OSError) -> None:
        self._capture.add(opened)
        self._record_requests()
        reason = str(error) or type(error).__name__
        self._fail(f"cannot connect to {host}:{port}: {reason}")

    async def _relay(self, upstream: Upstream) -> None:
        self._pumps = [
            asyncio.create_task(self._from_bot(upstream)),
            asyncio.create_task(self._from_upstream(upstream)),
        ]
        try:
            await asyncio.wait(self._pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in self._pumps:
                pump.cancel()
            await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _from_bot(self, upstream: Upstream) -> None:
        while True:
            try:
                data = await self._bot.reader.read(CHUNK)
            except OSError:
                data = b""
            if not data:
                self._close("bot")
                return
            upstream.writer.write(data)
            self._follow_bot(data)
            with contextlib.suppress(OSError):  # the other direction notices
                await upstream.writer.drain()

    async def _from_upstream(self, upstream: Upstream) -> None:
        while True:
            try:
                data = await upstream.reader.read(CHUNK)
            except OSError as error:
                self._fail(f"the service broke the connection: {error or type(error).__name__}")
                data = b""
            if not data:
                self._end_of_responses()
                await _flush(self._bot.writer)
                return
            self._bot.writer.write(data)
            self._follow_upstream(data)
            with contextlib.suppress(OSError):
                await self._bot.writer.drain()

    def _follow_bot(self, data: bytes) -> None:
        if self._blind:
            return
        try:
            if "bot" in self._messages:
                self._record_messages("bot", data)
            else:
                self._requests.feed(data)
                self._record_requests()
        except WireError as error:
            self._lose_track(error)

    def _follow_upstream(self, data: bytes) -> None:
        if self._blind:
            return
        try:
            if "upstream" in self._messages:
                self._record_messages("upstream", data)
                return
            self._responses.feed(data, self._capture.now())
            self._record_responses()
        except WireError as error:
            self._lose_track(error)

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
                    self._bot.number,
                    now,
                    request.method,
                    request.target,
                    plain.headers,
                    plain.body,
                )
            )

    def _record_responses(self) -> None:
        for response in self._responses.take():
            exchange = self._exchanges.popleft() if self._exchanges else self._capture.exchange()
            plain = undo(response.headers, response.body, response.pieces)
            self._capture.opaque += plain.opaque
            self._capture.add(
                Response(
                    exchange,
                    self._bot.number,
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
            if response.status == 101:
                self._switch(response.headers)
            elif self._requests.after_upgrade is not None:
                self._requests.resume()
                self._record_requests()

    def _switch(self, headers: tuple[tuple[str, str], ...]) -> None:
        """Read on as WebSocket, beginning with what came right behind the handshake."""
        protocol = header(headers, "upgrade")
        if protocol.lower() != "websocket":
            raise WireError(f"the connection changed to {protocol or 'an unnamed protocol'}")
        extensions = header(headers, "sec-websocket-extensions")
        self._messages["bot"] = MessageReader(Side.CLIENT, extensions)
        self._messages["upstream"] = MessageReader(Side.SERVER, extensions)
        self._record_messages("upstream", bytes(self._responses.after_upgrade or b""))
        self._record_messages("bot", bytes(self._requests.after_upgrade or b""))

    def _record_messages(self, sender: Party, data: bytes) -> None:
        now, reader = self._capture.now(), self._messages[sender]
        for message in reader.feed(data):
            direction: Direction = "sent" if sender == "bot" else "received"
            if isinstance(message, WirePing):
                self._capture.add(Ping(self._bot.number, now, direction, message.data))
            else:
                self._capture.add(Message(self._bot.number, now, direction, message.data, frames=message.frames))
        if reader.closed is not None:
            self._close(sender, *reader.closed)

    def _lose_track(self, error: WireError) -> None:
        self._blind = True
        self._fail(f"{error}; the rest of this connection is not recorded")

    def _end_of_responses(self) -> None:
        if not self._responses.end():
            self._fail("the service closed the connection in the middle of a response")
        self._record_responses()
        self._close("upstream")

    def _close(self, by: Party, code: int | None = None, reason: str = "") -> None:
        if not self._closed:
            self._closed = True
            self._capture.add(Close(self._bot.number, self._capture.now(), by, code, reason))

    def _fail(self, detail: str) -> None:
        exchange = self._exchanges[0] if self._exchanges else None
        self._capture.add(Failure(self._bot.number, self._capture.now(), detail, exchange))


async def _flush(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        await writer.drain()
