"""Keeps a WebSocket to the service open while the bot is away, for ``record --hold-streams``.

A bot that reconnects misses what was pushed meanwhile, so its recording would lack the requests
that a faster bot makes. Here the stream goes on being recorded at its true times, and when the bot
returns to the same URL it is handed what it missed, one message at a time, until it has worked
through all of them.

- The first connection is passed through, without compression. A return is answered here after the
  time that the first connection and its handshake took, and is recorded with those costs.
- A message that arrives while the bot is away, or has not been given the earlier ones, is recorded
  with ``heard=False`` under the last connection that the bot had. Handing it over later is not
  recorded: the recording tells what the service pushed and when.
- A repeated subscription is answered with the recorded acknowledgement after its recorded delay;
  anything else that the bot sends is passed on, an unsubscription too, which ends the stream.
- A message counts as delivered once it is written; the next follows only if the bot is still
  connected after a pause. A bot that closes without reading loses the message it was sent.
- When the service ends the stream, the bot still gets what is queued; its next connection after
  that goes to the service again.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from websockets.utils import accept_key

from perfscan.replay.exchanges import url_of
from perfscan.replay.model import Close, Failure, Open, Request, Response
from perfscan.replay.recorder.capture import Capture
from perfscan.replay.recorder.held_stream import CHUNK, Opening, Stream, Visit
from perfscan.replay.recorder.plain_body import undo
from perfscan.replay.recorder.upstream import Dialer, Upstream
from perfscan.replay.wire import (
    HttpRequest,
    HttpResponse,
    ResponseReader,
    WireError,
    header,
)


class HeldStreams:
    """All streams of a recording, by URL."""

    def __init__(self, capture: Capture, dialer: Dialer, pause_s: float) -> None:
        self._capture = capture
        self._dialer = dialer
        self._pause_s = pause_s
        self._streams: list[Stream] = []

    @property
    def undelivered(self) -> int:
        """How many messages the bot has not been given."""
        return sum(len(stream.queue) for stream in self._streams)

    async def serve(
        self,
        opened: Open,
        head: HttpRequest,
        sent: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Serve one WebSocket connection of the bot until it or the stream ends."""
        url = url_of(opened, head.target)
        visit = Visit(opened.connection, reader, writer)
        stream = next((held for held in self._streams if held.url == url and held.is_free), None)
        if stream is None:
            stream = await self._open(url, opened, head, sent, visit)
        else:
            await self._reopen(stream, opened, head, visit)
        if stream is not None:
            await stream.attend(visit)

    async def close(self) -> None:
        """End every stream, since the bot has ended."""
        for stream in self._streams:
            await stream.close()

    async def _open(
        self, url: str, opened: Open, head: HttpRequest, sent: bytes, visit: Visit
    ) -> Stream | None:
        try:
            tls = opened.scheme == "https"
            upstream = await self._dialer.dial(opened.host, opened.port, tls=tls)
        except (OSError, TimeoutError) as error:
            self._capture.add(opened)
            detail = f"cannot connect to {opened.host}:{opened.port}: {error}"
            self._capture.add(Failure(opened.connection, self._capture.now(), detail))
            return None
        opened = replace(opened, connect_ns=upstream.connect_ns, tls_ns=upstream.tls_ns)
        self._capture.add(opened)
        upstream.writer.write(_without_extensions(sent))
        request = self._request(opened, head)
        answered = await _handshake(upstream, visit.writer, self._capture)
        if answered is None:
            upstream.writer.close()
            detail = "the service did not answer the WebSocket handshake"
            self._capture.add(Failure(opened.connection, self._capture.now(), detail))
            return None
        response, rest = answered
        self._response(request, response)
        if response.status != 101:
            upstream.writer.close()
            self._capture.add(Close(opened.connection, self._capture.now(), "upstream"))
            return None
        service_ns = response.at_ns - request.at_ns
        opening = Opening(opened, response, service_ns)
        stream = Stream(url, upstream, opening, self._capture, self._pause_s)
        self._streams.append(stream)
        stream.start(visit, rest)
        return stream

    async def _reopen(self, stream: Stream, opened: Open, head: HttpRequest, visit: Visit) -> None:
        first = stream.opening
        stream.reserve(visit)
        connect_ns = (first.opened.connect_ns or 0) + (first.opened.tls_ns or 0)
        self._capture.add(
            replace(opened, connect_ns=first.opened.connect_ns, tls_ns=first.opened.tls_ns)
        )
        await asyncio.sleep(connect_ns / 1e9)
        request = self._request(opened, head)
        await asyncio.sleep(first.service_ns / 1e9)
        subprotocol = header(first.response.headers, "sec-websocket-protocol")
        headers = (
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept_key(header(head.headers, "sec-websocket-key"))),
            *((("Sec-WebSocket-Protocol", subprotocol),) if subprotocol else ()),
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        visit.writer.write(f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode("latin-1"))
        now = self._capture.now()
        self._response(request, HttpResponse(101, "Switching Protocols", headers, b"", now, now))

    def _request(self, opened: Open, head: HttpRequest) -> Request:
        request = Request(
            self._capture.exchange(),
            opened.connection,
            self._capture.now(),
            head.method,
            head.target,
            head.headers,
        )
        self._capture.add(request)
        return request

    def _response(self, request: Request, response: HttpResponse) -> None:
        plain = undo(response.headers, response.body, response.pieces)
        self._capture.opaque += plain.opaque
        self._capture.add(
            Response(
                request.exchange,
                request.connection,
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


async def _handshake(
    upstream: Upstream, bot: asyncio.StreamWriter, capture: Capture
) -> tuple[HttpResponse, bytes] | None:
    """Pass the service's answer on to the bot; return it and what followed a 101."""
    responses = ResponseReader()
    responses.expect("GET")
    received = bytearray()
    try:
        while data := await upstream.reader.read(CHUNK):
            received += data
            responses.feed(data, capture.now())
            for response in responses.take():
                head, _, rest = bytes(received).partition(b"\r\n\r\n")
                if response.status != 101:
                    bot.write(bytes(received))
                    return response, b""
                bot.write(head + b"\r\n\r\n")
                return response, rest
    except (OSError, WireError):
        return None
    return None


def _without_extensions(sent: bytes) -> bytes:
    """Return a handshake that asks for no compression, since messages are passed on one by one."""
    head, separator, rest = sent.partition(b"\r\n\r\n")
    lines = [
        line
        for line in head.split(b"\r\n")
        if not line.lower().startswith(b"sec-websocket-extensions:")
    ]
    return b"\r\n".join(lines) + separator + rest
