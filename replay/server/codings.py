"""Content codings of bodies: gzip and deflate always, brotli and zstd where they are installed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache

from perfscan.replay.server.bounded import Bounded

KEPT_BYTES = 16 * 1024 * 1024
"""Bodies and their compressed forms that stay in memory."""
Step = Callable[[bytes], bytes]
Coder = tuple[Step, Callable[[], bytes], Callable[[], bytes]]
"""Compresses some bytes; ends a piece, so that the client can read all of it; ends the body."""


def agreed(encoding: str, accepted: str) -> str:
    """Return the coding to use: the recorded one where client and server know it, else none.

    ``accepted`` is the client's Accept-Encoding.
    """
    wanted = encoding.strip().lower()
    if not wanted or wanted not in _CODERS or not _accepts(accepted, wanted):
        return ""
    return wanted if available(wanted) else ""


def encode(encoding: str, body: bytes, sizes: Sequence[int] = ()) -> tuple[bytes, ...]:
    """Return ``body`` in ``encoding``, cut so that each piece can be decoded when it has come.

    ``sizes`` are bytes of ``body``, which they add up to; empty for one piece. The
    result is kept for a while.
    """
    about = encoding, body, tuple(sizes)
    pieces = _ENCODED.get(about)
    if pieces is None:
        pieces = _encode(encoding, body, sizes)
        _ENCODED.put(about, pieces, len(body) + sum(map(len, pieces)))
    return pieces


def _encode(encoding: str, body: bytes, sizes: Sequence[int]) -> tuple[bytes, ...]:
    compress, end_piece, end = _CODERS[encoding]()
    *firsts, last = _cut(body, sizes or (len(body),))
    return (*(compress(piece) + end_piece() for piece in firsts), compress(last) + end())


_ENCODED: Bounded[tuple[str, bytes, Sequence[int]], tuple[bytes, ...]] = Bounded(KEPT_BYTES)


@cache
def available(encoding: str) -> bool:
    """Tell whether the server can write ``encoding``."""
    try:
        _CODERS[encoding]()
    except (ImportError, KeyError):
        return False
    return True


def _cut(body: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield body[at : at + size]
        at += size


@lru_cache(maxsize=256)
def _accepts(accepted: str, wanted: str) -> bool:
    """Read an Accept-Encoding such as ``gzip, br;q=0.5, *;q=0``."""
    qualities = {}
    for part in accepted.lower().split(","):
        name, _, parameters = part.partition(";")
        quality = parameters.replace(" ", "").removeprefix("q=")
        qualities[name.strip()] = quality.strip("0.") != "" if parameters else True
    names = (wanted, wanted.removeprefix("x-"), "*")
    return next((qualities[name] for name in names if name in qualities), False)


def _zlib(window: int) -> Coder:
    coder = zlib.compressobj(level=1, wbits=window)  # as nginx does by default, and quickly
    return coder.compress, lambda: coder.flush(zlib.Z_SYNC_FLUSH), coder.flush


def _brotli() -> Coder:
    import brotli

    coder = brotli.Compressor(quality=4)
    return coder.process, coder.flush, coder.finish


def _zstd() -> Coder:
    import zstandard

    coder = zstandard.ZstdCompressor().compressobj()
    return coder.compress, lambda: coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK), coder.flush


_CODERS: dict[str, Callable[[], Coder]] = {
    "gzip": lambda: _zlib(31),
    "x-gzip": lambda: _zlib(31),
    "deflate": lambda: _zlib(15),
    "br": _brotli,
    "zstd": _zstd,
}
