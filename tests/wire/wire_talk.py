"""A connection to the upstream server without a socket, and with a clock that is set by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from wire.air import FakeAlarm

from perfscan.replay.model import (
    Event,
    Observed,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.server.http_connection import HttpConnection
from perfscan.replay.server.playback import Playback, Settings
from perfscan.replay.server.turn import observing

MS = 1_000_000


class FakeTransport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closing = False
        self.paused = False

    def write(self, data: bytes) -> None:
        assert not self.closing, "written after the end"
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


@dataclass
class Line:
    """One client's connection."""

    playback: Playback
    alarm: FakeAlarm
    seen: list[Observed]
    transport: FakeTransport = field(default_factory=FakeTransport)

    def __post_init__(self) -> None:
        recognition = self.playback.recognition("http", 80)
        self.connection = HttpConnection(self.playback, recognition, self.alarm.now(), set())
        self.connection.connection_made(cast(Any, self.transport))

    def another(self) -> Line:
        """Return a new connection to the same server, which has seen nothing yet."""
        self.seen.clear()
        return Line(self.playback, self.alarm, self.seen)

    def send(self, data: bytes) -> bytes:
        """Send bytes as a client does, unless the server has closed; returns what came back."""
        if not self.transport.closing:
            self.connection.data_received(data)
        return self.take()

    def take(self) -> bytes:
        """Return what was written since the last time."""
        written, self.transport.written = self.transport.written, b""
        return written

    def lose(self) -> None:
        """End the connection as the client does."""
        self.connection.connection_lost(None)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind)]


def line(*events: Event, latency: Any = "recorded", **settings: Any) -> Line:
    """Return a connection to a server that plays ``events``."""
    ordered = tuple(sorted(events, key=lambda event: event.at_ns))
    traffic = Recording(RecordingHeader(latency=latency), ordered)
    alarm, seen = FakeAlarm(), list[Observed]()
    playback = Playback(traffic, Settings(**settings), alarm, observing(seen.append))
    return Line(playback, alarm, seen)


def exchange(
    number: int,
    target: str,
    body: bytes = b"ok",
    *,
    method: str = "GET",
    status: int = 200,
    took_ms: int = 0,
    sent: bytes = b"",
    headers: tuple[tuple[str, str], ...] = (),
) -> list[Event]:
    """Return one exchange on a connection of its own."""
    at_ns = number * 1000 * MS
    first_ns = at_ns + took_ms * MS
    return [
        Open(number, at_ns - 1, "http", "api.example", 80),
        Request(number, number, at_ns, method, target, (), sent),
        Response(number, number, first_ns, first_ns, status, headers, body, "Fine"),
    ]


def get(target: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    """Return the bytes of a request without body."""
    lines = [f"{method} {target} HTTP/{version}", "Host: api.example", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
