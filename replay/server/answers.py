"""Recorded answers in the form in which they are served again."""

from __future__ import annotations

import json
import marshal
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from perfscan.replay.exchanges import Exchange
from perfscan.replay.json_text import around, elements
from perfscan.replay.keys import Asked, Call
from perfscan.replay.model import Failure, Headers, Miss, Outcome, Response
from perfscan.replay.server.dice import Damage

MISS_STATUS = 599
MISS_CODE = -32599
"""JSON-RPC error code of a batch element that the recording does not hold."""
WORTH_A_TIMER_NS = 1_000_000
"""What is due within so little time is written at once: a body with its head."""
MIN_PART_LENGTH = 6
"""Of an id in a path that is exchanged in the answer, too; shorter ones could be anything there."""
_FRAMING = frozenset(
    ["connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "trailer"]
)

WORTH_COMPRESSING = 500
"""Bytes; the default of Starlette's middleware. A service leaves less as it is."""
Pieces = tuple[tuple[int, int], ...]
"""As in Response: for each piece, nanoseconds after the first byte and bytes of the body."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recorded answer to one call, cut where the id of a JSON-RPC call goes."""

    exchange: int
    status: int
    reason: str
    headers: Headers
    """Without those that frame the body."""
    body: bytes
    around_id: tuple[bytes, bytes] | None
    service_ns: int
    """From the request's last byte to the answer's first."""
    body_ns: int
    """From the answer's first byte to its last."""
    closes: bool = False
    """The service closed the connection afterwards, unasked."""
    broke: bool = False
    """There was no answer: the connection broke after ``service_ns``."""
    encoding: str = ""
    """Content coding of the body on the wire."""
    pieces: Pieces = ()
    """How the body came, where it did not come at once."""
    chunked: bool = False
    parts: tuple[str, ...] = ()
    """What stood in the path of the request where it does not matter."""

    @property
    def successful(self) -> bool:
        """Whether the answer may stand for later ones."""
        return self.status < 400 and not self.broke

    def body_for(self, call: Call) -> bytes:
        """Return the body with the ids that ``call`` uses."""
        body = self.body
        if self.around_id is not None:
            body = json.dumps(call.rpc_id).encode().join(self.around_id)
        for own, asked in zip(self.parts, call.parts, strict=False):
            if own != asked and len(own) >= MIN_PART_LENGTH:
                body = _word(own).sub(asked.encode().replace(b"\\", rb"\\"), body)
        return body

    def is_for(self, call: Call) -> bool:
        """Tell whether the body is as ``call`` should get it."""
        return self.around_id is None and self.parts == call.parts


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back for one HTTP request, and when."""

    outcome: Outcome
    recorded: int | None
    status: int
    reason: str
    headers: Headers
    body: bytes
    service_ns: int = 0
    body_ns: int = 0
    closes: bool = False
    broke: bool = False
    miss: Miss | None = None
    encoding: str = ""
    pieces: Pieces = ()
    chunked: bool = False
    damage: Damage | None = None
    """How an injected fault spoils it."""
    handed: tuple[tuple[int, int], ...] = ()
    """Of a long poll: the number of each update in it, and when that was due in this run."""
    polled: bool = False
    """It answers a long poll."""
    head: bytes = field(init=False, repr=False, compare=False)
    """Status line and headers without the empty line that ends them."""
    plain: bool = field(init=False, repr=False, compare=False)
    """It is written in one go or two, as it is."""
    whole: bytes = field(init=False, repr=False, compare=False)
    """All that is written for a request other than HEAD on a connection that stays, where that
    goes out at once; empty where it does not."""

    @property
    def bodiless(self) -> bool:
        """Whether HTTP allows no body with such a status."""
        return self.status < 200 or self.status in (204, 304)

    @property
    def accepts(self) -> bool:
        """Whether the service did what it was asked for."""
        return self.status < 400 and not self.broke and self.damage is None

    @property
    def is_stream(self) -> bool:
        """Whether it may go on for ever, so that nobody waits for its end."""
        kinds = (value for name, value in self.headers if name.lower() == "content-type")
        return any(kind.lower().startswith("text/event-stream") for kind in kinds)

    def __post_init__(self) -> None:
        shaped = self.encoding or self.pieces or self.chunked or self.damage
        head = head_of(self.status, self.reason, self.headers)
        later = shaped or self.broke or self.bodiless or self.body_ns >= WORTH_A_TIMER_NS
        length = b"Content-Length: %d\r\n\r\n" % len(self.body)
        object.__setattr__(self, "plain", not shaped)
        object.__setattr__(self, "head", head)
        object.__setattr__(self, "whole", b"" if later else head + length + self.body)


@lru_cache(maxsize=4096)
def head_of(status: int, reason: str, headers: Headers) -> bytes:
    """Return status line and headers without the empty line that ends them."""
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1", "replace")


def pack(recorded: Recorded) -> bytes:
    """Return a recorded answer as bytes, for a while: the format is this Python's own."""
    return marshal.dumps(tuple(getattr(recorded, name) for name in Recorded.__slots__))


def unpack(data: bytes) -> Recorded:
    """Return what :func:`pack` was given."""
    return Recorded(*marshal.loads(data))


def recorded_answers(
    exchange: Exchange, asked: Asked, failure: Failure | None, *, timed: bool
) -> Iterator[Recorded | None]:
    """Yield for each call of a recorded exchange its answer, None where it never came.

    ``failure`` is what broke the exchange, if anything did. Without ``timed`` all waits are 0.
    """
    response = exchange.response
    if response is None:
        waited = max(0, failure.at_ns - exchange.request.at_ns) if failure and timed else 0
        broken = Recorded(exchange.request.exchange, 0, "", (), b"", None, waited, 0, broke=True)
        yield from (broken if failure else None for _ in asked.calls)
        return
    headers = lasting_headers(response, exchange.request.method)
    service_ns = max(0, response.at_ns - exchange.request.at_ns) if timed else 0
    body_ns = max(0, response.end_ns - response.at_ns) if timed else 0
    closes = _says_close(response.headers) and not _says_close(exchange.request.headers)
    pieces = response.pieces if timed else ()
    chunked = _is_chunked(response)
    for call, part in zip(asked.calls, _bodies(asked, response.body), strict=True):
        yield part and Recorded(
            *(response.exchange, response.status, response.reason, headers, *part),
            *(service_ns, body_ns, closes),
            encoding=response.encoding,
            pieces=pieces,
            chunked=chunked,
            parts=call.parts,
        )


def compressed(recorded: Recorded) -> Recorded:
    """Return an answer that goes out in gzip to who accepts it, where that is worth it."""
    coded = any(name.lower() == "content-encoding" for name, _ in recorded.headers)
    if coded or len(recorded.body) < WORTH_COMPRESSING:
        return recorded
    return replace(recorded, encoding="gzip")


def lasting_headers(response: Response, method: str = "GET") -> Headers:
    """Return the headers of an answer but for those that frame its body."""
    framing = _FRAMING
    if method == "HEAD":  # there the length is all that is said of the body
        framing = _FRAMING - {"content-length"}
    if response.encoding:  # the body is kept decoded
        framing |= {"content-encoding"}
    return tuple(pair for pair in response.headers if pair[0].lower() not in framing)


def join_batch(asked: Asked, parts: Sequence[Answer]) -> Answer:
    """Return one answer for a JSON-RPC batch from the answers to its elements.

    It takes as long as its slowest element. An element that was refused (429, say) refuses all.
    """
    refused = next((part for part in parts if part.status >= 400 or part.broke), None)
    first = refused or parts[0]
    answered = zip(asked.calls, parts, strict=True)
    bodies = [part.body for call, part in answered if call.rpc_id is not None]
    missed = [part.miss for part in parts if part.miss is not None]
    outcomes = {part.outcome for part in parts}
    return Answer(
        outcome="miss" if missed else "extra" if "extra" in outcomes else "hit",
        recorded=next((part.recorded for part in parts if part.recorded is not None), None),
        status=first.status,
        reason=first.reason,
        headers=first.headers,
        body=refused.body if refused else b"[" + b",".join(bodies) + b"]",
        service_ns=max(part.service_ns for part in parts),
        body_ns=max(part.body_ns for part in parts),
        closes=any(part.closes for part in parts),
        broke=first.broke,
        encoding=first.encoding,
        miss=missed[0] if missed else None,
    )


def refuse(miss: Miss) -> Answer:
    """Return the unmistakable error for a request that is not in the recording."""
    body = {
        "error": "not in the recording",
        "request": miss.request,
        "nearest": list(miss.nearest),
        "from": "perfscan replay",
    }
    return _made("miss", MISS_STATUS, "Not In The Recording", body, miss)


def refuse_element(call: Call, miss: Miss) -> Answer:
    """Return the error for one element of a batch, whose other elements may be answered."""
    error = {"code": MISS_CODE, "message": f"perfscan replay: not in the recording: {miss.request}"}
    body = {"jsonrpc": "2.0", "id": call.rpc_id, "error": error}
    return _made("miss", 200, "OK", body, miss)


def _made(
    outcome: Literal["miss"], status: int, reason: str, body: dict[str, Any], miss: Miss
) -> Answer:
    headers = (("Content-Type", "application/json"),)
    return Answer(outcome, None, status, reason, headers, json.dumps(body).encode(), miss=miss)


Cut = tuple[bytes, bytes] | None


def _bodies(asked: Asked, body: bytes) -> Iterator[tuple[bytes, Cut] | None]:
    """Yield for each call its part of the body; all of it where it cannot be parted.

    Notifications of a batch have no part, which is an answer, too; None where one is missing.
    """
    try:
        text = body.decode()
        parts = {_id_of(part): part for part in elements(text)} if asked.is_batch else None
    except (ValueError, RecursionError):
        yield from ((body, None) for _ in asked.calls)
        return
    for call in asked.calls:
        part = text if parts is None else parts.get(json.dumps(call.rpc_id))
        if part is not None:
            yield part.encode(), _cut_at_id(part) if call.is_rpc else None
        else:
            yield (b"", None) if call.rpc_id is None else None


@lru_cache(maxsize=1024)
def _word(word: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![\w-])%b(?![\w-])" % re.escape(word.encode()))


def _cut_at_id(text: str) -> Cut:
    cut = around(text, ("id",))
    return None if cut is None else (cut[0].encode(), cut[1].encode())


def _id_of(text: str) -> str:
    value = json.loads(text)
    return json.dumps(value.get("id")) if isinstance(value, dict) else ""


def _is_chunked(response: Response) -> bool:
    """Tell whether a body was, or must have been, sent without telling its length beforehand."""
    named = {name.lower(): value.lower() for name, value in response.headers}
    return (
        (bool(response.pieces) and "content-length" not in named)
        or "chunked" in named.get("transfer-encoding", "")
        or "text/event-stream" in named.get("content-type", "")
    )


def _says_close(headers: Headers) -> bool:
    return any(name.lower() == "connection" and "close" in value.lower() for name, value in headers)
