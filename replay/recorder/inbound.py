"""The door for the bot's users: a port that leads to the bot's own and records what passes.

Webhooks, dashboards and WebSocket clients are pointed at this port instead of the bot's. Plain HTTP
only: where the bot is reached by TLS, something before it takes the TLS off.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from perfscan.errors import InputError
from perfscan.replay.model import Open
from perfscan.replay.recorder.accepting import Connection, open_streams, split_host
from perfscan.replay.recorder.capture import Capture
from perfscan.replay.recorder.listening import Listener
from perfscan.replay.recorder.relay import Relay
from perfscan.replay.recorder.upstream import connect
from perfscan.replay.wire import header


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where users come in and where the bot listens."""

    bot_port: int
    address: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""

    def listen(self) -> socket.socket:
        """Return a listening socket; raises InputError."""
        try:
            family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
            return socket.create_server((self.address, self.port), family=family, backlog=512)
        except OSError as error:
            raise InputError(
                f"cannot listen on {self.address}:{self.port} for the bot's users: "
                f"{error.strerror or error}",
                remedy="choose another LISTEN_PORT for --inbound",
            ) from error


class Inbound:
    """One entrance; ``url`` is what users connect to."""

    def __init__(self, capture: Capture, listener: socket.socket, bot_port: int) -> None:
        self._capture = capture
        self.bot_port = bot_port
        self._listener = Listener(listener, self._serve)
        address = listener.getsockname()[0]
        host = f"[{address}]" if ":" in address else address
        self.url = f"http://{host}:{self._listener.port}"

    async def close(self) -> None:
        """Stop listening and end what is still open."""
        await self._listener.close()

    async def _serve(self, accepted: socket.socket) -> None:
        number, at_ns = self._capture.connection(), self._capture.now()
        try:
            reader, writer = await open_streams(accepted, None)
        except OSError:  # the user has gone already
            accepted.close()
            return
        try:
            await self._relay(Connection(number, at_ns, "http", "", reader, writer))
        finally:
            writer.close()

    async def _relay(self, user: Connection) -> None:
        relay = Relay(user, self._capture, inbound=True)
        first = await relay.first_head()
        if first is None:
            return
        head, sent = first
        host, _ = split_host(header(head.headers, "host"))
        opened = Open(
            user.number, user.at_ns, "http", host or "localhost", self._listener.port, inbound=True
        )
        try:
            bot, _ = await connect("localhost", self.bot_port)
        except OSError as error:
            reason = error.strerror or str(error)
            relay.refused(opened, f"the bot does not answer on port {self.bot_port}: {reason}")
            return
        reader, writer = await asyncio.open_connection(sock=bot, limit=1 << 20)
        await relay.run(opened, reader, writer, sent)
