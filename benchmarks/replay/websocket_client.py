"""A client that costs little: ``python websocket_client.py PORT BYTES`` counts what it is sent.

It opens a WebSocket and measures from the first byte after the handshake until ``BYTES`` have come
or the connection ends; prints bytes and seconds as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

HOST = "feed.example"
TARGET = "/live"
_REQUEST = (
    f"GET {TARGET} HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()


class Counting(asyncio.Protocol):
    """One WebSocket whose frames are not looked at."""

    def __init__(self, wanted: int) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self.received = 0
        self.began_s = self.last_s = 0.0
        self._wanted = wanted
        self._head: bytes | None = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        """Count."""
        if self._head is not None:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if end:
                assert head.startswith(b"HTTP/1.1 101"), head
                self._head = None
        if self._head is None and data:
            self.received += len(data)
            self.last_s = time.perf_counter()
            self.began_s = self.began_s or self.last_s
            if self.received >= self._wanted:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.ended.set_result(None)


async def count(port: int, wanted: int) -> tuple[int, float]:
    """Return how many bytes came, and in how many seconds."""
    counting = Counting(wanted)
    await asyncio.get_running_loop().create_connection(lambda: counting, "127.0.0.1", port)
    await counting.ended
    return counting.received, counting.last_s - counting.began_s


if __name__ == "__main__":
    received, seconds = uvloop.run(count(int(sys.argv[1]), int(sys.argv[2])))
    sys.stdout.write(json.dumps({"bytes": received, "seconds": seconds}) + "\n")
