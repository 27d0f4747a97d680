"""Content codings: how a body was packed for the wire.

gzip and deflate are always known, br and zstd where ``brotli`` or ``zstandard`` can be imported.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from perfscan.replay.model import Headers

_TRANSFER = frozenset(["content-encoding", "transfer-encoding", "content-length"])
_LARGEST = 1 << 30
"""Bytes that a piece of a gzip or deflate body may unpack to; more is an attack or damage."""


class Decoder(Protocol):
    """Undoes one coding, piece by piece."""

    @property
    def problem(self) -> type[Exception]:
        """What :meth:`feed` raises for data that are not so coded."""

    def feed(self, data: bytes) -> bytes:
        """Return what ``data`` completes."""

    def finished(self) -> bool:
        """Whether the end of the coded data was reached."""


def coding_of(headers: Headers) -> str:
    """Return the content coding that ``headers`` name, in lower case; empty for none."""
    found = (value for name, value in headers if name.lower() == "content-encoding")
    return next(found, "").strip().lower()


def inflated(coding: str, body: bytes) -> bytes | None:
    """Return ``body`` unpacked; None where the coding is not known here or the data is damaged."""
    parts = unpacked(coding, [body]) if coding else None
    return None if parts is None else b"".join(parts)


def unpacked(codings: str, parts: Sequence[bytes], *, cut: bool = False) -> list[bytes] | None:
    """Return the parts of a body, each unpacked as far as it goes; None where that fails.

    It fails where a coding is not known here and where the data is damaged. With ``cut`` the end
    may be missing.
    """
    found: list[bytes] | None = list(parts)
    for coding in reversed([name.strip() for name in codings.split(",")]):
        makers = _MAKERS.get(coding, ())
        attempts = (_run(maker, found or (), cut=cut) for maker in makers)
        found = next((attempt for attempt in attempts if attempt is not None), None)
        if found is None:
            return None
    return found


def _run(
    make: Callable[[], Decoder | None], parts: Sequence[bytes], *, cut: bool
) -> list[bytes] | None:
    decoder = make()
    if decoder is None:
        return None
    try:
        found = [decoder.feed(part) for part in parts]
        return found if cut or decoder.finished() else None
    except decoder.problem:
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


class _Zlib:
    problem = zlib.error

    def __init__(self, window: int) -> None:
        self._window = window
        self._decoder = zlib.decompressobj(window)

    def feed(self, data: bytes) -> bytes:
        found = self._decoder.decompress(data, _LARGEST)
        while self._decoder.eof and (rest := self._decoder.unused_data):  # members of a gzip file
            self._decoder = zlib.decompressobj(self._window)
            found += self._decoder.decompress(rest, _LARGEST)
        return found

    def finished(self) -> bool:
        return self._decoder.eof


class _Brotli:
    def __init__(self, module: Any) -> None:
        self.problem: type[Exception] = module.error
        self._decoder = module.Decompressor()

    def feed(self, data: bytes) -> bytes:
        return bytes(self._decoder.process(data))

    def finished(self) -> bool:
        return bool(self._decoder.is_finished())


class _Zstandard:
    def __init__(self, module: Any) -> None:
        self.problem: type[Exception] = module.ZstdError
        self._decoder = module.ZstdDecompressor().decompressobj()

    def feed(self, data: bytes) -> bytes:
        return bytes(self._decoder.decompress(data))

    def finished(self) -> bool:
        return bool(self._decoder.eof)


def _optional(module: str, decoder: Callable[[Any], Decoder]) -> Callable[[], Decoder | None]:
    def make() -> Decoder | None:
        try:
            return decoder(importlib.import_module(module))
        except ImportError:
            return None

    return make


_GZIP = (lambda: _Zlib(zlib.MAX_WBITS | 16),)
_MAKERS: dict[str, Sequence[Callable[[], Decoder | None]]] = {
    "gzip": _GZIP,
    "x-gzip": _GZIP,
    # Meant with a zlib header; some servers send it raw.
    "deflate": (lambda: _Zlib(zlib.MAX_WBITS), lambda: _Zlib(-zlib.MAX_WBITS)),
    "br": (_optional("brotli", _Brotli),),
    "zstd": (_optional("zstandard", _Zstandard),),
}
