"""Takes a connection of the bot, TLS or plain by its first byte, and learns where it is to go."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass

from perfscan.replay.exchanges import DEFAULT_PORTS
from perfscan.replay.model import Scheme
from perfscan.replay.wire import HttpRequest, header

TLS_HANDSHAKE = 0x16


@dataclass(frozen=True, slots=True)
class Connection:
    """The bot's side of a connection."""

    number: int
    at_ns: int
    scheme: Scheme
    server_name: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def service(self, request: HttpRequest) -> tuple[str, int]:
        """Return host and port of the real service that ``request`` is meant for."""
        name, port = split_host(header(request.headers, "host"))
        return self.server_name or name, port or DEFAULT_PORTS[self.scheme]


def split_host(value: str) -> tuple[str, int | None]:
    """Split a Host header: ``example.com:8443`` or ``[::1]:80``."""
    name, colon, port = value.strip().rpartition(":")
    if not colon or not port.isdecimal() or len(port) > 5:
        return value.strip().strip("[]").lower(), None
    return name.strip("[]").lower(), int(port)


async def peek(accepted: socket.socket) -> bytes:
    """Return the first byte without taking it; empty when the bot left."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(accepted, _resolve, readable)
    try:
        await readable
    finally:
        loop.remove_reader(accepted)
    return accepted.recv(1, socket.MSG_PEEK)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def open_streams(
    accepted: socket.socket, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return streams over ``accepted``, after a TLS handshake if there is a ``context``.

    Raises OSError (ssl.SSLError included) or TimeoutError.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=context)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
