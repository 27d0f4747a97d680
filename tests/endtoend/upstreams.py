"""An upstream server in a thread of its own, for clients that block as well as for others."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from perfscan.replay.certificates import Authority
from perfscan.replay.model import Emulated, Observed, Recording
from perfscan.replay.server.playback import Settings
from perfscan.replay.server.serve import new_event_loop
from perfscan.replay.server.turn import observing
from perfscan.replay.server.upstream import Upstream

Kind = TypeVar("Kind")


@dataclass
class Served:
    """Where the server listens, and what it observed so far."""

    port: int
    seen: list[Observed] = field(default_factory=list)
    status: dict[str, float] = field(default_factory=dict)
    """The last status, once the server is closed."""
    loop: asyncio.AbstractEventLoop | None = None
    server: Upstream | None = None

    @property
    def address(self) -> str:
        """Where plain HTTP is served."""
        return f"http://127.0.0.1:{self.port}"

    def now(self) -> dict[str, float]:
        """Return the present status."""
        assert self.loop is not None
        assert self.server is not None

        async def ask(server: Upstream) -> dict[str, float]:
            return server.status()

        return asyncio.run_coroutine_threadsafe(ask(self.server), self.loop).result(5)

    def of(self, kind: type[Kind]) -> list[Kind]:
        """Return the events of one kind."""
        return [event for event in self.seen if isinstance(event, kind)]


@contextmanager
def upstream(
    traffic: Recording,
    emulated: Emulated | None = None,
    *,
    settings: Settings | None = None,
    authority: Authority | None = None,
) -> Iterator[Served]:
    """Serve ``traffic``; everything has been observed when the block is left."""
    settings = settings or Settings(emulated=emulated or Emulated())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = Served(listener.getsockname()[1])
        ready, stop = threading.Event(), threading.Event()

        async def main() -> None:
            server = Upstream(
                traffic, settings, authority=authority, report=observing(served.seen.append)
            )
            server.listen(listener, port=443 if authority else 80, tls=authority is not None)
            served.loop, served.server = asyncio.get_running_loop(), server
            ready.set()
            await asyncio.to_thread(stop.wait)
            await asyncio.sleep(0.02)  # what the client has just done arrives
            served.status = server.status()
            await server.close()

        def play() -> None:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(main())

        thread = threading.Thread(target=play)
        thread.start()
        try:
            assert ready.wait(10)
            yield served
        finally:
            stop.set()
            thread.join(10)
