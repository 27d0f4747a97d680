"""How an answer goes over the wire: its framing, its pieces in time, and how it goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from perfscan.replay.server.answers import WORTH_A_TIMER_NS, Answer, Pieces
from perfscan.replay.server.codings import agreed, encode
from perfscan.replay.server.dice import Damage

TRICKLES_PER_S = 10
"""Pieces a second in which a slow body comes."""
_BROKEN_HEAD = b"HTTP/1.1 2OO OK\r\nContent-Length: many\r\n\r\n"
Part = tuple[int, bytes]
"""Nanoseconds after the first byte, and what is written then."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What matters of a request for the form of its answer."""

    method: str
    accept_encoding: str = ""
    old: bool = False
    """It speaks HTTP/1.0, which knows no chunks."""
    last: bool = False
    """The connection closes after the answer."""


@dataclass(frozen=True, slots=True)
class Script:
    """What is written when, and what then becomes of the connection."""

    parts: tuple[Part, ...]
    size: int
    """Bytes of the body as the application sees it."""
    end: Literal["keep", "close", "reset", "stall"]


def script(answer: Answer, wanted: Wanted, head: bytes, pace: Callable[[int], int]) -> Script:
    """Return how ``answer`` is written; ``head`` is status line and headers but for the framing."""
    bodiless = wanted.method == "HEAD" or answer.bodiless
    body = b"" if bodiless else answer.body
    damage = answer.damage
    if damage is not None and damage.kind == "silence":
        return Script((), 0, "stall")
    if damage is not None and damage.kind == "malformed":
        return _malformed(damage.where, body, head, wanted)
    framing, parts = _whole(answer, body, wanted, pace, bodiless=bodiless)
    closing = b"Connection: close\r\n\r\n" if wanted.last else b"\r\n"
    whole = [(0, head + framing + closing), *parts]
    if damage is not None:
        return _broken(damage, whole, has_body=bool(body))
    return Script(tuple(_merged(whole)), len(body), "close" if wanted.last else "keep")


def trickle(size: int, bytes_per_s: float) -> Pieces:
    """Return the pieces in which a body of ``size`` bytes comes at a speed."""
    piece = max(1, round(bytes_per_s / TRICKLES_PER_S))
    starts = range(0, size, piece)
    return tuple(
        (round(min(at + piece, size) / bytes_per_s * 1e9), min(piece, size - at)) for at in starts
    )


def _whole(
    answer: Answer, body: bytes, wanted: Wanted, pace: Callable[[int], int], *, bodiless: bool
) -> tuple[bytes, list[Part]]:
    """Return the headers that frame the body, and the body as it is written."""
    if bodiless:
        return b"", []
    pieces = _fitted(answer.pieces, len(body)) or ((answer.body_ns, len(body)),)
    coding = agreed(answer.encoding, wanted.accept_encoding) if body else ""
    sizes = tuple(size for _, size in pieces)
    coded = encode(coding, body, sizes) if coding else tuple(cut(body, sizes))
    framing = b"Content-Encoding: %b\r\n" % coding.encode() if coding else b""
    times = [pace(after_ns) for after_ns, _ in pieces]
    if not answer.chunked or wanted.old:
        framing += b"Content-Length: %d\r\n" % sum(map(len, coded))
        return framing, list(zip(times, coded, strict=True))
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b"" for piece in coded]
    end_ns = max(times[-1], pace(answer.body_ns))
    parts = [*zip(times, chunks, strict=True), (end_ns, b"0\r\n\r\n")]
    return framing + b"Transfer-Encoding: chunked\r\n", parts


def cut(body: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """Yield pieces of ``body`` of these sizes."""
    at = 0
    for size in sizes:
        yield body[at : at + size]
        at += size


def _fitted(pieces: Pieces, size: int) -> Pieces:
    """Return pieces that add up to ``size``, whatever was recorded: the last one takes the rest."""
    fitted, left = [], size
    for after_ns, recorded in pieces:
        if left:
            fitted.append((after_ns, min(recorded, left)))
            left -= fitted[-1][1]
    if left and fitted:
        after_ns, last = fitted[-1]
        fitted[-1] = (after_ns, last + left)
    return tuple(fitted)


def _merged(parts: Sequence[Part]) -> Iterator[Part]:
    """Yield parts with those joined that are due almost at the same time, in order."""
    begin_ns, data = parts[0]
    for at_ns, more in parts[1:]:
        if at_ns - begin_ns < WORTH_A_TIMER_NS:
            data += more
        else:
            yield begin_ns, data
            begin_ns, data = at_ns, more
    yield begin_ns, data


def _broken(damage: Damage, whole: list[Part], *, has_body: bool) -> Script:
    """Cut an answer short: nothing or half of its body, or a stall right after its head."""
    (_, head), *body = whole
    if damage.kind == "reset" and not has_body:
        return Script((), 0, "reset")
    left = sum(len(data) for _, data in body) // 2
    if damage.kind == "stall" and damage.where < 0.5:
        left = 0
    kept = [(0, head)]
    for at_ns, data in body:
        kept += [(at_ns, data[:left])] if left > 0 else []
        left -= len(data)
    return Script(tuple(_merged(kept)), 0, "reset" if damage.kind == "reset" else "stall")


def _malformed(where: float, body: bytes, head: bytes, wanted: Wanted) -> Script:
    """Break an answer in one of three ways; of one without body only the head can break."""
    half = body[: len(body) // 2]
    if where < 1 / 3 and half:
        head += b"Content-Length: %d\r\n" % len(half)
        head += b"Connection: close\r\n\r\n" if wanted.last else b"\r\n"
        return Script(((0, head + half),), 0, "close" if wanted.last else "keep")
    if where < 2 / 3 and half:
        head += b"Transfer-Encoding: chunked\r\n\r\nno size\r\n"
        return Script(((0, head + half),), 0, "close")
    return Script(((0, _BROKEN_HEAD),), 0, "close")
