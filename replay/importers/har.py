"""HAR 1.2, as browsers, proxies and HTTP clients export it, with ``_webSocketMessages``.

Peculiarities that are met: a byte order mark; -1 for timings that do not apply; ``connect`` that
holds ``ssl`` (as specified) or stands beside it (Firefox), with entries that start at the request
instead of at the connection (mitmproxy); bodies given decompressed beside the headers
of the compressed transfer; several cookies in one header with line breaks (Chrome); the port in the
place of the connection's name (Firefox); bodies in files beside the archive (Playwright);
HTTP/2 pseudo headers; WebSocket times in seconds since 1970 beside
ISO dates; exports without cookies, credentials or bodies.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from perfscan.errors import InputError
from perfscan.replay.content_coding import as_stored, coding_of
from perfscan.replay.imported import (
    Address,
    Connections,
    address_of,
    assemble,
    date_ns,
    epoch_ns,
    with_host,
)
from perfscan.replay.model import (
    Close,
    Direction,
    Event,
    Failure,
    Headers,
    Message,
    Open,
    Party,
    Ping,
    Recording,
    Request,
    Response,
)

NAME = "HAR"
_BOM = b"\xef\xbb\xbf"
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10
_LONGEST_MS = 1e12


def detect(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a HAR."""
    text = head.removeprefix(_BOM).lstrip()
    return text.startswith(b"{") and b'"log"' in text[:200]


def read(raw: bytes, path: Path) -> Recording:
    """Read the archive ``raw``; raises InputError with the entry that is not usable."""
    log = _log(raw, path)
    creator = _creator(log)
    entries = [
        _Entry(number, entry, f"{path}: log.entries[{number}]", creator)
        for number, entry in enumerate(_entries(log, path))
    ]
    if not entries:
        raise InputError(
            "the archive holds no entries", where=str(path), remedy="export it again with traffic"
        )
    notes = tuple(_notes(entries))
    entries.sort(key=lambda entry: entry.started_ns)
    connections = Connections()
    return assemble(
        [event for entry in entries for event in entry.events(connections)],
        source=f"HAR by {creator}",
        timed=any(entry.is_timed for entry in entries),
        notes=notes,
    )


