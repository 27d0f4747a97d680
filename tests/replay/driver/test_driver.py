"""The driver against a small bot in the same event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import websockets.asyncio.server

from perfscan.replay.driver.driver import Driver
from perfscan.replay.driver.plan import plan_driving
from perfscan.replay.model import (
    DRIVEN,
    Close,
    Driven,
    Event,
    Failure,
    Message,
    Observed,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
    StreamStart,
)
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.timeline import Pace

MS = 1_000_000
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


def calls(*at_ms: int, connection: int = 1) -> list[Event]:
    events: list[Event] = [Open(connection, 0, "http", "127.0.0.1", 8000, inbound=True)]
    for number, at in enumerate(at_ms, 1):
        events += [
            Request(number, connection, at * MS, "POST", f"/{number}", (), b"{}"),
            Response(number, connection, (at + 1) * MS, (at + 1) * MS, 200),
        ]
    return events


async def drive(events: list[Event], port: int, done: Callable[[Driver], bool]) -> list[Observed]:
    seen: list[Observed] = []
    alarm = Alarm(asyncio.get_running_loop())
    recording = Recording(RecordingHeader(), tuple(sorted(events, key=lambda one: one.at_ns)))
    driver = Driver(plan_driving(recording), {8000: port}, Pace(1), alarm, seen.append)
    await driver.wait_for_bot()
    async with asyncio.timeout(20):
        while not done(driver):
            await asyncio.sleep(0.005)
    await driver.close()
    return seen


def settled(driver: Driver) -> bool:
    status = driver.status()
    return status["unsent"] == 0 and status["unanswered"] == 0


async def with_bot(handle: Handle, events: list[Event]) -> list[Observed]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        return await drive(events, server.sockets[0].getsockname()[1], settled)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def of(kind: type, seen: list[Observed]) -> list[Observed]:
    return [event for event in seen if isinstance(event, kind)]


def test_requests_go_over_the_recorded_connection_at_their_times() -> None:
    seen = asyncio.run(with_bot(answer, calls(0, 20, 40)))

    (start,) = [event for event in seen if isinstance(event, StreamStart)]
    assert start.recorded_ns == 0
    due = [(event.due_ns - start.at_ns) // MS for event in seen if isinstance(event, Driven)]
    assert due == [0, 20, 40]
    assert all(event.at_ns >= event.due_ns for event in seen if isinstance(event, Driven))
    opened = [event for event in seen if isinstance(event, Open)]
    assert [(one.connection, one.inbound) for one in opened] == [(1 + DRIVEN, True)]
    answers = [event for event in seen if isinstance(event, Response)]
    assert [(one.exchange, one.body) for one in answers] == [
        (number + DRIVEN, b"ok") for number in (1, 2, 3)
    ]


def test_a_slow_answer_holds_nothing_up() -> None:
    """The bot answers nothing until the third request is there."""
    waiting: list[asyncio.StreamWriter] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        waiting.append(writer)
        if len(waiting) == 3:
            for one in waiting:
                one.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.read()

    seen = asyncio.run(with_bot(hold, calls(0, 5, 10)))

    assert len(of(Response, seen)) == 3
    numbers = [event.connection for event in seen if isinstance(event, Open)]
    assert numbers == [1 + DRIVEN, 2 * DRIVEN, 2 * DRIVEN + 1]


def test_a_connection_that_the_bot_closes_is_opened_again() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    seen = asyncio.run(with_bot(once, calls(0, 30)))

    assert len(of(Response, seen)) == 2
    assert len(of(Open, seen)) == 2


def test_no_answer_is_a_failure_of_that_request() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")

    seen = asyncio.run(with_bot(hang_up, calls(0)))

    (failure,) = [event for event in seen if isinstance(event, Failure)]
    assert failure.exchange == 1 + DRIVEN
    assert failure.detail == "the bot closed the connection without an answer"


def test_what_is_no_http_is_a_failure() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"what?\r\n\r\n")
        await reader.read()

    seen = asyncio.run(with_bot(babble, calls(0)))

    (failure,) = [event for event in seen if isinstance(event, Failure)]
    assert "not HTTP" in failure.detail


def test_websocket_clients_talk_and_listen() -> None:
    events = [
        Open(4, 0, "http", "127.0.0.1", 8000, inbound=True),
        Request(4, 4, 1 * MS, "GET", "/ws"),
        Response(4, 4, 2 * MS, 2 * MS, 101),
        Message(4, 3 * MS, "received", json.dumps({"id": 1})),
        Message(4, 20 * MS, "received", b"\x00\x01"),
        Close(4, 60 * MS, "upstream", 1000),
    ]

    async def echo(socket: websockets.asyncio.server.ServerConnection) -> None:
        await socket.send("welcome")
        async for message in socket:
            await socket.send(message)

    async def watched() -> list[Observed]:
        async with websockets.asyncio.server.serve(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            got: list[Observed] = []

            def closed(driver: Driver) -> bool:
                lines = driver._lines[4]
                return bool(lines) and lines[0].over

            got += await drive(events, port, closed)
            return got

    seen = asyncio.run(watched())

    messages = [(one.direction, one.data) for one in seen if isinstance(one, Message)]
    assert messages.count(("sent", "welcome")) == 1
    assert [data for direction, data in messages if direction == "received"] == [
        '{"id": 1}', b"\x00\x01",
    ]  # fmt: skip
    assert [data for direction, data in messages if direction == "sent"] == [
        "welcome", '{"id": 1}', b"\x00\x01",
    ]  # fmt: skip
    (close,) = [event for event in seen if isinstance(event, Close)]
    assert (close.connection, close.by) == (4 + DRIVEN, "upstream")
