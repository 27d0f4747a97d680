"""A listening socket each of whose connections is served in a task of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

FAREWELL_S = 2.0
PAUSE_S = 0.05


class Listener:
    """Accepts until it is closed. ``serve`` gets each connection, non-blocking, and closes it."""

    def __init__(
        self, listener: socket.socket, serve: Callable[[socket.socket], Awaitable[None]]
    ) -> None:
        self._listener = listener
        self._listener.setblocking(False)
        self._serve = serve
        self.port: int = listener.getsockname()[1]
        self._tasks: set[asyncio.Future[None]] = set()
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._listener)
            except OSError:  # out of descriptors, or the client has gone already
                await asyncio.sleep(PAUSE_S)  # perfscan: ignore[PS602] this is our own kernel
                continue
            accepted.setblocking(False)
            # asyncio leaves this out for listeners made without a protocol number, and Nagle's
            # algorithm then holds answers back for 40 ms.
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.ensure_future(self._serve(accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop listening, and end what does not end by itself."""
        self._accepting.cancel()
        await asyncio.gather(self._accepting, return_exceptions=True)
        self._listener.close()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=FAREWELL_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
