"""Servers to compare with: ``python http_servers.py bare|aiohttp DESCRIPTOR``.

``bare`` is the floor of what Python can do: uvloop, httptools to find the end of a request, and one
answer that was made before. Both serve on a listening socket that they inherit.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import cast

import httptools
import uvloop
from played import BODY, TYPE


class Bare(asyncio.Protocol):
    """Answers every request with the same bytes."""

    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        TYPE.encode(),
        len(BODY),
        BODY,
    )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Read."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Answer."""
        self._transport.write(self.ANSWER)


async def bare(listener: socket.socket) -> None:
    """Serve with the protocol alone."""
    server = await asyncio.get_running_loop().create_server(Bare, sock=listener)
    await server.serve_forever()


async def aiohttp_server(listener: socket.socket) -> None:
    """Serve with aiohttp's application server."""
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=BODY, content_type=TYPE)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    await asyncio.Event().wait()


SERVERS = {"bare": bare, "aiohttp": aiohttp_server}

if __name__ == "__main__":
    kind, descriptor = sys.argv[1:]
    uvloop.run(SERVERS[kind](socket.socket(fileno=int(descriptor))))
