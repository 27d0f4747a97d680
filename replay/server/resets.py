"""Makes the end of a connection a reset (RST) instead of an orderly close."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

_AT_ONCE = struct.pack("ii", 1, 0)  # struct linger: on, for 0 s


def reset_on_close(transport: asyncio.Transport) -> None:
    """Let the client see a reset when ``transport`` is closed or aborted."""
    with contextlib.suppress(OSError):  # it is gone already
        own_socket = transport.get_extra_info("socket")
        own_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
