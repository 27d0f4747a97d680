"""A connection that ends in a reset."""

from __future__ import annotations

import asyncio
import socket

import pytest

from perfscan.replay.server.resets import reset_on_close


def test_the_client_sees_a_reset() -> None:
    async def main() -> None:
        async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reset_on_close(writer.transport)
            writer.transport.abort()

        server = await asyncio.start_server(cut, "127.0.0.1", 0)
        async with server:
            client = socket.create_connection(server.sockets[0].getsockname(), timeout=5)
            with client, pytest.raises(ConnectionResetError):
                await asyncio.to_thread(client.recv, 1)

    asyncio.run(main())
