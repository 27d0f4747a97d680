"""A busy bot: ``python recording_bot.py URL REQUESTS UNDER_WAY`` prints how it went, as JSON."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterator

import aiohttp

WARM_UP = 200
"""Requests that do not count: connections are opened, caches filled."""


async def main(url: str, requests: int, under_way: int) -> None:
    """Ask and hear, and tell rates."""
    connector = aiohttp.TCPConnector(limit=under_way + 1)
    async with aiohttp.ClientSession(connector=connector) as session:
        took: list[float] = []
        heard = 0

        async def ask(numbers: Iterator[int]) -> None:
            for number in numbers:
                began = time.perf_counter()
                target = f"{url}/v1/tokens/{number % 50}?limit=10"
                async with session.get(target) as answer:  # perfscan: ignore[PS201] one of many
                    json.loads(await answer.read())
                    answer.raise_for_status()
                took.append(time.perf_counter() - began)

        async def hear() -> None:
            nonlocal heard
            async with session.ws_connect(f"{url}/stream", heartbeat=30) as stream:
                async for message in stream:
                    json.loads(message.data)
                    heard += 1

        async def round_of(count: int) -> None:
            numbers = iter(range(count))
            await asyncio.gather(*(ask(numbers) for _ in range(under_way)))

        hearing = asyncio.create_task(hear())
        await round_of(WARM_UP)
        took.clear()
        before, began, cpu = heard, time.perf_counter(), time.process_time()
        await round_of(requests)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        hearing.cancel()
        told = {
            "per_s": requests / seconds,
            "p50_ms": statistics.median(took) * 1e3,
            "cpu_us": cpu / requests * 1e6,
            "messages_per_s": (heard - before) / seconds,
        }
        sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
