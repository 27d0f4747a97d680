"""HAR 1.2 with ``_webSocketMessages``, for browsers' developer tools and HAR viewers.

The first exchange of a connection carries its handshake, and ``send`` then includes how long the
connection waited for its first request. Pings and the close are messages with their own opcodes.
What a HAR cannot hold: how a body came in pieces, how a message was cut into frames.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

from perfscan import __version__
from perfscan.errors import InputError
from perfscan.replay.exchanges import Exchange, exchanges
from perfscan.replay.imported import date_ns, date_of
from perfscan.replay.model import (
    Close,
    Failure,
    Headers,
    Message,
    Ping,
    Recording,
    Response,
)

NAME = "har"
SUFFIXES = (".har",)
_LEGAL = "!#$%&'()*+,/:;=?@[]~"
"""Characters that may stand in a URL as they are, beside letters, digits and ``_.-``."""
_TEXT, _BINARY, _CLOSE, _PING = 1, 2, 8, 9

Json = dict[str, Any]


def write(recording: Recording, path: Path) -> None:
    """Write ``recording`` as an archive; raises InputError."""
    text = json.dumps(archive(recording), indent=1)
    try:
        path.write_text(text + "\n", encoding="ascii")
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="give a writable path",
        ) from error


def archive(recording: Recording) -> Json:
    """Return ``recording`` as a HAR document."""
    header = recording.header
    notes = [f"source: {header.source}", *header.notes]
    if not header.started_at:
        notes.append("the recording does not tell its date: times count from 1970")
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "perfscan", "version": __version__},
            "pages": [],
            "entries": list(_Archive(recording).entries()),
            "comment": "; ".join(notes),
        }
    }


class _Archive:
    """Turns exchanges into entries."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._origin_ns = _origin_ns(recording.header.started_at)
        self._timed = recording.header.latency == "recorded"
        self._failures: dict[int, Failure] = {}
        self._messages: dict[int, list[Message | Ping | Close]] = defaultdict(list)
        for event in recording.events:
            if isinstance(event, Failure) and event.exchange is not None:
                self._failures[event.exchange] = event
            elif isinstance(event, Message | Ping | Close):
                self._messages[event.connection].append(event)
        self._seen: set[int] = set()

    def entries(self) -> Iterator[Json]:
        """Yield an entry for each exchange, the bot's own and those that it was asked for."""
        both = (*exchanges(self._recording), *exchanges(self._recording, inbound=True))
        for exchange in sorted(both, key=lambda one: one.request.at_ns):
            yield self._entry(exchange)

    def _entry(self, exchange: Exchange) -> Json:
        opened, sent, answer = exchange.open, exchange.request, exchange.response
        first = opened.connection not in self._seen
        self._seen.add(opened.connection)
        costs_ns = (opened.connect_ns or 0) + (opened.tls_ns or 0)
        paid = first and opened.connect_ns is not None
        started_ns = min(opened.at_ns, sent.at_ns - costs_ns) if paid else sent.at_ns
        received_ns = self._received_ns(exchange)
        timings = {
            "blocked": -1,
            "dns": -1,
            "connect": _ms(costs_ns) if paid else -1,
            "ssl": _ms(opened.tls_ns) if paid and opened.tls_ns is not None else -1,
            "send": _ms(sent.at_ns - started_ns - costs_ns) if paid else 0,
            "wait": _ms(received_ns - sent.at_ns) if self._timed else 0,
            "receive": _ms(answer.end_ns - answer.at_ns) if self._timed and answer else 0,
        }
        parts = ("connect", "send", "wait", "receive")  # connect includes ssl
        entry: Json = {
            "startedDateTime": date_of(self._origin_ns + started_ns),
            "time": sum(max(0, timings[part]) for part in parts),
            "request": _request(exchange),
            "response": _response(answer, self._failures.get(sent.exchange)),
            "cache": {},
            "timings": timings,
            "connection": str(opened.connection),
        }
        if opened.inbound:
            entry["_inbound"] = True
        if exchange.is_websocket:
            entry["_resourceType"] = "websocket"
            messages = self._messages[opened.connection]
            entry["_webSocketMessages"] = [self._message(message) for message in messages]
        return entry

    def _received_ns(self, exchange: Exchange) -> int:
        answer = exchange.response or self._failures.get(exchange.request.exchange)
        return exchange.request.at_ns if answer is None else answer.at_ns

    def _message(self, event: Message | Ping | Close) -> Json:
        sent = event.by == "bot" if isinstance(event, Close) else event.direction == "sent"
        match event:
            case Message(data=str() as data):
                opcode, text = _TEXT, data
            case Message(data=bytes() as data):
                opcode, text = _BINARY, _base64(data)
            case Ping():
                opcode, text = _PING, _base64(event.data)
            case Close():
                opcode, text = _CLOSE, _base64(_close_payload(event))
        seconds = (self._origin_ns + event.at_ns) / 1e9
        kind = "send" if sent else "receive"
        return {"type": kind, "time": seconds, "opcode": opcode, "data": text}


