"""Bodies as the application sees them: without content coding and chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perfscan.replay.content_coding import coding_of, unpacked
from perfscan.replay.model import Headers
from perfscan.replay.wire import header


@dataclass(frozen=True, slots=True)
class Plain:
    """A body without its coding, and what goes with it."""

    headers: Headers
    body: bytes
    encoding: str = ""
    """The coding that was undone."""
    pieces: tuple[tuple[int, int], ...] = ()
    """As in Response, in bytes of ``body``."""
    opaque: bool = False
    """The body is still coded: nothing here can undo it."""


def undo(
    headers: Headers,
    body: bytes,
    pieces: Sequence[tuple[int, int]] = (),
    *,
    cut: bool = False,
) -> Plain:
    """Return a message with its body as the application sees it.

    Headers that speak of the transfer (encoding, chunks) go, and Content-Length is set right.
    ``pieces`` count bytes of the coded ``body``; with ``cut`` its end may be missing.
    """
    coding = coding_of(headers)
    coded = bool(body) and coding not in ("", "identity")
    parts = unpacked(coding, _split(body, pieces), cut=cut) if coded else None
    if parts is None:
        if _chunked(headers) or cut:
            headers = _with_length(headers, {"transfer-encoding", "content-length"}, body)
        return Plain(headers, body, pieces=tuple(pieces), opaque=coded)
    plain = b"".join(parts)
    gone = {"transfer-encoding", "content-length", "content-encoding"}
    sizes = zip(pieces, map(len, parts), strict=False)
    late = tuple((after_ns, size) for (after_ns, _), size in sizes if size)
    return Plain(_with_length(headers, gone, plain), plain, coding, late)


def _split(body: bytes, pieces: Sequence[tuple[int, int]]) -> list[bytes]:
    parts, start = [], 0
    for _, size in pieces[:-1]:
        parts.append(body[start : start + size])
        start += size
    return [*parts, body[start:]]


def _chunked(headers: Headers) -> bool:
    return "chunked" in header(headers, "transfer-encoding").lower()


def _with_length(headers: Headers, gone: set[str], body: bytes) -> Headers:
    kept = (pair for pair in headers if pair[0].lower() not in gone)
    return (*kept, ("Content-Length", str(len(body))))
