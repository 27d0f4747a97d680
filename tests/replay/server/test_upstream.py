"""The doors of the upstream server; what comes in through them is in tests/endtoend."""

from __future__ import annotations

import asyncio
import errno
import os
import socket

import pytest

from perfscan.replay.model import Failure, Recording, RecordingHeader
from perfscan.replay.server import upstream as upstream_module
from perfscan.replay.server.turn import Seen
from perfscan.replay.server.upstream import Upstream


class Crowded(socket.socket):
    """A listening socket for which there is no descriptor at first."""

    tries = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.tries += 1
        if self.tries < 3:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


def test_a_door_that_cannot_be_opened_is_tried_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upstream_module, "ACCEPT_AGAIN_NS", 1_000_000)
    seen: list[Seen] = []

    async def main() -> tuple[bytes, int]:
        upstream = Upstream(Recording(RecordingHeader(), ()), report=seen.append)
        with Crowded() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            upstream.listen(listener, port=None, tls=False)
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            await upstream.close()
            return answer, listener.tries

    answer, tries = asyncio.run(asyncio.wait_for(main(), 10))
    assert answer.startswith(b"HTTP/1.1 599")
    failures = [event.detail for event in seen if isinstance(event, Failure)]
    assert failures == ["cannot accept: Too many open files"] * 2
    assert tries <= 5, "it does not try again and again while it waits"
