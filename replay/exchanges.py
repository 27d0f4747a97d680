"""Views of recorded or observed traffic: requests with their answers, WebSocket sessions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from perfscan.replay.model import (
    Close,
    Event,
    Message,
    Observation,
    Open,
    Ping,
    Recording,
    Request,
    Response,
    Scheme,
)
from perfscan.replay.stored_events import select

DEFAULT_PORTS: dict[Scheme, int] = {"http": 80, "https": 443}
_WEBSOCKET_SCHEMES: dict[Scheme, str] = {"http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, its answer (None where it never came) and the connection that carried both."""

    ordinal: int
    """Position among all requests, by the time that they were sent."""
    open: Open
    request: Request
    response: Response | None

    @property
    def url(self) -> str:
        """Absolute URL with query, such as ``https://api.example.com/v1/price?ids=a``."""
        return url_of(self.open, self.request.target)

    @property
    def path(self) -> str:
        """Path without query."""
        path = self.url.partition("#")[0].partition("?")[0].partition("://")[2]
        return path[path.find("/") :] if "/" in path else ""

    @property
    def query(self) -> str:
        """Query without the question mark, as sent."""
        return self.url.partition("#")[0].partition("?")[2]

    @property
    def is_websocket(self) -> bool:
        """Whether the exchange opened a WebSocket."""
        return self.response is not None and self.response.status == 101

    @property
    def service_ns(self) -> int | None:
        """Time from the request's last byte to the response's first."""
        return None if self.response is None else self.response.at_ns - self.request.at_ns


@dataclass(frozen=True, slots=True)
class WebSocketSession:
    """One WebSocket connection of the bot: its handshake, its messages and its end."""

    open: Open
    request: Request
    response: Response
    messages: tuple[Message, ...]
    indexes: tuple[int, ...]
    """For each message its index among all events of the traffic."""
    close: Close | None

    @property
    def url(self) -> str:
        """URL with query, scheme ``ws`` or ``wss``."""
        address = url_of(self.open, self.request.target)
        return _WEBSOCKET_SCHEMES[self.open.scheme] + address.removeprefix(self.open.scheme)


def url_of(opened: Open, target: str) -> str:
    """Return ``scheme://host[:port]target``; the scheme's default port is left out."""
    if target.startswith(("http://", "https://")):  # absolute form, as sent to a proxy
        return target
    host = f"[{opened.host}]" if ":" in opened.host else opened.host
    port = "" if opened.port == DEFAULT_PORTS[opened.scheme] else f":{opened.port}"
    return f"{opened.scheme}://{host}{port}{target}"


def outbound(traffic: Recording | Observation) -> tuple[Open, ...]:
    """Return the connections that the bot opened."""
    return tuple(opened for _, opened in select(traffic, Open) if not opened.inbound)


def turned(recording: Recording) -> Recording:
    """Return ``recording`` as its other party saw it: what came in goes out."""
    return replace(recording, events=tuple(map(_turned, recording.events)))


def _turned(event: Event) -> Event:
    match event:
        case Open():
            return replace(event, inbound=not event.inbound)
        case Message() | Ping():
            return replace(event, direction="sent" if event.direction == "received" else "received")
        case Close():
            return replace(event, by="bot" if event.by == "upstream" else "upstream")
        case _:
            return event


def exchanges(traffic: Recording | Observation, *, inbound: bool = False) -> tuple[Exchange, ...]:
    """Return the bot's requests with their answers, in order of sending.

    WebSocket handshakes are included. With ``inbound`` the requests are those that the bot got.
    """
    opens = {
        event.connection: event
        for event in traffic.events
        if isinstance(event, Open) and event.inbound == inbound
    }
    responses = {event.exchange: event for event in traffic.events if isinstance(event, Response)}
    requests = (
        event
        for event in traffic.events
        if isinstance(event, Request) and event.connection in opens
    )
    return tuple(
        Exchange(ordinal, opens[request.connection], request, responses.get(request.exchange))
        for ordinal, request in enumerate(sorted(requests, key=lambda sent: sent.at_ns))
    )


def websockets(
    traffic: Recording | Observation, *, inbound: bool = False
) -> tuple[WebSocketSession, ...]:
    """Return the WebSocket sessions that the bot opened, or those that it was asked for."""
    indexed: dict[int, list[tuple[int, Message]]] = defaultdict(list)
    closes: dict[int, Close] = {}
    for index, event in enumerate(traffic.events):
        if isinstance(event, Message):
            indexed[event.connection].append((index, event))
        elif isinstance(event, Close):
            closes.setdefault(event.connection, event)
    return tuple(
        WebSocketSession(
            open=exchange.open,
            request=exchange.request,
            response=exchange.response,
            messages=tuple(message for _, message in indexed[exchange.open.connection]),
            indexes=tuple(index for index, _ in indexed[exchange.open.connection]),
            close=closes.get(exchange.open.connection),
        )
        for exchange in exchanges(traffic, inbound=inbound)
        if exchange.response is not None and exchange.is_websocket
    )
