"""HAR 1.2, as browsers, mitmproxy and HTTP clients export it, with ``_webSocketMessages``.

Peculiarities that are met: a byte order mark; -1 for timings that do not apply; ``connect`` that
holds ``ssl`` (as specified) or stands beside it, with entries that start at the request instead of
at the connection (mitmproxy); bodies given decompressed beside the headers
of the compressed transfer; HTTP/2 pseudo headers; WebSocket times in seconds since 1970 beside
ISO dates; exports without cookies, credentials or bodies.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from perfscan.errors import InputError
from perfscan.replay.model import (
    Event,
    Failure,
    Headers,
    Message,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
    Scheme,
)
from perfscan.replay.recording import read_bytes

NAME = "HAR"
_BOM = b"\xef\xbb\xbf"
_SCHEMES: dict[str, Scheme] = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
_PORTS: dict[Scheme, int] = {"http": 80, "https": 443}
_TRANSFER = ("content-encoding", "transfer-encoding", "content-length")
_BINARY = 2
_ORDER = (Open, Request, Response, Message, Failure)


def detect(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a HAR."""
    text = head.removeprefix(_BOM).lstrip()
    return text.startswith(b"{") and b'"log"' in text[:200]


def read(path: Path) -> Recording:
    """Read the archive at ``path``; raises InputError with the entry that is not usable."""
    log = _log(path)
    creator = _creator(log)
    entries = [
        _Entry(number, entry, f"{path}: log.entries[{number}]", creator)
        for number, entry in enumerate(_entries(log, path))
    ]
    if not entries:
        raise InputError(
            "the archive holds no entries", where=str(path), remedy="export it again with traffic"
        )
    entries.sort(key=lambda entry: entry.started)
    origin = entries[0].started
    connections = _Connections()
    events = [event for entry in entries for event in entry.events(origin, connections)]
    first_ns = min(event.at_ns for event in events)
    events = [_moved(event, -first_ns) for event in events]
    events.sort(key=lambda event: (event.at_ns, _ORDER.index(type(event))))
    timed = any(entry.is_timed for entry in entries)
    header = RecordingHeader(
        source=f"HAR by {creator}",
        started_at=(origin + timedelta(microseconds=first_ns // 1000)).isoformat(
            timespec="microseconds"
        ),
        latency="recorded" if timed else "not recorded",
        notes=tuple(_notes(entries)),
    )
    return Recording(header, tuple(events))


def _log(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(read_bytes(path).removeprefix(_BOM))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"not valid JSON: {error}", where=str(path), remedy="export the archive again"
        ) from error
    log = document.get("log") if isinstance(document, dict) else None
    if not isinstance(log, dict):
        raise InputError(
            "'log' is not an object", where=str(path), remedy="export the archive again"
        )
    return log


def _entries(log: Mapping[str, Any], path: Path) -> list[Any]:
    entries = log.get("entries")
    if not isinstance(entries, list):
        raise InputError(
            "'log.entries' is not a list", where=str(path), remedy="export the archive again"
        )
    return entries


def _creator(log: Mapping[str, Any]) -> str:
    creator = log.get("creator")
    return str(creator.get("name") or "unknown") if isinstance(creator, dict) else "unknown"


def _notes(entries: list[_Entry]) -> Iterator[str]:
    bodiless = sum(entry.lacks_body for entry in entries)
    if bodiless:
        yield f"{bodiless} responses have no body in the archive and are replayed empty"
    newer = sum(entry.is_multiplexed for entry in entries)
    if newer:
        yield f"{newer} exchanges used HTTP/2 or newer and are replayed as HTTP/1.1"


class _Connections:
    """Numbers connections: by the archive's own name, else by who paid for a handshake."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, str], int] = {}
        self._latest: dict[str, int] = {}
        self._count = 0

    def number(self, origin: str, name: str, *, paid: bool) -> tuple[int, bool]:
        """Return the connection of an exchange with ``origin``, and whether it is a new one."""
        known = self._by_name.get((origin, name)) if name else self._latest.get(origin)
        if known is not None and (name or not paid):
            return known, False
        self._count += 1
        self._latest[origin] = self._count
        self._by_name[origin, name] = self._count
        return self._count, True


@dataclass(frozen=True, slots=True)
class _Timings:
    """Nanoseconds; -1 and absent ones are 0."""

    before: int
    connect: int
    tls: int
    send: int
    wait: int
    receive: int

    @classmethod
    def of(cls, given: Mapping[str, Any], total_ms: float) -> _Timings:
        ms = {name: _positive(given.get(name)) for name in _TIMINGS}
        without = sum(ms.values()) - ms["ssl"]
        beside = abs(sum(ms.values()) - total_ms) < abs(without - total_ms)
        if ms["ssl"] > ms["connect"] or (beside and total_ms > 0):
            connect = ms["connect"]
        else:
            connect = ms["connect"] - ms["ssl"]
        before = ms["blocked"] + ms["dns"]
        return cls(
            *(
                round(value * 1e6)
                for value in (before, connect, ms["ssl"], ms["send"], ms["wait"], ms["receive"])
            )
        )


_TIMINGS = ("blocked", "dns", "connect", "ssl", "send", "wait", "receive")


def _positive(value: object) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return max(float(value), 0.0) if number else 0.0  # type: ignore[arg-type]


class _Entry:
    """One entry, checked as far as it is used."""

    def __init__(self, number: int, given: Any, where: str, creator: str) -> None:
        self._where = where
        self._starts_connected = creator == "mitmproxy"
        self._given = self._object(given, "")
        self._request = self._object(self._given.get("request"), ".request")
        self._response = self._object(self._given.get("response"), ".response")
        self._timings = self._given.get("timings") or {}
        self.number = number
        self.started = self._date(self._given.get("startedDateTime"))

    @property
    def is_timed(self) -> bool:
        """Whether the archive says how long the service took."""
        return isinstance(self._timings, dict) and _positive(self._timings.get("wait")) > 0

    @property
    def lacks_body(self) -> bool:
        """Whether the response had a body that the archive leaves out."""
        content = self._response.get("content") or {}
        return "text" not in content and _positive(content.get("size")) > 0

    @property
    def is_multiplexed(self) -> bool:
        """Whether the exchange ran over HTTP/2 or HTTP/3."""
        version = str(self._request.get("httpVersion") or "").lower()
        return version.startswith(("h2", "h3", "http/2", "http/3"))

    def events(self, origin: datetime, connections: _Connections) -> Iterator[Event]:
        """Yield the events of this entry, in nanoseconds since ``origin``."""
        url, scheme, host, port, target = self._address()
        timings = _Timings.of(self._timings, _positive(self._given.get("time")))
        at_ns = _nanoseconds(self.started, origin) + timings.before
        if self._starts_connected:
            at_ns -= timings.connect + timings.tls
        messages = self._given.get("_webSocketMessages")
        is_websocket = messages is not None or url.startswith("ws")
        connection, is_new = connections.number(
            f"{scheme}://{host}:{port}",
            str(self._given.get("connection") or ""),
            paid=bool(timings.connect or timings.tls or is_websocket),
        )
        if is_new:
            paid = timings.connect > 0
            connect_ns = timings.connect if paid else None
            tls_ns = timings.tls if paid and scheme == "https" else None
            yield Open(connection, at_ns, scheme, host, port, connect_ns, tls_ns)
        at_ns += timings.connect + timings.tls + timings.send
        yield self._sent(connection, at_ns, target, host)
        yield self._received(connection, at_ns + timings.wait, timings.receive, is_websocket)
        for index, message in enumerate(messages or ()):
            yield self._message(connection, message, origin, f"._webSocketMessages[{index}]")

    def _address(self) -> tuple[str, Scheme, str, int, str]:
        url = str(self._request.get("url") or "")
        try:
            parts = urlsplit(url)
            scheme, host = _SCHEMES[parts.scheme], parts.hostname or ""
            port = parts.port or _PORTS[scheme]
        except (KeyError, ValueError) as error:
            raise self._error(f"{url!r} is not an HTTP or WebSocket URL", ".request.url") from error
        if not host:
            raise self._error(f"{url!r} names no host", ".request.url")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return url, scheme, host, port, target

    def _sent(self, connection: int, at_ns: int, target: str, host: str) -> Request:
        headers = self._headers(self._request, ".request")
        if not any(name.lower() == "host" for name, _ in headers):
            headers = (("Host", host), *headers)
        method = str(self._request.get("method") or "GET")
        body = self._posted()
        return Request(self.number, connection, at_ns, method, target, headers, body)

    def _posted(self) -> bytes:
        data = self._request.get("postData")
        if not isinstance(data, dict):
            return b""
        if data.get("text"):
            return self._decoded(data, ".request.postData")
        pairs = [(item.get("name", ""), item.get("value", "")) for item in data.get("params") or ()]
        return urlencode(pairs).encode()

    def _received(
        self, connection: int, at_ns: int, receive_ns: int, is_websocket: bool
    ) -> Response | Failure:
        status = self._response.get("status")
        if not isinstance(status, int) or status <= 0:
            detail = self._response.get("_error") or self._given.get("_error") or "no answer"
            return Failure(connection, at_ns, str(detail), self.number)
        reason = str(self._response.get("statusText") or "")
        headers = self._headers(self._response, ".response")
        if is_websocket and status == 101:
            return Response(self.number, connection, at_ns, at_ns, 101, headers, b"", reason)
        body = self._decoded(self._response.get("content") or {}, ".response.content")
        if self._request.get("method") != "HEAD":
            kept = tuple(pair for pair in headers if pair[0].lower() not in _TRANSFER)
            headers = (*kept, ("Content-Length", str(len(body)))) if body else kept
        end_ns = at_ns + receive_ns
        return Response(self.number, connection, at_ns, end_ns, status, headers, body, reason)

    def _message(self, connection: int, given: Any, origin: datetime, place: str) -> Message:
        given = self._object(given, place)
        seconds = given.get("time")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool):
            raise self._error("'time' is not in seconds since 1970", place)
        data: str | bytes = str(given.get("data") or "")
        if given.get("opcode") == _BINARY:
            data = self._from_base64(str(data), place)
        at_ns = round((seconds - origin.timestamp()) * 1e9)
        sent = given.get("type") in ("send", "sent")
        return Message(connection, at_ns, "sent" if sent else "received", data)

    def _headers(self, side: Mapping[str, Any], place: str) -> Headers:
        given = side.get("headers") or []
        if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
            raise self._error("headers are not a list of objects", f"{place}.headers")
        pairs = ((str(item.get("name", "")), str(item.get("value", ""))) for item in given)
        return tuple((name, value) for name, value in pairs if name and not name.startswith(":"))

    def _decoded(self, content: Mapping[str, Any], place: str) -> bytes:
        text = str(content.get("text") or "")
        if content.get("encoding") == "base64":
            return self._from_base64(text, place)
        return text.encode("utf-8", "surrogatepass")

    def _from_base64(self, text: str, place: str) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._error(f"not base64: {error}", place) from error

    def _date(self, text: object) -> datetime:
        try:
            date = datetime.fromisoformat(str(text))
        except ValueError as error:
            raise self._error(f"{text!r} is not an ISO 8601 time", ".startedDateTime") from error
        return date if date.tzinfo else date.replace(tzinfo=UTC)

    def _object(self, value: Any, place: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self._error("not an object", place)
        return value

    def _error(self, what: str, place: str) -> InputError:
        return InputError(what, where=self._where + place, remedy="correct or remove the entry")


def _moved(event: Event, by_ns: int) -> Event:
    if isinstance(event, Response):
        return replace(event, at_ns=event.at_ns + by_ns, end_ns=event.end_ns + by_ns)
    return replace(event, at_ns=event.at_ns + by_ns)


def _nanoseconds(moment: datetime, origin: datetime) -> int:
    passed = moment - origin
    return ((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds) * 1000
