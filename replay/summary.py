"""What a recording holds, counted: hosts, endpoints, WebSockets, connections."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from perfscan.replay.exchanges import Exchange, WebSocketSession, exchanges, outbound, websockets
from perfscan.replay.model import Failure, Open, Recording, Response
from perfscan.replay.secret_places import ANY_SECRET, is_public_identifier, normalise_secrets

_VARIABLE = re.compile(r"\d+|[0-9a-fA-F-]{16,}|.*[0-9].{15,}|.{40,}")


@dataclass(frozen=True, slots=True)
class Load:
    """Requests to one host or endpoint."""

    name: str
    requests: int
    p50_ms: float | None
    p95_ms: float | None
    errors: int
    """Answers with status 400 and above, and requests without an answer."""


@dataclass(frozen=True, slots=True)
class StreamLoad:
    """The WebSocket sessions of one URL."""

    url: str
    sessions: int
    sent: int
    received: int
    unheard: int
    """Received while the recorded bot was away or busy."""
    per_second: float | None
    """Received messages over the time between the first and the last."""


@dataclass(frozen=True, slots=True)
class ConnectionCost:
    """What new connections to a host cost, medians."""

    host: str
    opened: int
    connect_ms: float | None
    tls_ms: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """All of it."""

    duration_s: float
    requests: int
    messages: int
    hosts: tuple[Load, ...]
    endpoints: tuple[Load, ...]
    streams: tuple[StreamLoad, ...]
    connections: tuple[ConnectionCost, ...]
    failures: Mapping[str, int]
    inbound: tuple[Load, ...]
    """Endpoints of the bot that others called."""


def summarise(recording: Recording) -> Summary:
    """Count what ``recording`` holds; the most requested comes first."""
    plain = [exchange for exchange in exchanges(recording) if not exchange.is_websocket]
    asked = exchanges(recording, inbound=True)
    timed = recording.header.latency == "recorded"
    sessions = websockets(recording)
    ends = [
        event.end_ns if isinstance(event, Response) else event.at_ns for event in recording.events
    ]
    failures = Counter(event.detail for event in recording.events if isinstance(event, Failure))
    opens = outbound(recording)
    return Summary(
        duration_s=(max(ends) - recording.events[0].at_ns) / 1e9 if ends else 0.0,
        requests=len(plain),
        messages=sum(len(session.messages) for session in sessions),
        hosts=_loads(plain, lambda exchange: exchange.open.host, timed=timed),
        endpoints=_loads(plain, endpoint, timed=timed),
        streams=_streams(sessions),
        connections=_costs(opens),
        failures=dict(failures.most_common()),
        inbound=_loads(asked, endpoint, timed=timed),
    )


def endpoint(exchange: Exchange) -> str:
    """Return ``GET api.example.com/v1/tokens/{}/report``: variable path segments are ``{}``."""
    path = normalise_secrets(exchange.path).replace(ANY_SECRET, "{}")
    segments = ("{}" if _is_variable(part) else part for part in path.split("/"))
    return f"{exchange.request.method} {exchange.open.host}{'/'.join(segments)}"


def _is_variable(segment: str) -> bool:
    return bool(_VARIABLE.fullmatch(segment)) or is_public_identifier(segment)


def _loads(
    found: Iterable[Exchange], name: Callable[[Exchange], str], *, timed: bool
) -> tuple[Load, ...]:
    groups: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in found:
        groups[name(exchange)].append(exchange)
    ranked = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return tuple(_load(key, group, timed=timed) for key, group in ranked)


def _load(name: str, group: Sequence[Exchange], *, timed: bool) -> Load:
    times = [one.service_ns for one in group if timed and one.service_ns is not None]
    failed = sum(exchange.response is None or exchange.response.status >= 400 for exchange in group)
    return Load(name, len(group), quantile_ms(times, 0.5), quantile_ms(times, 0.95), failed)


def _streams(sessions: Iterable[WebSocketSession]) -> tuple[StreamLoad, ...]:
    groups: dict[str, list[WebSocketSession]] = defaultdict(list)
    for session in sessions:
        groups[normalise_secrets(session.url)].append(session)
    return tuple(_stream(url, group) for url, group in sorted(groups.items()))


def _stream(url: str, group: Sequence[WebSocketSession]) -> StreamLoad:
    messages = [message for session in group for message in session.messages]
    received = [message for message in messages if message.direction == "received"]
    times = [message.at_ns for message in received]
    span_s = (max(times) - min(times)) / 1e9 if times else 0.0
    return StreamLoad(
        url=url,
        sessions=len(group),
        sent=len(messages) - len(received),
        received=len(received),
        unheard=sum(not message.heard for message in received),
        per_second=(len(received) - 1) / span_s if span_s > 0 else None,
    )


def _costs(opens: Iterable[Open]) -> tuple[ConnectionCost, ...]:
    groups: dict[str, list[Open]] = defaultdict(list)
    for opened in opens:
        groups[opened.host].append(opened)
    return tuple(
        ConnectionCost(
            host,
            len(group),
            quantile_ms([item.connect_ns for item in group if item.connect_ns is not None], 0.5),
            quantile_ms([item.tls_ns for item in group if item.tls_ns is not None], 0.5),
        )
        for host, group in sorted(groups.items())
    )


def quantile_ms(times_ns: Sequence[int], share: float) -> float | None:
    """Return the smallest observed time that ``share`` of all do not exceed, in ms."""
    if not times_ns:
        return None
    rank = max(1, -(-len(times_ns) * round(share * 100) // 100))
    return sorted(times_ns)[rank - 1] / 1e6
