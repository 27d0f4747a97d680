"""The upstream server: plays a recording to whoever connects, and never has an upstream itself."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from perfscan.errors import InputError
from perfscan.replay.certificates import LOCAL_NAMES, Authority
from perfscan.replay.exchanges import outbound
from perfscan.replay.model import Failure, Open, Recording
from perfscan.replay.namespace import is_address
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.http_connection import HttpConnection
from perfscan.replay.server.playback import Playback, Settings
from perfscan.replay.server.recognition import Recognition
from perfscan.replay.server.self_report import ProcessorShare
from perfscan.replay.server.turn import Seen

HANDSHAKE_LIMIT_S = 20.0
ACCEPTED_AT_ONCE = 64
ACCEPT_AGAIN_NS = 100_000_000
"""So long no connection is accepted after one could not be."""
FAREWELL_TURNS = 10
"""Turns of the event loop; a TLS connection takes two or three to end."""


@dataclass(frozen=True, slots=True)
class Listening:
    """One open door of the server."""

    sock: socket.socket
    recognition: Recognition
    secure: bool


class Upstream:
    """Answers HTTP and WebSocket clients from ``recording`` within a running event loop.

    Everything that happens is handed to ``report``, as it happens but for requests, which are
    reported when they are answered or their connection is gone. Times count from ``origin_ns`` on
    the system's monotonic clock. Wrap an observer of events in :func:`observing`.
    """

    def __init__(
        self,
        recording: Recording,
        settings: Settings = Settings(),  # noqa: B008 - frozen
        *,
        authority: Authority | None = None,
        report: Callable[[Seen], None] = lambda _: None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._loop)
        self._report = report
        self._playback = Playback(recording, settings, self._alarm, report)
        self._context = authority.server_context(_addresses(recording)) if authority else None
        self._share = ProcessorShare()
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
        recognition = self._playback.recognition("https" if tls else "http", port)
        door = Listening(sock, recognition, tls)
        self._doors.append(door)
        self._open(door)

    def status(self) -> dict[str, float]:
        """Return counts of what has happened and is still to come, and how the server keeps up."""
        return {
            **self._playback.status(),
            **self._alarm.lateness.status(),
            "cpu_share": round(self._share.take(), 3),
            "events_waiting": self._alarm.pending,
        }

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

    def _open(self, door: Listening) -> None:
        self._loop.add_reader(door.sock.fileno(), self._accept, door)

    def _accept(self, door: Listening) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connected, _ = door.sock.accept()
            except BlockingIOError:
                return
            except OSError as error:  # out of descriptors, mostly
                now_ns = self._alarm.now()
                self._report(Failure(0, now_ns, f"cannot accept: {error.strerror}"))
                self._loop.remove_reader(door.sock.fileno())  # else it would call at once again
                self._alarm.at(now_ns + ACCEPT_AGAIN_NS, partial(self._open, door))
                return
            connected.setblocking(False)
            task = self._loop.create_task(self._serve(connected, door, self._alarm.now()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connected: socket.socket, door: Listening, accepted_ns: int) -> None:
        connection = HttpConnection(
            self._playback, door.recognition, accepted_ns, self._connections
        )
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                connected,
                ssl=self._context if door.secure else None,
                ssl_handshake_timeout=HANDSHAKE_LIMIT_S if door.secure else None,
            )
        except (OSError, TimeoutError, ssl.SSLError) as error:
            connected.close()
            number, detail = connection.number, f"TLS handshake: {error or type(error).__name__}"
            scheme, port = door.recognition.scheme, door.recognition.port
            self._report(Open(number, accepted_ns, scheme, "", port))
            self._report(Failure(number, self._alarm.now(), detail))


def _addresses(recording: Recording) -> tuple[str, ...]:
    """Return the hosts for which clients name no server in their TLS handshake."""
    hosts = {opened.host for opened in outbound(recording)}
    return (*LOCAL_NAMES, *sorted(filter(is_address, hosts - set(LOCAL_NAMES))))
