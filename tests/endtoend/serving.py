"""The upstream server in the test's own event loop, for real clients on real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from perfscan.replay.certificates import Authority
from perfscan.replay.model import Event, Observed, Recording, RecordingHeader
from perfscan.replay.server.playback import Settings
from perfscan.replay.server.serve import new_event_loop
from perfscan.replay.server.turn import observing
from perfscan.replay.server.upstream import Upstream

MS = 1_000_000
T = TypeVar("T")
Kind = TypeVar("Kind")


def run(main: Coroutine[Any, Any, T], *, fast: bool = False) -> T:
    with asyncio.Runner(loop_factory=new_event_loop if fast else None) as runner:
        return runner.run(asyncio.wait_for(main, 30))


def recording(*events: Event) -> Recording:
    return Recording(RecordingHeader(), tuple(sorted(events, key=lambda event: event.at_ns)))


class Seen(list[Observed]):
    """What the server observed."""

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self if isinstance(event, kind)]


@asynccontextmanager
async def serving(
    traffic: Recording, settings: Settings | None = None, authority: Authority | None = None
) -> AsyncIterator[tuple[int, Seen, Upstream]]:
    seen = Seen()
    upstream = Upstream(
        traffic, settings or Settings(), authority=authority, report=observing(seen.append)
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = 443 if authority else 80
        upstream.listen(listener, port=port, tls=authority is not None)
        try:
            yield listener.getsockname()[1], seen, upstream
        finally:
            await upstream.close()


def get(target: str, *headers: str, method: str = "GET") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: api.example", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
