"""A client that costs little: asks again and again on keep-alive connections.

``python http_client.py PORT CONNECTIONS SECONDS [TARGET [NUMBER]]`` prints how many answers it got,
and in how many seconds, as JSON. It sends the same request all the time; with NUMBER it sends so
many, each once, in whose target ``{}`` counts from 0. It does not parse the answers but counts
their bytes, so they must all be as long as the first one.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from typing import cast

import uvloop
from played import HOST, TARGET


class Talk(asyncio.Protocol):
    """One connection with one request under way; many share what is to be asked."""

    def __init__(self, requests: Iterator[bytes], until_s: float) -> None:
        self.answered = 0
        self.closed = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._until_s = until_s
        self._head = b""
        self._length = 0
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Ask again once an answer is complete."""
        if not self._length:
            self._head += data
            data = self._head
            self._length = self._missing = length_of(data)
            if not self._length:
                return
        self._missing -= len(data)
        if self._missing:
            return
        self.answered += 1
        self._missing = self._length
        if self.answered % 64 or time.perf_counter() < self._until_s:
            self._ask()
        else:
            self._transport.close()

    def _ask(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
        else:
            self._transport.write(request)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.closed.set_result(None)


def length_of(answer: bytes) -> int:
    """Return the bytes of an answer whose head is complete, else 0."""
    head, end, _ = answer.partition(b"\r\n\r\n")
    if not end:
        return 0
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"not an answer: {head[:100]!r}")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    return len(head) + len(end) + length


def request_for(target: str) -> bytes:
    """Return the bytes of the request."""
    return f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\nAccept: */*\r\n\r\n".encode()


async def talk(
    port: int, connections: int, seconds: float, requests: Iterator[bytes]
) -> tuple[int, float]:
    """Return how many answers came, and in how many seconds."""
    loop = asyncio.get_running_loop()
    began_s = time.perf_counter()
    talks = [Talk(requests, began_s + seconds) for _ in range(connections)]
    for one in talks:
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.wait([one.closed for one in talks])
    return sum(one.answered for one in talks), time.perf_counter() - began_s


if __name__ == "__main__":
    port, connections, seconds, *about = sys.argv[1:]
    target, number = [*about, *(TARGET, "")[len(about) :]]
    requests = (
        iter([request_for(target.format(place)) for place in range(int(number))])
        if number
        else itertools.repeat(request_for(target))
    )
    answers, took_s = uvloop.run(talk(int(port), int(connections), float(seconds), requests))
    sys.stdout.write(json.dumps({"answers": answers, "seconds": took_s}) + "\n")
