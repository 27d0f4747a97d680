"""Each connection is served in a task of its own, until the listener is closed."""

from __future__ import annotations

import asyncio
import socket

import pytest

from perfscan.replay.recorder import listening
from perfscan.replay.recorder.listening import Listener


def listen() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


async def answer(accepted: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with accepted:
        await loop.sock_sendall(accepted, await loop.sock_recv(accepted, 100))


def test_connections_do_not_wait_for_each_other() -> None:
    async def run() -> list[bytes]:
        listener = Listener(listen(), answer)
        pairs = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(2)]
        answers = []
        for reader, writer in reversed(pairs):  # the first one keeps silent meanwhile
            writer.write(b"hello")
            answers.append(await reader.read())
            writer.close()
        await listener.close()
        return answers

    assert asyncio.run(run()) == [b"hello", b"hello"]


def test_closing_ends_what_does_not_end_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "FAREWELL_S", 0.0)
    begun = asyncio.Event()
    ended = []

    async def wait(accepted: socket.socket) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            accepted.close()
            ended.append(True)

    async def run() -> None:
        listener = Listener(listen(), wait)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        await begun.wait()
        await listener.close()
        assert await reader.read() == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", listener.port)

    asyncio.run(run())
    assert ended == [True]


def test_a_failed_accept_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "PAUSE_S", 0.0)

    async def run() -> bytes:
        loop = asyncio.get_running_loop()
        accept, failures = loop.sock_accept, [OSError(24, "Too many open files")]

        async def sock_accept(sock: socket.socket) -> tuple[socket.socket, object]:
            if failures:
                raise failures.pop()
            return await accept(sock)

        monkeypatch.setattr(loop, "sock_accept", sock_accept)
        listener = Listener(listen(), answer)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"hello")
        answered = await reader.read()
        writer.close()
        await listener.close()
        return answered

    assert asyncio.run(run()) == b"hello"
