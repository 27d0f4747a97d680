"""Plays a recording to any client on this machine, as a mock server, until it is interrupted."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace

from perfscan.errors import InputError
from perfscan.replay.event_loop import new_event_loop
from perfscan.replay.model import Miss, Recording, Served
from perfscan.replay.server.answers import Answer
from perfscan.replay.server.playback import Settings
from perfscan.replay.server.turn import Seen, Turn
from perfscan.replay.server.upstream import Upstream

Say = Callable[[str], None]


def play_mock(recording: Recording, port: int, settings: Settings, say: Say) -> Mapping[str, float]:
    """Serve plain HTTP and WebSocket on 127.0.0.1 until SIGINT or SIGTERM; return the tally.

    ``say`` is told the address, then every miss as it happens. Port 0 takes a free one. Raises
    InputError where the port cannot be had.
    """
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=512)
    except OSError as error:
        raise InputError(
            f"cannot listen on port {port}: {error.strerror}", remedy="choose another --port"
        ) from error
    with listener, asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_play(recording, listener, replace(settings, mock=True), say))


async def _play(
    recording: Recording, listener: socket.socket, settings: Settings, say: Say
) -> Mapping[str, float]:
    def tell(seen: Seen) -> None:
        told = seen.answer if isinstance(seen, Turn) else seen
        if isinstance(told, Answer | Served) and told.miss is not None:
            say(_describe(told.miss))

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    upstream = Upstream(recording, settings, report=tell)
    upstream.listen(listener, port=None, tls=False)
    say(f"listening on http://127.0.0.1:{listener.getsockname()[1]} (Ctrl-C ends it)")
    await stop.wait()
    status = upstream.status()
    await upstream.close()
    return status


def _describe(miss: Miss) -> str:
    nearest = "".join(f"\n  nearest: {line}" for line in miss.nearest)
    return f"not in the recording: {miss.request}{nearest}"
