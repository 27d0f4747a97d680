"""Compressed files that grow event by event: gzip and Zstandard.

Whatever was flushed can be read again after a kill, up to the cut.
"""

from __future__ import annotations

import io
import zlib
from gzip import GzipFile
from pathlib import Path
from typing import IO, Any, Protocol

from perfscan.errors import InputError, MissingExtraError

CHUNK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class Packer(Protocol):
    """Compresses what is written to it; closing it does not close the file below."""

    def write(self, data: bytes, /) -> Any:
        """Take some bytes."""

    def flush(self) -> Any:
        """Hand everything to the file below, so that it can be unpacked up to here."""

    def close(self) -> Any:
        """Write the end of the compressed data."""


def packer(file: IO[bytes], name: Path) -> Packer | None:
    """Return what compresses into ``file`` as the suffix of ``name`` says; None for plain."""
    if name.suffix == ".gz":
        return GzipFile(filename="", mode="wb", fileobj=file, mtime=0)
    if name.suffix == ".zst":
        packing: Packer = _zstandard().ZstdCompressor().stream_writer(file, closefd=False)
        return packing
    return None


def unpacked(raw: bytes, path: Path) -> bytes:
    """Return ``raw`` unpacked, if its content says that it is packed, as far as a cut file goes.

    Raises InputError for damaged data; ``path`` is for its message.
    """
    target = io.BytesIO()
    return target.getvalue() if unpack(io.BytesIO(raw), target, path) else raw


def unpack(packed: IO[bytes], target: IO[bytes], path: Path) -> bool:
    """Write what ``packed`` holds to ``target``, as far as a cut file goes; False if not packed.

    Raises InputError for damaged data; ``path`` is for its message.
    """
    chunk = packed.read(CHUNK)
    if chunk.startswith(_GZIP_MAGIC):
        name, start, damage = "gzip", _gunzip, zlib.error
    elif chunk.startswith(_ZSTD_MAGIC):
        module = _zstandard()
        name, start, damage = "Zstandard", module.ZstdDecompressor().decompressobj, module.ZstdError
    else:
        return False
    member, size = start(), 0
    try:
        while chunk:
            size += target.write(member.decompress(chunk))
            chunk = member.unused_data if member.eof else b""
            member = start() if member.eof else member
            chunk = chunk or packed.read(CHUNK)
    except damage as error:
        if not size:
            raise InputError(
                f"damaged {name} data: {error}", where=str(path), remedy="record it again"
            ) from error
    return True


def _gunzip() -> Any:
    return zlib.decompressobj(wbits=31)


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise MissingExtraError("Zstandard compression", "bench") from error
    return zstandard
