"""The upstream server: plays a recording to whoever connects, and never has an upstream itself."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass

from perfscan.errors import InputError
from perfscan.replay.certificates import LOCAL_NAMES, Authority
from perfscan.replay.exchanges import outbound
from perfscan.replay.model import Failure, Open, Recording, Scheme
from perfscan.replay.namespace import is_address
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.http_connection import Door, HttpConnection
from perfscan.replay.server.playback import Playback, Settings
from perfscan.replay.server.stations import Observe

HANDSHAKE_LIMIT_S = 20.0
ACCEPTED_AT_ONCE = 64
FAREWELL_TURNS = 10
"""Turns of the event loop; a TLS connection takes two or three to end."""


@dataclass(frozen=True, slots=True)
class Listening:
    """One open door of the server."""

    sock: socket.socket
    scheme: Scheme
    port: int | None
    """The recorded port that it stands for; None for any."""


class Upstream:
    """Answers HTTP and WebSocket clients from ``recording`` within a running event loop.

    Everything that happens is handed to ``observe`` as it happens, times counted from
    ``origin_ns`` on the system's monotonic clock.
    """

    def __init__(
        self,
        recording: Recording,
        settings: Settings = Settings(),  # noqa: B008 - frozen
        *,
        authority: Authority | None = None,
        observe: Observe = lambda _: None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._loop)
        self._observe = observe
        self._playback = Playback(recording, settings, self._alarm, observe)
        self._context = authority.server_context(_addresses(recording)) if authority else None
        self._doors: list[Listening] = []
        self._connections: set[HttpConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def origin_ns(self) -> int:
        """Reading of the system's monotonic clock at time 0 of the run."""
        return self._alarm.origin_ns

    def listen(self, sock: socket.socket, *, port: int | None, tls: bool) -> None:
        """Serve the connections of a listening socket, which stands for the recorded ``port``."""
        if tls and self._context is None:
            raise InputError("TLS needs an authority", remedy="give one to Upstream")
        sock.setblocking(False)
        door = Listening(sock, "https" if tls else "http", port)
        self._doors.append(door)
        self._loop.add_reader(sock.fileno(), self._accept, door)

    def status(self) -> dict[str, float]:
        """Return counts of what has happened and of what is still to come."""
        return self._playback.status()

    async def close(self) -> None:
        """Stop listening and cut all connections."""
        for door in self._doors:
            self._loop.remove_reader(door.sock.fileno())
        for connection in tuple(self._connections):
            connection.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for _ in range(FAREWELL_TURNS):  # lets every connection report its end
            if self._connections:
                await asyncio.sleep(0)
        self._alarm.close()

    def _accept(self, door: Listening) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connected, _ = door.sock.accept()
            except BlockingIOError:
                return
            except OSError as error:  # out of descriptors, or the client has gone already
                self._observe(Failure(0, self._alarm.now(), f"cannot accept: {error.strerror}"))
                return
            connected.setblocking(False)
            accepted = Door(door.scheme, door.port, self._alarm.now())
            task = self._loop.create_task(self._serve(connected, accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connected: socket.socket, door: Door) -> None:
        secure = door.scheme == "https"
        connection = HttpConnection(self._playback, door, self._connections)
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                connected,
                ssl=self._context if secure else None,
                ssl_handshake_timeout=HANDSHAKE_LIMIT_S if secure else None,
            )
        except (OSError, TimeoutError, ssl.SSLError) as error:
            connected.close()
            port = door.port or (443 if secure else 80)
            number, detail = connection.number, f"TLS handshake: {error or type(error).__name__}"
            self._observe(Open(number, door.accepted_ns, door.scheme, "", port))
            self._observe(Failure(number, self._alarm.now(), detail))


def _addresses(recording: Recording) -> tuple[str, ...]:
    """Return the hosts for which clients name no server in their TLS handshake."""
    hosts = {opened.host for opened in outbound(recording)}
    return (*LOCAL_NAMES, *sorted(filter(is_address, hosts - set(LOCAL_NAMES))))
