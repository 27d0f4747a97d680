"""A busy bot that works in rounds: ``python recording_bot.py URL UNDER_WAY``.

Each line of its input orders a round of so many requests; it answers how that went, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import aiohttp

TARGETS = 50


@dataclass(slots=True)
class Round:
    """What happened in a round so far."""

    took_s: list[float] = field(default_factory=list)
    heard: int = 0


async def ask(session: aiohttp.ClientSession, numbers: Iterator[int], seen: Round) -> None:
    """Send one request after the other, of numbers that all askers share."""
    for number in numbers:
        began = time.perf_counter()
        target = f"/v1/tokens/{number % TARGETS}?limit=10"
        async with session.get(target) as answer:  # perfscan: ignore[PS201] one of UNDER_WAY tasks
            json.loads(await answer.read())
            answer.raise_for_status()
        seen.took_s.append(time.perf_counter() - began)


async def hear(session: aiohttp.ClientSession, seen: Round) -> None:
    """Read what is pushed."""
    async with session.ws_connect("/stream", heartbeat=30) as stream:
        async for message in stream:
            json.loads(message.data)  # perfscan: ignore[PS1102] an ordinary bot, not a quick one
            seen.heard += 1


async def play(session: aiohttp.ClientSession, requests: int, under_way: int) -> dict[str, float]:
    """Make one round and tell of it."""
    seen, numbers = Round(), iter(range(requests))
    began, cpu_s = time.perf_counter(), time.process_time()
    hearing = asyncio.create_task(hear(session, seen))
    await asyncio.gather(*(ask(session, numbers, seen) for _ in range(under_way)))
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)
    return {
        "per_s": requests / seconds,
        "p50_ms": statistics.median(seen.took_s) * 1e3,
        "cpu_us": cpu_s / requests * 1e6,
        "messages_per_s": seen.heard / seconds,
    }


async def main(url: str, under_way: int) -> None:
    """Play every round that is ordered, over connections that stay open between them."""
    connector = aiohttp.TCPConnector(limit=under_way + 1)
    async with aiohttp.ClientSession(url, connector=connector) as session:
        while order := await asyncio.to_thread(sys.stdin.readline):
            told = await play(session, int(order), under_way)
            sys.stdout.write(f"{json.dumps(told)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
