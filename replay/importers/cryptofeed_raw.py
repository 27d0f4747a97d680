"""Raw captures of cryptofeed: one line for each thing that a feed sent or received.

``URL <-> TIME`` is a WebSocket about to be opened, ``URL <- TIME: DATA`` a message that was sent,
``TIME: DATA`` one that was received, ``URL -> TIME: DATA`` the body of an HTTP answer. Packed
messages are written as Python writes bytes. Methods, headers, statuses, handshakes are not kept.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from perfscan.errors import InputError
from perfscan.replay.imported import (
    WEBSOCKET_ANSWER,
    Address,
    Connections,
    address_of,
    assemble,
    epoch_ns,
    with_host,
)
from perfscan.replay.model import Close, Event, Message, Recording, Request, Response

NAME = "cryptofeed raw capture"
_LINE = re.compile(
    r"(?:(?P<url>(?:ws|http)s?://\S+) (?P<sign><->|<-|->) )?"
    r"(?P<time>\d+(?:\.\d+)?)(?:: (?P<data>.*))?"
)
_BEGINNING = re.compile(
    rb"(configuration: .*\n)?\n*"
    rb"((ws|http)s?://\S+ (<->|<-|->) \d+(\.\d+)?(: .|\n)|\d{9,10}\.\d+: .)"
)


def detect(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a raw capture."""
    return _BEGINNING.match(head) is not None


def read(raw: bytes, path: Path) -> Recording:
    """Read the capture ``raw``; raises InputError with the line that is not usable."""
    lines = raw.decode("utf-8", "replace").split("\n")
    truncated = bool(lines.pop())  # a whole line ends with a line break
    capture = _Capture(path)
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("configuration: "):
            capture.add(line, number)
    if not capture.events:
        raise InputError("the capture holds no traffic", where=str(path), remedy="record it again")
    return assemble(
        capture.events,
        source="cryptofeed raw capture",
        timed=False,
        notes=capture.notes(),
        truncated=truncated,
    )


class _Capture:
    """The events so far; messages without a URL belong to the WebSocket that was opened last."""

    def __init__(self, path: Path) -> None:
        self.events: list[Event] = []
        self._path = path
        self._exchange = 0
        self._connections = Connections()
        self._websocket: int | None = None
        self._answers = 0

    def add(self, line: str, number: int) -> None:
        """Take one line. Raises InputError."""
        where = f"{self._path}:{number}"
        match = _LINE.fullmatch(line)
        try:
            if match is None:
                raise ValueError("neither 'URL SIGN TIME: DATA' nor 'TIME: DATA'")
            at_ns = epoch_ns(match["time"])
            address = address_of(match["url"]) if match["url"] else None
            self.events += self._read(address, match["sign"], at_ns, match["data"] or "")
        except ValueError as error:
            if match is None and self._continues_answer(line):
                return
            raise InputError(str(error), where=where, remedy="remove or repair the line") from error

    def notes(self) -> Iterator[str]:
        """Yield what the capture does not say and what is assumed instead."""
        yield "handshakes: not recorded, each is assumed to have succeeded at once"
        if self._answers:
            yield (
                f"{self._answers} HTTP requests: methods, headers and statuses not recorded, "
                "GET without headers and 200 are assumed"
            )

    def _read(
        self, address: Address | None, sign: str | None, at_ns: int, data: str
    ) -> Iterator[Event]:
        if address is None:
            if self._websocket is None:
                raise ValueError("a message before any WebSocket was opened")
            yield Message(self._websocket, at_ns, "received", _payload(data))
        elif sign == "->":
            yield from self._answer(address, at_ns, data)
        elif sign == "<->":
            yield from self._open(address, at_ns)
        else:
            if self._websocket is None:
                yield from self._open(address, at_ns)
            assert self._websocket is not None
            yield Message(self._websocket, at_ns, "sent", _payload(data))

    def _open(self, address: Address, at_ns: int) -> Iterator[Event]:
        if self._websocket is not None:  # a feed has one at a time and reconnects
            yield Close(self._websocket, at_ns, "upstream")
        self._websocket, _ = self._connections.number(address.origin, paid=True)
        yield address.opened(self._websocket, at_ns)
        yield self._asked(address, self._websocket, at_ns)
        yield Response(
            *(self._exchange, self._websocket, at_ns, at_ns, 101, WEBSOCKET_ANSWER, b""),
            "Switching Protocols",
        )

    def _answer(self, address: Address, at_ns: int, data: str) -> Iterator[Event]:
        self._answers += 1
        connection, is_new = self._connections.number(address.origin, "http")
        if is_new:
            yield address.opened(connection, at_ns)
        yield self._asked(address, connection, at_ns)
        yield _answered(self._exchange, connection, at_ns, data)

    def _asked(self, address: Address, connection: int, at_ns: int) -> Request:
        self._exchange += 1
        headers = with_host((), address)
        return Request(self._exchange, connection, at_ns, "GET", address.target, headers)

    def _continues_answer(self, line: str) -> bool:
        """Add a line to the HTTP body before it, which had line breaks of its own."""
        last = self.events[-1] if self.events else None
        if not isinstance(last, Response) or last.status == 101:
            return False
        text = f"{last.body.decode()}\n{line}"
        self.events[-1] = _answered(last.exchange, last.connection, last.at_ns, text)
        return True


def _answered(exchange: int, connection: int, at_ns: int, text: str) -> Response:
    body = text.encode()
    kind = "application/json" if text[:1] in ("{", "[") else "text/plain; charset=utf-8"
    headers = (("Content-Type", kind), ("Content-Length", str(len(body))))
    return Response(exchange, connection, at_ns, at_ns, 200, headers, body, "OK")


def _payload(data: str) -> str | bytes:
    """Return the message that ``data`` stands for; ``b'...'`` is a binary one."""
    if data[:2] not in ("b'", 'b"') or data[-1:] != data[1:2]:
        return data
    try:
        value = ast.literal_eval(data)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return data
    return value if isinstance(value, bytes) else data
