"""WebSocket frames of a server: never masked, so made once and written to everybody as they are."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.extensions.permessage_deflate import (
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Opcode
from websockets.headers import build_extension, parse_extension

WINDOW_BITS = 12
"""Compressed frames refer 4 KiB back at most, so that clients with any larger window share them."""
_FIN = 0x80
_COMPRESSED = 0x40
_OPCODE = 0x0F
_TAIL = b"\x00\x00\xff\xff"


def frame_of(data: str | bytes, sizes: Sequence[int] = ()) -> bytes:
    """Return a message as one frame, or as several whose payloads have these sizes."""
    if isinstance(data, str):
        return _framed(Opcode.TEXT, data.encode("utf-8", "surrogatepass"), sizes)
    return _framed(Opcode.BINARY, data, sizes)


def ping_of(data: bytes) -> bytes:
    """Return a ping."""
    return _head(_FIN | Opcode.PING, len(data)) + data


def _framed(first: int, payload: bytes, sizes: Sequence[int]) -> bytes:
    """Return frames; ``first`` is the opcode with its reserved bits."""
    if len(sizes) < 2:
        return _head(_FIN | first, len(payload)) + payload
    pieces, at = [], 0
    for size in sizes[:-1]:
        pieces.append(payload[at : at + size])
        at += size
    pieces.append(payload[at:])
    heads = [first, *[Opcode.CONT] * (len(pieces) - 1)]
    heads[-1] |= _FIN
    return b"".join(
        _head(head, len(piece)) + piece for head, piece in zip(heads, pieces, strict=True)
    )


def _head(first: int, length: int) -> bytes:
    if length < 126:
        return bytes((first, length))
    if length < 1 << 16:
        return struct.pack("!BBH", first, 126, length)
    return struct.pack("!BBQ", first, 127, length)


def parts_of(frames: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the first byte and the payload of each frame of a server."""
    at = 0
    while at < len(frames):
        first, length = frames[at], frames[at + 1]
        at += 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(frames[at : at + size])
            at += size
        yield first, frames[at : at + length]
        at += length


class Deflater:
    """Compresses frames so that none refers to another, and any client can be given any of them."""

    def __init__(self) -> None:
        self._encoder = zlib.compressobj(wbits=-WINDOW_BITS)

    def __call__(self, frames: bytes) -> bytes:
        """Return the frames of one message compressed, control frames as they are."""
        parts = list(parts_of(frames))
        opcode = parts[0][0] & _OPCODE
        if opcode not in (Opcode.TEXT, Opcode.BINARY):
            return frames
        payload = b"".join(data for _, data in parts)
        # A full flush forgets what came before, as a new encoder would, for a tenth of its cost.
        packed = self._encoder.compress(payload) + self._encoder.flush(zlib.Z_FULL_FLUSH)
        packed = packed.removesuffix(_TAIL)
        size = -(-len(packed) // len(parts))
        return _framed(opcode | _COMPRESSED, packed, [size] * len(parts))


def agree_on_compression(offered: str, recorded: str) -> tuple[str, PerMessageDeflate] | None:
    """Return the header's value and the decoder for what the client sends.

    None where the client does not offer permessage-deflate, or offers it with a smaller window, or
    where the recorded service had not agreed on it.
    """
    if not offered or "permessage-deflate" not in recorded:
        return None
    factory = ServerPerMessageDeflateFactory(
        server_no_context_takeover=True, server_max_window_bits=WINDOW_BITS
    )
    try:
        for name, parameters in parse_extension(offered):
            if name != factory.name:
                continue
            try:
                agreed, decoder = factory.process_request_params(parameters, [])
            except NegotiationError:
                continue  # another offer of the client may do
            if isinstance(decoder, PerMessageDeflate) and (
                decoder.local_max_window_bits >= WINDOW_BITS
            ):
                return build_extension([(name, agreed)]), decoder
    except InvalidHeader:
        pass
    return None