def _log(raw: bytes, path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(raw.removeprefix(_BOM))
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
    late = sum(later.started_ns < one.started_ns for one, later in pairwise(entries))
    if late:
        yield f"{late} entries were out of order in time and have been sorted"
    bodiless = sum(entry.lacks_body for entry in entries)
    if bodiless:
        yield f"{bodiless} responses have no body in the archive and are replayed empty"
    newer = sum(entry.is_multiplexed for entry in entries)
    if newer:
        yield f"{newer} exchanges used HTTP/2 or newer and are replayed as HTTP/1.1"


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
    """Return a number as a time in ms; 0 for what is absent, negative or no time at all."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0.0
    return float(value) if 0 < value < _LONGEST_MS else 0.0


class _Entry:
    """One entry, checked as far as it is used."""

    def __init__(self, number: int, given: Any, where: str, creator: str) -> None:
        self._where = where
        self._creator = creator
        self._given = self._object(given, "")
        self._request = self._object(self._given.get("request"), ".request")
        self._response = self._object(self._given.get("response"), ".response")
        self._content = self._object(self._response.get("content") or {}, ".response.content")
        self._timings = self._object(self._given.get("timings") or {}, ".timings")
        self.number = number
        self.started_ns = self._time(
            date_ns, str(self._given.get("startedDateTime")), ".startedDateTime"
        )

    @property
    def is_timed(self) -> bool:
        """Whether the archive says how long the service took."""
        return _positive(self._timings.get("wait")) > 0

    @property
    def lacks_body(self) -> bool:
        """Whether the response had a body that the archive leaves out."""
        content = self._content
        return "text" not in content and ("_file" in content or _positive(content.get("size")) > 0)

    @property
    def is_multiplexed(self) -> bool:
        """Whether the exchange ran over HTTP/2 or HTTP/3."""
        version = str(self._request.get("httpVersion") or "").lower()
        return version.startswith(("h2", "h3", "http/2", "http/3"))

    @property
    def _waits(self) -> bool:
        """Whether the recording ended before the answer came; only perfscan tells it apart."""
        answer = self._response
        return self._creator == "perfscan" and answer.get("status") == 0 and "_error" not in answer

    def events(self, connections: Connections) -> Iterator[Event]:
        """Yield the events of this entry, in nanoseconds since 1970."""
        address = self._address()
        timings = _Timings.of(self._timings, _positive(self._given.get("time")))
        at_ns = self.started_ns + timings.before
        if self._creator == "mitmproxy":  # there an entry begins when the connection stands
            at_ns -= timings.connect + timings.tls
        messages = self._messages()
        is_websocket = messages is not None or address.is_websocket
        name = str(self._given.get("connection") or "")
        connection, is_new = connections.number(
            address.origin,
            "" if name == str(address.port) else name,
            paid=bool(timings.connect or timings.tls or is_websocket),
        )
        if is_new:
            yield self._opened(address, connection, at_ns, timings)
        at_ns += timings.connect + timings.tls + timings.send
        yield self._sent(connection, at_ns, address)
        if not self._waits:
            yield self._received(connection, at_ns + timings.wait, timings.receive, is_websocket)
        for index, message in enumerate(messages or ()):
            yield from self._message(connection, message, f"._webSocketMessages[{index}]")

    def _opened(self, address: Address, connection: int, at_ns: int, timings: _Timings) -> Open:
        paid = timings.connect > 0
        opened = address.opened(
            connection,
            at_ns,
            timings.connect if paid else None,
            timings.tls if paid and address.scheme == "https" else None,
        )
        return replace(opened, inbound=self._given.get("_inbound") is True)

    def _address(self) -> Address:
        try:
            return address_of(str(self._request.get("url") or ""))
        except ValueError as error:
            raise self._error(str(error), ".request.url") from error

    def _sent(self, connection: int, at_ns: int, address: Address) -> Request:
        headers = with_host(self._headers(self._request, ".request"), address)
        method = str(self._request.get("method") or "GET")
        return Request(
            self.number, connection, at_ns, method, address.target, headers, self._posted()
        )

    def _posted(self) -> bytes:
        data = self._request.get("postData")
        if not isinstance(data, dict):
            return b""
        if data.get("text"):
            return self._decoded(data, ".request.postData")
        params = data.get("params") or []
        if not isinstance(params, list):
            raise self._error("params are not a list", ".request.postData")
        items = [self._object(item, ".request.postData.params") for item in params]
        pairs = [(str(item.get("name", "")), str(item.get("value", ""))) for item in items]
        return urlencode(pairs, errors="surrogatepass").encode()

    def _received(
        self, connection: int, at_ns: int, receive_ns: int, is_websocket: bool
    ) -> Response | Failure:
        status = self._response.get("status")
        if not isinstance(status, int) or not 100 <= status <= 999:
            detail = self._response.get("_error") or self._given.get("_error") or "no answer"
            return Failure(connection, at_ns, str(detail), self.number)
        reason = str(self._response.get("statusText") or "")
        headers = self._headers(self._response, ".response")
        if is_websocket and status == 101:
            return Response(self.number, connection, at_ns, at_ns, 101, headers, b"", reason)
        body = self._decoded(self._content, ".response.content")
        coding = coding_of(headers)  # a HAR's bodies are plain
        headers, body, _ = as_stored(
            tuple(pair for pair in headers if pair[0].lower() != "content-encoding"),
            body,
            head=self._request.get("method") == "HEAD",
        )
        return Response(
            *(self.number, connection, at_ns, at_ns + receive_ns, status, headers, body, reason),
            encoding=coding if body else "",
        )

    def _messages(self) -> list[Any] | None:
        messages = self._given.get("_webSocketMessages")
        if messages is not None and not isinstance(messages, list):
            raise self._error("not a list", "._webSocketMessages")
        return messages

    def _message(self, connection: int, given: Any, place: str) -> Iterator[Event]:
        given = self._object(given, place)
        at_ns = self._time(epoch_ns, given.get("time"), f"{place}.time")
        text, opcode = str(given.get("data") or ""), given.get("opcode")
        sent = given.get("type") in ("send", "sent", "request")
        direction: Direction = "sent" if sent else "received"
        if opcode == _BINARY:
            yield Message(connection, at_ns, direction, self._from_base64(text, place))
        elif opcode == _PING:
            yield Ping(connection, at_ns, direction, self._from_base64(text, place))
        elif opcode == _CLOSE:
            payload = self._from_base64(text, place)
            code = int.from_bytes(payload[:2]) if len(payload) > 1 else None
            by: Party = "bot" if sent else "upstream"
            yield Close(connection, at_ns, by, code, payload[2:].decode("utf-8", "replace"))
        elif opcode != _PONG:
            yield Message(connection, at_ns, direction, text)

    def _headers(self, side: Mapping[str, Any], place: str) -> Headers:
        given = side.get("headers") or []
        if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
            raise self._error("headers are not a list of objects", f"{place}.headers")
        return tuple(
            (name, value)
            for item in given
            if (name := str(item.get("name", ""))) and not name.startswith(":")
            for value in str(item.get("value", "")).splitlines() or [""]
        )

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

    def _time(self, read: Callable[[Any], int], given: object, place: str) -> int:
        try:
            return read(given)
        except ValueError as error:
            raise self._error(str(error), place) from error

    def _object(self, value: Any, place: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self._error("not an object", place)
        return value

    def _error(self, what: str, place: str) -> InputError:
        return InputError(what, where=self._where + place, remedy="correct or remove the entry")
