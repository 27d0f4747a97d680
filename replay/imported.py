"""What every importer needs: addresses, wall-clock times, connections, events in order."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from perfscan.replay.exchanges import DEFAULT_PORTS
from perfscan.replay.model import (
    Close,
    Event,
    Failure,
    Headers,
    Message,
    Open,
    Ping,
    Recording,
    RecordingHeader,
    Request,
    Response,
    Scheme,
)

WEBSOCKET_ANSWER: Headers = (("Upgrade", "websocket"), ("Connection", "Upgrade"))
_SCHEMES: dict[str, Scheme] = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
_ORDER = (Open, Request, Response, Message, Ping, Close, Failure)
_LATEST_S = 32_503_680_000
"""The year 3000; a time after it is not a time in seconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request goes."""

    scheme: Scheme
    host: str
    port: int
    target: str
    """Path and query, as sent."""
    is_websocket: bool = False
    """Whether the URL itself says so (ws, wss)."""

    @property
    def origin(self) -> str:
        """``scheme://host:port``."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """``host``, with the port where it is not the scheme's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def opened(
        self, connection: int, at_ns: int, connect_ns: int | None = None, tls_ns: int | None = None
    ) -> Open:
        """Return the connection to this address; costs are None where nobody timed them."""
        return Open(connection, at_ns, self.scheme, self.host, self.port, connect_ns, tls_ns)


def address_of(url: str) -> Address:
    """Take an absolute URL apart. Raises ValueError that says what is wrong with it."""
    try:
        parts = urlsplit(url)
        scheme, host = _SCHEMES[parts.scheme.lower()], parts.hostname or ""
        port = parts.port or DEFAULT_PORTS[scheme]
    except (KeyError, ValueError) as error:
        raise ValueError(f"{url[:200]!r} is not an HTTP or WebSocket URL") from error
    if not host:
        raise ValueError(f"{url[:200]!r} names no host")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(scheme, host, port, target, parts.scheme.lower().startswith("ws"))


def with_host(headers: Headers, address: Address) -> Headers:
    """Return ``headers`` with a Host, which HTTP/2 and sanitised exports lack."""
    if any(name.lower() == "host" for name, _ in headers):
        return headers
    return (("Host", address.authority), *headers)


# --- Times ----------------------------------------------------------------------------------------


def epoch_ns(seconds: object) -> int:
    """Return seconds since 1970 (number or its text) as nanoseconds. Raises ValueError.

    Such times come as floating-point numbers, which hold microseconds and no more.
    """
    try:
        value = float(seconds) if isinstance(seconds, str | int | float) else math.nan
    except (ValueError, OverflowError):
        value = math.nan
    if isinstance(seconds, bool) or not abs(value) < _LATEST_S:
        raise ValueError(f"{str(seconds)[:40]!r} is not a time in seconds since 1970")
    return round(value * 1e6) * 1000


def date_ns(text: str) -> int:
    """Return an ISO 8601 time as nanoseconds since 1970, UTC where no zone is given."""
    try:
        date = datetime.fromisoformat(text)
        passed = (date if date.tzinfo else date.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:40]!r} is not an ISO 8601 time") from error
    return ((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds) * 1000


def date_of(moment_ns: int) -> str:
    """Return nanoseconds since 1970 as ISO 8601 in UTC; empty outside of the calendar."""
    try:
        return (_EPOCH + timedelta(microseconds=moment_ns // 1000)).isoformat(
            timespec="microseconds"
        )
    except OverflowError:
        return ""


# --- Events ---------------------------------------------------------------------------------------


class Connections:
    """Numbers connections: by the source's own name, else by who paid for a handshake."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, str], int] = {}
        self._latest: dict[str, int] = {}
        self._count = 0

    def number(self, origin: str, name: str = "", *, paid: bool = False) -> tuple[int, bool]:
        """Return the connection of an exchange with ``origin``, and whether it is a new one."""
        known = self._by_name.get((origin, name)) if name else self._latest.get(origin)
        if known is not None and (name or not paid):
            return known, False
        self._count += 1
        self._latest[origin] = self._count
        self._by_name[origin, name] = self._count
        return self._count, True


def assemble(
    events: Iterable[Event],
    *,
    source: str,
    timed: bool,
    dated: bool = True,
    notes: Iterable[str] = (),
    truncated: bool = False,
) -> Recording:
    """Return events, whose times count from 1970, as a recording that begins at 0.

    ``timed`` tells whether the source says how long services took to answer, ``dated`` whether its
    times are real. Events out of order are sorted, and counted in a note.
    """
    found = list(events)
    late = out_of_order(found)
    found.sort(key=lambda event: (event.at_ns, _ORDER.index(type(event))))
    first_ns = found[0].at_ns if found else 0
    if late:
        notes = (*notes, f"{late} events were out of order in time and have been sorted")
    if any(isinstance(event, Open) and event.connect_ns is None for event in found):
        notes = (*notes, "connect times: not recorded for some or all connections")
    header = RecordingHeader(
        source=source,
        started_at=date_of(first_ns) if dated and found else "",
        latency="recorded" if timed else "not recorded",
        notes=tuple(notes),
    )
    return Recording(header, tuple(_moved(one, -first_ns) for one in found), truncated=truncated)


def out_of_order(events: Iterable[Event]) -> int:
    """Count requests and messages that come after a later one of the same connection."""
    latest: dict[tuple[int, type[Event]], int] = {}
    late = 0
    for event in events:
        if isinstance(event, Request | Message):
            place = (event.connection, type(event))
            late += event.at_ns < latest.get(place, event.at_ns)
            latest[place] = max(event.at_ns, latest.get(place, event.at_ns))
    return late


def _moved(event: Event, by_ns: int) -> Event:
    if isinstance(event, Response):
        return replace(event, at_ns=event.at_ns + by_ns, end_ns=event.end_ns + by_ns)
    return replace(event, at_ns=event.at_ns + by_ns)
