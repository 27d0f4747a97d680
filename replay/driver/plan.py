"""What the bot's users do, read from a recording: pure data, times from the first connection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from websockets.frames import Frame, Opcode

from perfscan.replay.model import (
    Close,
    Headers,
    Message,
    Open,
    Recording,
    Request,
    Response,
    Scheme,
)
from perfscan.replay.stimuli.inbound import inbound_starts_ns

_FRAMING = frozenset(["content-length", "transfer-encoding", "connection", "keep-alive", "expect"])


@dataclass(frozen=True, slots=True)
class Asking:
    """A request to be sent."""

    event: int
    """Index of the Request among the recording's events."""
    at_ns: int
    request: Request
    data: bytes
    """As it goes over the wire."""
    websocket: bool


@dataclass(frozen=True, slots=True)
class Saying:
    """A WebSocket message to be sent."""

    event: int
    at_ns: int
    data: str | bytes

    @property
    def frame(self) -> bytes:
        """The message as one frame from a client."""
        if isinstance(self.data, str):
            payload = self.data.encode("utf-8", "surrogatepass")
            return Frame(Opcode.TEXT, payload).serialize(mask=True)
        return Frame(Opcode.BINARY, self.data).serialize(mask=True)


@dataclass(frozen=True, slots=True)
class Caller:
    """One recorded connection to the bot and all that went over it."""

    connection: int
    scheme: Scheme
    host: str
    port: int
    opens_ns: int
    closes_ns: int | None
    """When the user hung up; None where the bot did, or nobody."""
    asks: tuple[Asking, ...]
    says: tuple[Saying, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All users of a recording."""

    starts_ns: int
    """Recorded time of the first connection, from which all others are counted."""
    callers: tuple[Caller, ...]

    @property
    def ports(self) -> tuple[int, ...]:
        """The recorded ports of the bot."""
        return tuple(sorted({caller.port for caller in self.callers}))

    @property
    def sendings(self) -> int:
        """How many requests and messages there are."""
        return sum(len(caller.asks) + len(caller.says) for caller in self.callers)


def plan_driving(recording: Recording, until_ns: int | None = None) -> Plan:
    """Read what is to be sent, up to a time from the first connection."""
    starts_ns = inbound_starts_ns(recording)
    end_ns = None if until_ns is None else starts_ns + until_ns
    callers = _callers(recording, starts_ns, end_ns)
    return Plan(starts_ns, tuple(sorted(callers, key=lambda caller: caller.opens_ns)))


def _callers(recording: Recording, starts_ns: int, end_ns: int | None) -> Iterable[Caller]:
    opens: dict[int, Open] = {}
    asks: dict[int, list[Asking]] = defaultdict(list)
    says: dict[int, list[Saying]] = defaultdict(list)
    closes: dict[int, int] = {}
    upgraded = {
        event.exchange
        for event in recording.events
        if isinstance(event, Response) and event.status == 101
    }
    for index, event in enumerate(recording.events):
        if end_ns is not None and event.at_ns > end_ns:
            continue
        after_ns = event.at_ns - starts_ns
        if isinstance(event, Open) and event.inbound:
            opens[event.connection] = event
        elif event.connection not in opens:
            continue
        elif isinstance(event, Request):
            websocket = event.exchange in upgraded
            data = request_bytes(event, websocket=websocket)
            asks[event.connection].append(Asking(index, after_ns, event, data, websocket))
        elif isinstance(event, Message) and event.direction == "received":
            says[event.connection].append(Saying(index, after_ns, event.data))
        elif isinstance(event, Close) and event.by == "upstream":
            closes.setdefault(event.connection, after_ns)
    for number, opened in opens.items():
        if asks[number]:
            yield Caller(
                *(number, opened.scheme, opened.host, opened.port, opened.at_ns - starts_ns),
                closes.get(number),
                tuple(asks[number]),
                tuple(says[number]),
            )


def request_bytes(request: Request, *, websocket: bool = False) -> bytes:
    """Return a recorded request as bytes, its body whole and its headers as recorded."""
    kept: list[tuple[str, str]] = [
        (name, value)
        for name, value in request.headers
        if name.lower() not in _FRAMING or (websocket and name.lower() == "connection")
    ]
    names = {name.lower() for name, _ in kept}
    if "host" not in names:
        kept.insert(0, ("Host", "localhost"))
    if websocket:
        kept += _handshake(names)
    elif request.body or request.method in ("POST", "PUT", "PATCH"):
        kept.append(("Content-Length", str(len(request.body))))
    return _head(request, tuple(kept)) + request.body


def _handshake(names: set[str]) -> list[tuple[str, str]]:
    """Return what a handshake needs and the recording left out."""
    needed = (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "cGVyZnNjYW4gcmVwbGF5IQ=="),
        ("Sec-WebSocket-Version", "13"),
    )
    return [pair for pair in needed if pair[0].lower() not in names]


def _head(request: Request, headers: Headers) -> bytes:
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
