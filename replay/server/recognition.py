"""What a request asks for, worked out once for all requests of the same bytes.

A bot asks for the same things again and again, and mostly in the same words. Reading a request
(HTTP, host, key, what it ends) takes ten times as long as answering it, so whatever follows from
its bytes alone is remembered by them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from perfscan.replay.exchanges import url_of
from perfscan.replay.items import any_matches, effect_key
from perfscan.replay.keys import Asked, host_and_port, read_request
from perfscan.replay.model import (
    Headers,
    ItemRules,
    MatchRules,
    Open,
    Request,
    RequestEffect,
    Scheme,
)
from perfscan.replay.server.bounded import Bounded
from perfscan.replay.wire import HttpRequest

REMEMBERED_BYTES = 16 * 1024 * 1024
REMEMBERED_REQUEST = 64 * 1024
"""A longer one is read anew each time."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A request and all that follows from its bytes alone."""

    number: int
    """Its own among all distinct requests."""
    method: str
    target: str
    headers: Headers
    body: bytes
    name: str
    """Of the host that it names."""
    host: str
    """The same as keys hold it."""
    asked: Asked
    last: bool
    """The client does not want to keep the connection."""
    old: bool
    """It speaks HTTP/1.0."""
    accept_encoding: str
    websocket: bool
    effect: str | None
    """Key of the item that it ends, once it is accepted."""
    url: str = ""

    def as_request(self, exchange: int = 0, connection: int = 0, at_ns: int = 0) -> Request:
        """Return the event for one time that it came."""
        return Request(
            exchange, connection, at_ns, self.method, self.target, self.headers, self.body
        )


class Recognition:
    """Reads the requests that come in through one door.

    ``report`` is told of every distinct request before it is returned.
    """

    def __init__(
        self,
        scheme: Scheme,
        port: int | None,
        rules: MatchRules,
        items: ItemRules | None,
        report: Callable[[Heard], None],
    ) -> None:
        self.scheme: Scheme = scheme
        self.default_port = 443 if scheme == "https" else 80
        self.port = port or self.default_port
        self._rules = rules
        self._items = items
        self._report = report
        self._known: Bounded[bytes, Heard] = Bounded(REMEMBERED_BYTES)
        self.recall = self._known.get
        """Return the request that consists of these bytes, None for one that is new."""

    def read(self, request: HttpRequest, *, old: bool) -> Heard:
        """Return what is to be known of a request; ``old`` ones speak HTTP/1.0."""
        fields = {name.lower(): value for name, value in request.headers}
        name = _name_of(fields.get("host", ""))
        host = host_and_port(name, self.port, self.default_port)
        asked = read_request(
            *(request.method, host, request.target, request.headers, request.body, self._rules)
        )
        url = url_of(Open(0, 0, self.scheme, name, self.port), request.target)
        wanted = fields.get("connection", "").lower()
        heard = Heard(
            next(_NUMBERS),
            *(request.method, request.target, request.headers, request.body, name, host, asked),
            last="close" in wanted or (old and "keep-alive" not in wanted),
            old=old,
            accept_encoding=fields.get("accept-encoding", ""),
            websocket=fields.get("upgrade", "").lower() == "websocket",
            effect=self._effect(request, url),
            url=url,
        )
        self._report(heard)
        return heard

    def remember(self, data: bytes, heard: Heard) -> None:
        """Recognise ``data``, which is this request and no more, from now on."""
        if len(data) <= REMEMBERED_REQUEST:
            self._known.put(data, heard, len(data))

    def _effect(self, request: HttpRequest, url: str) -> str | None:
        rule = self._items.effect if self._items else None
        if not isinstance(rule, RequestEffect):
            return None
        if not any_matches(rule.request, request.method, url):
            return None
        return effect_key(
            rule,
            Request(0, 0, 0, request.method, request.target, request.headers, request.body),
        )


_NUMBERS = itertools.count(1)


@lru_cache(maxsize=4096)
def _name_of(host_header: str) -> str:
    """Return the host that a Host header names, without port and brackets."""
    name, colon, port = host_header.rpartition(":")
    return (name if colon and port.isdigit() else host_header).strip("[]").lower()
