"""Content codings: how a body was packed for the wire."""

from __future__ import annotations

import zlib

from perfscan.replay.model import Headers

COMPRESSIONS = ("gzip", "x-gzip", "deflate")
_TRANSFER = frozenset(["content-encoding", "transfer-encoding", "content-length"])
_LARGEST = 1 << 30
"""Bytes that a body may unpack to; more is an attack or damage."""


def coding_of(headers: Headers) -> str:
    """Return the content coding that ``headers`` name, in lower case; empty for none."""
    found = (value for name, value in headers if name.lower() == "content-encoding")
    return next(found, "").strip().lower()


def inflated(coding: str, body: bytes) -> bytes | None:
    """Return ``body`` unpacked; None where the coding is not known here or the data is damaged."""
    if coding not in COMPRESSIONS:
        return None
    for window in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):  # gzip or zlib by header, raw deflate
        unpacking = zlib.decompressobj(window)
        try:
            plain = unpacking.decompress(body, _LARGEST)
        except zlib.error:
            continue
        if unpacking.eof:
            return plain
    return None


def as_stored(headers: Headers, body: bytes, *, head: bool = False) -> tuple[Headers, bytes, str]:
    """Return headers, plain body and coding of a response whose body may still be packed.

    Formats keep bodies packed or plain beside the headers of the packed one; the data itself says
    which. A body whose coding is not known here stays packed, with its header. With ``head`` (the
    answer to a HEAD request) the headers speak of a body that is not there, and stay.
    """
    if head:
        return headers, b"", ""
    coding = coding_of(headers)
    plain = inflated(coding, body)
    gone = set(_TRANSFER)
    if plain is None:
        plain = body
        if coding and not _is_text(body):
            coding = ""
            gone.discard("content-encoding")
    kept = tuple(pair for pair in headers if pair[0].lower() not in gone)
    return ((*kept, ("Content-Length", str(len(plain)))) if plain else kept), plain, coding


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
