"""Asks at random moments and listens: ``python lateness_client.py PORT REQUESTS_PER_S SECONDS``."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys

import aiohttp
import uvloop

HOST = {"Host": "feed.example"}


async def ask(session: aiohttp.ClientSession, address: str, per_s: float, seconds: float) -> None:
    """Send requests as a Poisson process, whether or not earlier ones were answered."""
    rng = random.Random(2)
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    end_s = due_s + seconds
    async with asyncio.TaskGroup() as group:
        while due_s < end_s:
            due_s += rng.expovariate(per_s)
            await asyncio.sleep(due_s - loop.time())
            group.create_task(fetch(session, address))


async def fetch(session: aiohttp.ClientSession, address: str) -> None:
    """Ask once."""
    async with session.get(f"http://{address}/price") as answer:
        await answer.read()


async def listen(session: aiohttp.ClientSession, address: str) -> None:
    """Read what is pushed."""
    async with session.ws_connect(f"ws://{address}/live", heartbeat=20) as socket:
        async for _ in socket:
            pass


async def main(port: int, per_s: float, seconds: float) -> None:
    """Do both for some seconds."""
    address = f"127.0.0.1:{port}"
    connector = aiohttp.TCPConnector(limit=64)
    async with aiohttp.ClientSession(connector=connector, headers=HOST) as session:
        listening = asyncio.create_task(listen(session, address))
        await ask(session, address, per_s, seconds)
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


if __name__ == "__main__":
    port, per_s, seconds = sys.argv[1:]
    uvloop.run(main(int(port), float(per_s), float(seconds)))
