"""GoReplay captures: the traffic that came *to* a service, payloads between three monkeys.

Each payload begins with ``KIND ID TIME LATENCY`` (1 request, 2 its response, 3 the response of a
replay; nanoseconds), then the bytes of the message as they were on the wire.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from perfscan.errors import InputError
from perfscan.replay.content_coding import as_stored
from perfscan.replay.imported import Address, address_of, assemble, with_host
from perfscan.replay.model import Event, Headers, Recording, Request, Response

NAME = "GoReplay capture"
_SEPARATOR = "\n🐵🙈🙉\n".encode()
_HEADER = re.compile(rb"([123]) ([0-9A-Za-z]{8,64}) (\d{1,19})(?: (-?\d{1,19}))?(?: [^\n]*)?\n")
_REQUEST = re.compile(r"([A-Z]+) (\S+) HTTP/\d(?:\.\d)?")
_STATUS = re.compile(r"HTTP/\d(?:\.\d)? (\d{3})(?: (.*))?")
_EARLIEST_NS = 10**17


def detect(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a capture."""
    match = _HEADER.match(head)
    return match is not None and int(match[3]) >= _EARLIEST_NS


@dataclass(frozen=True, slots=True)
class _Payload:
    """One message."""

    kind: bytes
    name: bytes
    at_ns: int
    latency_ns: int
    start: str
    headers: Headers
    body: bytes
    where: str

    def mistake(self, what: str) -> InputError:
        """Build the error that names this payload."""
        return InputError(what, where=self.where, remedy="remove the payload")


def read(raw: bytes, path: Path) -> Recording:
    """Read the capture ``raw``; raises InputError with the payload that is not usable."""
    *parts, rest = raw.split(_SEPARATOR)
    payloads = [
        _payload(part, f"{path}: payload {number}") for number, part in enumerate(parts, start=1)
    ]
    if not any(one.kind == b"1" for one in payloads):
        raise InputError("the capture holds no requests", where=str(path), remedy="capture again")
    answers = {one.name: one for one in payloads if one.kind == b"2"}
    requests = [one for one in payloads if one.kind == b"1"]
    events = [
        event
        for number, one in enumerate(requests, start=1)
        for event in _events(number, one, answers.pop(one.name, None))
    ]
    kinds = Counter(one.kind for one in payloads)
    return assemble(
        events,
        source="GoReplay capture",
        timed=any(isinstance(event, Response) for event in events),
        notes=_notes(kinds, len(answers)),
        truncated=bool(rest.strip()),
    )


def _notes(kinds: Counter[bytes], stray: int) -> Iterator[str]:
    yield "inbound: these requests came to the recorded program"
    yield "connections: not recorded, one is assumed for each request"
    if kinds[b"2"] < kinds[b"1"]:
        yield f"{kinds[b'1'] - kinds[b'2'] + stray} requests have no response in the capture"
    if kinds[b"3"]:
        yield f"{kinds[b'3']} responses of replays are left out"
    if stray:
        yield f"{stray} responses without their request are left out"


def _payload(part: bytes, where: str) -> _Payload:
    match = _HEADER.match(part)
    if match is None:
        raise InputError(
            "does not begin with 'KIND ID TIME LATENCY'", where=where, remedy="remove the payload"
        )
    head, _, body = part[match.end() :].partition(b"\r\n\r\n")
    start, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.strip(), value.strip()) for name, _, value in pairs if name.strip())
    if any(name.lower() == "transfer-encoding" and "chunked" in value for name, value in headers):
        body = _joined(body)
    latency_ns = max(0, int(match[4] or 0))
    return _Payload(match[1], match[2], int(match[3]), latency_ns, start, headers, body, where)


def _joined(chunks: bytes) -> bytes:
    """Return a chunked body in one piece, as far as it goes."""
    parts: list[bytes] = []
    while True:
        line, found, rest = chunks.partition(b"\r\n")
        size = re.match(rb"[0-9A-Fa-f]{1,8}", line)
        length = int(size[0], 16) if size and found else 0
        if length == 0:
            return b"".join(parts) if parts or size else chunks
        parts.append(rest[:length])
        chunks = rest[length + 2 :]


def _events(number: int, sent: _Payload, answer: _Payload | None) -> Iterator[Event]:
    match = _REQUEST.fullmatch(sent.start)
    if match is None:
        raise sent.mistake(f"{sent.start[:40]!r} is not the first line of a request")
    address = _address(sent, match[2])
    yield replace(address.opened(number, sent.at_ns), inbound=True)
    headers = with_host(sent.headers, address)
    yield Request(number, number, sent.at_ns, match[1], address.target, headers, sent.body)
    if answer is not None:
        yield _answered(number, sent, answer, head=match[1] == "HEAD")


def _answered(number: int, sent: _Payload, answer: _Payload, *, head: bool) -> Response:
    match = _STATUS.fullmatch(answer.start)
    if match is None or int(match[1]) < 100:
        raise answer.mistake(f"{answer.start[:40]!r} is not the first line of a response")
    at_ns = answer.at_ns if answer.at_ns > sent.at_ns else sent.at_ns + answer.latency_ns
    headers, body, coding = as_stored(answer.headers, answer.body, head=head)
    return Response(
        *(number, number, at_ns, at_ns, int(match[1]), headers, body, match[2] or ""),
        encoding=coding,
    )


def _address(sent: _Payload, target: str) -> Address:
    host = next((value for name, value in sent.headers if name.lower() == "host"), "localhost")
    url = target if "://" in target.partition("?")[0] else f"http://{host}/"
    try:
        found = address_of(url)
    except ValueError as error:
        raise sent.mistake(str(error)) from error
    return found if url is target else replace(found, target=target)