def _request(exchange: Exchange) -> Json:
    sent = exchange.request
    scheme, colon, rest = exchange.url.partition(":")
    if exchange.is_websocket:
        scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
    query = parse_qsl(
        sent.target.partition("?")[2], keep_blank_values=True, errors="surrogateescape"
    )
    found: Json = {
        "method": sent.method,
        "url": quote(scheme + colon + rest, safe=_LEGAL, errors="surrogatepass"),
        "httpVersion": "HTTP/1.1",
        "cookies": _cookies(sent.headers, "cookie"),
        "headers": _pairs(sent.headers),
        "queryString": _pairs(query),
        "headersSize": -1,
        "bodySize": len(sent.body),
    }
    if sent.body:
        kind = _first(sent.headers, "content-type")
        found["postData"] = {"mimeType": kind, **_text(sent.body)}
    return found


def _response(answer: Response | None, failure: Failure | None) -> Json:
    if answer is None:
        nothing = _response(Response(0, 0, 0, 0, 0), None)
        return nothing if failure is None else {**nothing, "_error": failure.detail}
    headers = answer.headers
    if answer.encoding and answer.body:
        headers = (*headers, ("Content-Encoding", answer.encoding))
    content: Json = {"size": len(answer.body), "mimeType": _first(headers, "content-type")}
    return {
        "status": answer.status,
        "statusText": answer.reason,
        "httpVersion": "HTTP/1.1",
        "cookies": _cookies(headers, "set-cookie"),
        "headers": _pairs(headers),
        "content": {**content, **_text(answer.body)},
        "redirectURL": _first(headers, "location"),
        "headersSize": -1,
        "bodySize": -1 if answer.encoding else len(answer.body),
    }


def _close_payload(close: Close) -> bytes:
    if close.code is None or not 0 <= close.code < 1 << 16:
        return b""
    return close.code.to_bytes(2) + close.reason.encode("utf-8", "replace")


def _origin_ns(started_at: str) -> int:
    try:
        return date_ns(started_at)
    except ValueError:
        return 0


def _ms(duration_ns: int) -> float:
    return max(0, duration_ns) / 1e6


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _text(body: bytes) -> Mapping[str, str]:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": _base64(body), "encoding": "base64"}


def _pairs(pairs: Headers | list[tuple[str, str]]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in pairs]


def _first(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def _cookies(headers: Headers, name: str) -> list[Json]:
    """Return the cookies of a request's or a response's headers, without attributes."""
    found = []
    for key, value in headers:
        if key.lower() == name:
            parts = value.split(";")
            found += parts if name == "cookie" else parts[:1]
    split = (part.strip().partition("=") for part in found if part.strip())
    return [{"name": name, "value": value} for name, _, value in split]
