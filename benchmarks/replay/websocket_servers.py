"""Servers to compare with: ``python websocket_servers.py websockets|aiohttp FD`` on uvloop.

Each sends one text message again and again to whoever connects, as fast as its library does that.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

import aiohttp.web
import uvloop
import websockets.asyncio.server
from websockets.exceptions import ConnectionClosed

TEXT = '{"e":"trade","E":1700000000000,"s":"BTCUSDT","t":1234567890,"p":"64250.10","q":"0.00150"}'
"""What is pushed: a trade, 90 bytes with its frame."""


async def with_websockets(sock: socket.socket) -> None:
    """Serve with the library that most bots use."""

    async def push(client: websockets.asyncio.server.ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await client.send(TEXT)

    async with websockets.asyncio.server.serve(push, sock=sock, compression=None):
        await asyncio.Event().wait()


async def with_aiohttp(sock: socket.socket) -> None:
    """Serve with aiohttp."""

    async def push(request: aiohttp.web.Request) -> aiohttp.web.WebSocketResponse:
        client = aiohttp.web.WebSocketResponse(compress=False)
        await client.prepare(request)
        with contextlib.suppress(ConnectionError):
            while not client.closed:
                await client.send_str(TEXT)
        return client

    application = aiohttp.web.Application()
    application.router.add_get("/live", push)
    runner = aiohttp.web.AppRunner(application, access_log=None)
    await runner.setup()
    await aiohttp.web.SockSite(runner, sock).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    serve = {"websockets": with_websockets, "aiohttp": with_aiohttp}[sys.argv[1]]
    uvloop.run(serve(socket.socket(fileno=int(sys.argv[2]))))
