"""Recorded traffic: connections, requests, responses, messages.

Times are integer nanoseconds on one monotonic clock, counted from the start of the recording or of
the run. Directions are the bot's: it *sends* and it *receives*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Headers = tuple[tuple[str, str], ...]
Scheme = Literal["http", "https"]
Party = Literal["bot", "upstream"]
Direction = Literal["sent", "received"]


@dataclass(frozen=True, slots=True)
class Open:
    """A connection that the bot opened. Costs are None where the source did not time them."""

    connection: int
    at_ns: int
    scheme: Scheme
    host: str
    port: int
    connect_ns: int | None = None
    """What the TCP handshake with the real service took."""
    tls_ns: int | None = None
    """What the TLS handshake with the real service took, on top of ``connect_ns``."""
    inbound: bool = False
    """True where somebody connected to the bot: then the bot receives the requests and sends the
    responses."""


@dataclass(frozen=True, slots=True)
class Request:
    """A whole HTTP request, timed when its last byte left the bot."""

    exchange: int
    connection: int
    at_ns: int
    method: str
    target: str
    """Path and query as sent, such as ``/v1/tokens/abc/report?full=1``."""
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole HTTP response (status 101 for a WebSocket)."""

    exchange: int
    connection: int
    at_ns: int
    """When its first byte reached the bot."""
    end_ns: int
    """When its last byte did."""
    status: int
    headers: Headers = ()
    body: bytes = b""
    """Without content encoding and chunks."""
    reason: str = ""
    encoding: str = ""
    """Content encoding in which the body went over the wire, such as ``gzip``."""
    pieces: tuple[tuple[int, int], ...] = ()
    """Where the body came little by little: for each piece, nanoseconds after ``at_ns`` and bytes
    of ``body``. Empty for a body that came at once."""


@dataclass(frozen=True, slots=True)
class Message:
    """One WebSocket message, decompressed and reassembled. ``data`` is str for text frames."""

    connection: int
    at_ns: int
    direction: Direction
    data: str | bytes
    heard: bool = True
    """False where the service pushed it while the recorded bot was disconnected."""
    frames: tuple[int, ...] = ()
    """Bytes of each frame where it came in several; empty for one frame."""


@dataclass(frozen=True, slots=True)
class Ping:
    """A WebSocket ping; the pong that answers it is not recorded."""

    connection: int
    at_ns: int
    direction: Direction
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Close:
    """The end of a connection; ``code`` is the WebSocket close code, where there was one."""

    connection: int
    at_ns: int
    by: Party
    code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A connection or an exchange that broke: refused, reset, timed out, unparsable."""

    connection: int
    at_ns: int
    detail: str
    exchange: int | None = None


Event = Open | Request | Response | Message | Ping | Close | Failure


@dataclass(frozen=True, slots=True)
class RecordingHeader:
    """The first line of a recording: where it came from and what it can be trusted for."""

    schema: str = "perfscan.recording/1"
    source: str = "perfscan record"
    started_at: str = ""
    """Wall-clock anchor of nanosecond 0, ISO 8601 with zone."""
    latency: Literal["recorded", "not recorded"] = "recorded"
    command: tuple[str, ...] = ()
    redacted: Mapping[str, int] = field(default_factory=dict)
    """How many values each kind of redaction replaced."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """Recorded traffic, events in time order."""

    header: RecordingHeader
    events: Sequence[Event]
    """A tuple, or events that stay on disk (:mod:`perfscan.replay.recording_store`)."""
    path: Path | None = None
    format: str = ""
    """Name of the format that it was read from."""
    sha256: str = ""
    truncated: bool = False
    """The file ended inside a line or an exchange, as a killed recorder leaves it."""
