"""Reads a WebSocket to its end: ``python listener.py PORT HOST PATH`` prints how much came."""

from __future__ import annotations

import sys

import aiohttp
import uvloop


async def listen(port: int, host: str, path: str) -> int:
    """Return how many messages came before the server closed."""
    async with (
        aiohttp.ClientSession(headers={"Host": host}) as session,
        session.ws_connect(f"ws://127.0.0.1:{port}{path}", heartbeat=20) as socket,
    ):
        return sum([1 async for _ in socket])


if __name__ == "__main__":
    port, host, path = sys.argv[1:]
    sys.stdout.write(f"{uvloop.run(listen(int(port), host, path))}\n")
