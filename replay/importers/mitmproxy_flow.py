"""Flow files of mitmproxy: typed netstrings, format version 21 and older, 0.11 to 10 included.

The richest foreign source: connections with their handshakes, reuse, frame times. Met on the way:
keys that are bytes (written by Python 2), addresses inside a mapping, ``ssl`` for ``tls`` in names,
WebSocket flows apart from their handshake (before version 11), connections that were opened only
after the request had arrived at the proxy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from perfscan.errors import InputError
from perfscan.replay.content_coding import as_stored
from perfscan.replay.imported import Address, Connections, address_of, assemble, epoch_ns, with_host
from perfscan.replay.model import (
    Close,
    Direction,
    Event,
    Failure,
    Headers,
    Message,
    Open,
    Ping,
    Recording,
    Request,
    Response,
)
from perfscan.replay.tnetstring import CutError, TnetstringError, parse_all

NAME = "mitmproxy flows"
NEWEST = 21
_BEGINNING = re.compile(rb"\d{1,12}:\d{1,12}:[a-z_]+[;,]")
_BINARY, _PING, _PONG = 2, 9, 10
_NO_CODE = 1005


def detect(head: bytes) -> bool:
    """Whether a file that begins with ``head`` holds flows."""
    return _BEGINNING.match(head) is not None


def read(raw: bytes, path: Path) -> Recording:
    """Read the flows ``raw``; raises InputError with the flow that is not usable."""
    states, truncated = _states(raw, path)
    flows = [_Flow(number, state, path) for number, state in enumerate(states)]
    apart = {
        _text(flow.at("metadata", "websocket_handshake")): flow
        for flow in flows
        if flow.kind == "websocket"
    }
    connections = Connections()
    skipped = Counter[str]()
    events: list[Event] = []
    http = []
    for flow in flows:
        if flow.kind == "http" and not flow.is_tunnel:
            http.append(flow)
        elif flow.kind != "websocket":
            skipped["CONNECT requests" if flow.is_tunnel else f"{flow.kind} flows"] += 1
    for flow in sorted(http, key=_Flow.sent_ns):  # they are saved in the order of their ends
        events += flow.events(connections, apart.get(_text(flow.at("id"))), skipped)
    if not events:
        raise InputError("the file holds no HTTP flows", where=str(path), remedy="record again")
    notes = [f"{number} {what} are left out" for what, number in sorted(skipped.items())]
    return assemble(events, source="mitmproxy flows", timed=True, notes=notes, truncated=truncated)


def _states(raw: bytes, path: Path) -> tuple[list[Mapping[str, Any]], bool]:
    states: list[Mapping[str, Any]] = []
    truncated = False
    try:
        for number, value in enumerate(parse_all(raw)):
            state = _with_text_keys(value)
            _check_version(state, f"{path}: flow {number}")
            states.append(state)
    except CutError as error:
        if not states:
            raise _damaged(error, path) from error
        truncated = True
    except TnetstringError as error:
        raise _damaged(error, path) from error
    return states, truncated


def _damaged(error: TnetstringError, path: Path) -> InputError:
    return InputError(
        f"not a flow file: {error}", where=str(path), remedy="save the flows again with mitmproxy"
    )


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {_text(key): _with_text_keys(item) for key, item in value.items()}
    return value


def _check_version(state: Any, where: str) -> None:
    version = state.get("version") if isinstance(state, dict) else None
    if isinstance(version, int) and version > NEWEST:
        raise InputError(
            f"flow format version {version} is newer than {NEWEST}, the newest that is known here",
            where=where,
            remedy="export a HAR with mitmproxy instead",
        )
    if not isinstance(version, int | list):
        raise InputError("not a flow", where=where, remedy="save the flows again with mitmproxy")


class _Flow:
    """One flow, checked as far as it is used."""

    def __init__(self, number: int, state: Mapping[str, Any], path: Path) -> None:
        self._state = state
        self._where = f"{path}: flow {number}"
        self.number = number
        self.kind = _text(state.get("type"))

    def at(self, *keys: str) -> Any:
        """Return the value at a path of keys, None where it leads nowhere."""
        value: Any = self._state
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    @property
    def is_tunnel(self) -> bool:
        """Whether it only asked a proxy for a tunnel."""
        return _text(self.at("request", "method")) == "CONNECT"

    def sent_ns(self) -> int:
        """Return when the request was complete at the proxy; raises InputError."""
        sent_ns = self._time("request", "timestamp_end") or self._time("request", "timestamp_start")
        if sent_ns is None:
            raise self._error("the request has no time")
        return sent_ns

    def events(
        self, connections: Connections, apart: _Flow | None, skipped: Counter[str]
    ) -> Iterator[Event]:
        """Yield the events of an HTTP flow; ``apart`` holds its messages in old versions."""
        address = self._address()
        connection, is_new = connections.number(address.origin, self._connection_name())
        sent_ns = self.sent_ns()
        sent_ns = max(sent_ns, *self._setup_times())  # it waited at the proxy for its connection
        if is_new:
            yield self._opened(address, connection, sent_ns)
        headers = with_host(self._headers("request"), address)
        method = _text(self.at("request", "method")) or "GET"
        yield Request(
            self.number, connection, sent_ns, method, address.target, headers, self._body("request")
        )
        if self.at("response") is None:
            yield self._failure(connection, sent_ns)
        else:
            yield self._answer(connection, sent_ns, head=method == "HEAD")
        websocket = apart or (self if self.at("websocket") else None)
        if websocket is not None:
            yield from websocket.messages(connection, skipped)

    def messages(self, connection: int, skipped: Counter[str]) -> Iterator[Event]:
        """Yield the WebSocket messages of this flow and their end."""
        place = ("websocket",) if self.at("websocket") else ()
        given = self.at(*place, "messages")
        for index, message in enumerate(given if isinstance(given, list) else ()):
            where = f"websocket message {index}"
            if not isinstance(message, list) or len(message) < 4:
                raise self._error(f"{where} is not [type, from client, content, time, ...]")
            opcode, from_client, content, seconds, *rest = message
            if (rest and rest[0] is True) or opcode == _PONG:
                skipped["messages that mitmproxy dropped"] += opcode != _PONG
                continue
            at_ns = self._seconds(seconds, where)
            direction: Direction = "sent" if from_client else "received"
            data = content if isinstance(content, bytes) else _text(content).encode()
            if opcode == _PING:
                yield Ping(connection, at_ns, direction, data)
            else:
                text = data if opcode == _BINARY else data.decode("utf-8", "replace")
                yield Message(connection, at_ns, direction, text)
        end_ns = self._time(*place, "timestamp_end")
        if end_ns is not None:
            yield self._close(connection, end_ns, place)

    def _close(self, connection: int, at_ns: int, place: tuple[str, ...]) -> Close:
        code = self.at(*place, "close_code")
        by_bot = self.at(*place, "closed_by_client") is True or (
            _text(self.at(*place, "close_sender")) == "client"
        )
        return Close(
            *(connection, at_ns, "bot" if by_bot else "upstream"),
            code if isinstance(code, int) and 1000 <= code <= 4999 and code != _NO_CODE else None,
            _text(self.at(*place, "close_reason")),
        )

    def _opened(self, address: Address, connection: int, sent_ns: int) -> Open:
        start, tcp_ns, tls_ns = self._setup_times()
        return address.opened(
            connection,
            start or sent_ns,
            tcp_ns - start if tcp_ns >= start > 0 else None,
            tls_ns - tcp_ns if tls_ns >= tcp_ns > 0 else None,
        )

    def _setup_times(self) -> tuple[int, int, int]:
        """Return when the connection was begun and when TCP and TLS were set up; 0 for unknown."""
        tls = self._time("server_conn", "timestamp_tls_setup")
        return (
            self._time("server_conn", "timestamp_start") or 0,
            self._time("server_conn", "timestamp_tcp_setup") or 0,
            tls or self._time("server_conn", "timestamp_ssl_setup") or 0,
        )

    def _connection_name(self) -> str:
        name = self.at("server_conn", "id")
        if name is None:  # before version 5 the start and the own port tell connections apart
            source = self.at("server_conn", "source_address")
            name = f"{self.at('server_conn', 'timestamp_start')} {source}"
        return _text(name)

    def _answer(self, connection: int, sent_ns: int, *, head: bool) -> Response:
        status = self.at("response", "status_code")
        status = self.at("response", "code") if status is None else status
        if not isinstance(status, int) or not 100 <= status <= 999:
            raise self._error(f"{str(status)[:40]!r} is not an HTTP status")
        at_ns = self._time("response", "timestamp_start")
        at_ns = max(sent_ns, sent_ns if at_ns is None else at_ns)
        end_ns = max(at_ns, self._time("response", "timestamp_end") or at_ns)
        reason = _text(self.at("response", "reason")) or _text(self.at("response", "msg"))
        headers = self._headers("response")
        if status == 101:
            return Response(self.number, connection, at_ns, at_ns, 101, headers, b"", reason)
        headers, body, coding = as_stored(headers, self._body("response"), head=head)
        return Response(
            *(self.number, connection, at_ns, end_ns, status, headers, body, reason),
            encoding=coding,
        )

    def _failure(self, connection: int, sent_ns: int) -> Failure:
        at_ns = max(sent_ns, self._time("error", "timestamp") or sent_ns)
        detail = _text(self.at("error", "msg")) or "no answer"
        return Failure(connection, at_ns, detail, self.number)

    def _address(self) -> Address:
        scheme, host = _text(self.at("request", "scheme")), _text(self.at("request", "host"))
        port, path = self.at("request", "port"), _text(self.at("request", "path"))
        bracketed = f"[{host}]" if ":" in host else host
        if path.startswith(("http://", "https://")):  # absolute form, as sent to a proxy
            path = "/" + path.split("/", 3)[3] if path.count("/") > 2 else "/"
        try:
            found = address_of(f"{scheme}://{bracketed}:{port}/")
        except ValueError as error:
            raise self._error(str(error)) from error
        return Address(found.scheme, found.host, found.port, path or "/")

    def _headers(self, side: str) -> Headers:
        given = self.at(side, "headers") or []
        if not isinstance(given, list):
            raise self._error(f"the {side}'s headers are not a list")
        pairs = [pair for pair in given if isinstance(pair, list) and len(pair) == 2]
        if len(pairs) != len(given):
            raise self._error(f"the {side}'s headers are not pairs")
        return tuple((_text(name), _text(value)) for name, value in pairs if name)

    def _body(self, side: str) -> bytes:
        for name in ("content", "body"):
            value = self.at(side, name)
            if isinstance(value, bytes | str):
                return value.encode() if isinstance(value, str) else value
        return b""

    def _time(self, *keys: str) -> int | None:
        value = self.at(*keys)
        return None if value is None else self._seconds(value, ".".join(keys))

    def _seconds(self, value: Any, what: str) -> int:
        try:
            return epoch_ns(value)
        except ValueError as error:
            raise self._error(f"{what}: {error}") from error

    def _error(self, what: str) -> InputError:
        return InputError(what, where=self._where, remedy="remove the flow and save again")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return "" if value is None else str(value)
