"""The WebSocket side of the upstream server with real clients on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiohttp
import pytest
import websocket
from endtoend.serving import MS, Seen, get, recording, run, serving
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode

from perfscan.replay.model import (
    Close,
    Event,
    Message,
    Open,
    Ping,
    Pushed,
    Recording,
    Request,
    Response,
    Served,
    StreamStart,
)
from perfscan.replay.server.frames import frame_of
from perfscan.replay.server.playback import Settings

pytestmark = pytest.mark.endtoend

UPGRADE = (
    *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
SUBSCRIBE = {"jsonrpc": "2.0", "id": 1, "method": "logsSubscribe", "params": ["all"]}


def notice(number: int) -> dict[str, Any]:
    return {"method": "n", "params": {"subscription": 7, "result": number}}


def feed(times_ms: Iterable[int], *, last: Event | None = None) -> Recording:
    """Return a stream that is subscribed to at 10 ms, acknowledged at 30 ms, then pushes."""
    return recording(
        Open(1, 0, "http", "feed.example", 80),
        Request(1, 1, 1, "GET", "/live?api-key=abc"),
        Response(1, 1, 2, 2, 101),
        Message(1, 10 * MS, "sent", json.dumps(SUBSCRIBE)),
        Message(1, 30 * MS, "received", '{"jsonrpc":"2.0","result":7,"id":1}'),
        *[Message(1, at * MS, "received", json.dumps(notice(at))) for at in times_ms],
        *([last] if last else []),
    )


def address(port: int, target: str = "/live?api-key=other") -> dict[str, Any]:
    return {
        "uri": f"ws://feed.example{target}",
        "host": "127.0.0.1",
        "port": port,
        "proxy": None,
    }


def numbered(message: str | bytes) -> Any:
    value = json.loads(message)
    return value["params"]["result"] if "params" in value else value


@pytest.mark.parametrize("fast", [False, True], ids=["asyncio", "uvloop"])
def test_a_stream_begins_with_its_subscription_and_waits_for_nobody(fast: bool) -> None:
    traffic = feed([50, 80, 200, 240])

    async def main() -> tuple[list[Any], list[Any], Seen, dict[str, float]]:
        async with serving(traffic) as (port, seen, upstream):
            async with connect(**address(port)) as client:
                await asyncio.sleep(0.1)  # nothing comes to who has not subscribed
                await client.send(json.dumps(SUBSCRIBE | {"id": "mine"}))
                early = [numbered(await client.recv()) for _ in range(3)]
            await asyncio.sleep(0.05)
            async with connect(**address(port)) as client:
                await client.send(json.dumps(SUBSCRIBE | {"id": 2}))
                late = [numbered(await client.recv()) for _ in range(3)]
            await asyncio.sleep(0.01)
            return early, late, seen, upstream.status()

    early, late, seen, status = run(main(), fast=fast)
    assert early == [{"jsonrpc": "2.0", "result": 7, "id": "mine"}, 50, 80]
    assert late == [{"jsonrpc": "2.0", "result": 7, "id": 2}, 200, 240]
    (start,) = seen.of(StreamStart)
    assert (start.url, start.recorded_ns) == ("ws://feed.example/live", 10 * MS)
    pushed = seen.of(Pushed)
    assert [traffic.events[one.message].at_ns // MS for one in pushed] == [50, 80, 200, 240]
    assert [one.due_ns - start.at_ns for one in pushed] == [40 * MS, 70 * MS, 190 * MS, 230 * MS]
    assert all(one.at_ns >= one.due_ns - MS for one in pushed)
    assert status["stimuli_left"] == 0
    assert status["streams_started"] == 1
    assert [message.direction for message in seen.of(Message)] == ["sent", "received"] * 2


def test_what_is_pushed_while_nobody_listens_is_lost() -> None:
    async def main() -> tuple[list[Any], Seen]:
        async with serving(feed([40, 60, 150])) as (port, seen, _):
            async with connect(**address(port)) as client:
                await client.send(json.dumps(SUBSCRIBE))
                await client.recv()
            await asyncio.sleep(0.06)
            async with connect(**address(port)) as client:
                await client.send(json.dumps(SUBSCRIBE))
                return [numbered(await client.recv()) for _ in range(2)][1:], seen

    late, seen = run(main())
    assert late == [150]
    assert len(seen.of(Pushed)) <= 2


def test_a_stream_may_be_played_in_part() -> None:
    async def main() -> dict[str, float]:
        async with serving(feed([40, 60, 150]), Settings(until_s=0.06)) as (port, _, upstream):
            assert upstream.status()["stimuli_left"] == 2
            async with connect(**address(port)) as client:
                await client.send(json.dumps(SUBSCRIBE))
                assert [numbered(await client.recv()) for _ in range(3)][1:] == [40, 60]
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.recv(), 0.15)
            return upstream.status()

    assert run(main())["stimuli_left"] == 0


def test_a_message_that_was_not_recorded_is_a_miss() -> None:
    async def main() -> Seen:
        async with serving(feed([40])) as (port, seen, _):
            async with connect(**address(port)) as client:
                await client.send(json.dumps(SUBSCRIBE | {"params": ["some"]}))
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.recv(), 0.1)
            return seen

    seen = run(main())
    assert seen.of(StreamStart) == []
    miss = seen.of(Served)[-1].miss
    assert miss is not None
    assert "body $.params[0]: sent 'some', recorded 'all'" in miss.nearest[0]


def test_a_frame_in_the_same_packet_as_the_handshake_counts() -> None:
    handshake = get("/live", *UPGRADE).replace(b"api.example", b"feed.example")
    frame = Frame(Opcode.TEXT, json.dumps(SUBSCRIBE).encode()).serialize(mask=True)

    async def main() -> bytes:
        async with serving(feed([40])) as (port, _, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(handshake + frame)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
            answer = await reader.readexactly(2 + len('{"jsonrpc":"2.0","result":7,"id":1}'))
            writer.close()
            return answer

    assert run(main())[2:] == b'{"jsonrpc":"2.0","result":7,"id":1}'


def test_an_unknown_websocket_is_refused() -> None:
    async def main() -> tuple[int, Seen]:
        async with (
            serving(feed([40])) as (port, seen, _),
            aiohttp.ClientSession(headers={"Host": "feed.example"}) as session,
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(f"http://127.0.0.1:{port}/lives")
            return caught.value.status, seen

    status, seen = run(main())
    assert status == 599
    miss = seen.of(Served)[-1].miss
    assert miss is not None
    assert miss.request == "WEBSOCKET feed.example/lives"
    assert "path: sent '/lives', recorded '/live'" in miss.nearest[0]


def test_pings_fragments_and_the_closing_handshake() -> None:
    async def main() -> Seen:
        async with serving(feed([40])) as (port, seen, _):
            async with connect(**address(port)) as client:
                waiter = await client.ping(b"there?")
                await asyncio.wait_for(waiter, 2)
                text = json.dumps(SUBSCRIBE)
                await client.send([text[:9], text[9:20], text[20:]])
                assert numbered(await client.recv())["result"] == 7
                await client.close(4321, "done")
            await asyncio.sleep(0.02)
            return seen

    seen = run(main())
    (close,) = seen.of(Close)
    assert (close.by, close.code, close.reason) == ("bot", 4321, "done")


async def until_closed(client: ClientConnection) -> AsyncIterator[str | bytes]:
    with contextlib.suppress(ConnectionClosed):
        while True:
            yield await client.recv()


def test_the_service_hangs_up_as_recorded() -> None:
    traffic = feed([40], last=Close(1, 70 * MS, "upstream", 1012, "restart"))

    async def main() -> tuple[int | None, Seen]:
        async with serving(traffic) as (port, seen, _):
            async with connect(**address(port)) as client:
                await client.send(json.dumps(SUBSCRIBE))
                heard = [message async for message in until_closed(client)]
                assert len(heard) == 2
            await asyncio.sleep(0.02)
            return client.close_code, seen

    code, seen = run(main())
    assert code == 1012
    (close,) = seen.of(Close)
    assert (close.by, close.code) == ("upstream", 1012)


def test_a_mock_plays_every_connection_its_own_session() -> None:
    """Sessions to one path with other queries and greetings, as browsers export them."""

    def session(number: int, target: str, text: str) -> list[Event]:
        at = number * 10_000 * MS
        return [
            Open(number, at, "https", "demo.example", 443),
            Request(number, number, at + MS, "GET", target),
            Response(number, number, at + 2 * MS, at + 2 * MS, 101),
            Message(number, at + 20 * MS, "received", text),
        ]

    traffic = recording(
        *session(1, "/v3/channel?api_key=0123456789abcdef&notify_self", "first"),
        *session(2, "/v3/channel", "second"),
        *session(3, "/v3/channel?api_key=0123456789abcdef&notify_self", "third"),
    )

    async def hear(port: int, target: str) -> str | bytes:
        async with connect(f"ws://127.0.0.1:{port}{target}", proxy=None) as client:
            return await client.recv()

    async def main() -> list[str | bytes]:
        async with serving(traffic, Settings(mock=True)) as (port, _, _):
            same, bare = "/v3/channel?notify_self&api_key=fedcba9876543210", "/v3/channel"
            return [await hear(port, target) for target in (same, bare, same, same, bare)]

    assert run(main()) == ["first", "second", "third", "third", "second"]


# --- Fidelity -------------------------------------------------------------------------------------

DEFLATE = ("Sec-WebSocket-Extensions", "permessage-deflate; client_no_context_takeover")


def spoken(*events: Event, headers: tuple[tuple[str, str], ...] = ()) -> Recording:
    """Return one session whose handshake was answered with ``headers``."""
    return recording(
        Open(1, 0, "http", "feed.example", 80),
        Request(1, 1, 1, "GET", "/live"),
        Response(1, 1, 2, 2, 101, headers),
        *events,
    )


def received(*data: str | bytes) -> list[Message]:
    return [Message(1, (10 + 5 * at) * MS, "received", one) for at, one in enumerate(data)]


MIXED = ["text", b"\x00\xffbinary", "x" * 200, "y" * 70_000, '{"price": 1}']


@pytest.mark.parametrize("agreed", [True, False], ids=["recorded", "not recorded"])
@pytest.mark.parametrize("client", ["websockets", "aiohttp"])
def test_compression_is_spoken_where_it_was_recorded(client: str, agreed: bool) -> None:
    traffic = spoken(*received(*MIXED), headers=(DEFLATE,) if agreed else ())

    async def with_websockets(port: int) -> tuple[list[str | bytes], bool]:
        async with connect(**address(port, "/live"), compression="deflate") as socket:
            heard = [await socket.recv() for _ in MIXED]
            await socket.send("z" * 5000)
            await socket.close()
            return heard, bool(socket.protocol.extensions)

    async def with_aiohttp(port: int) -> tuple[list[str | bytes], bool]:
        host = {"Host": "feed.example"}
        async with (
            aiohttp.ClientSession(headers=host) as session,
            session.ws_connect(f"ws://127.0.0.1:{port}/live", compress=15) as socket,
        ):
            heard = [(await socket.receive()).data for _ in MIXED]
            await socket.send_str("z" * 5000)
            return heard, bool(socket.compress)

    async def main() -> tuple[tuple[list[str | bytes], bool], Seen]:
        async with serving(traffic) as (port, seen, _):
            chosen = with_websockets if client == "websockets" else with_aiohttp
            told = await chosen(port)
            await asyncio.sleep(0.02)
            return told, seen

    (heard, compressed), seen = run(main())
    assert heard == MIXED
    assert compressed is agreed
    assert [one.data for one in seen.of(Message)] == ["z" * 5000]


def test_many_clients_share_compressed_frames() -> None:
    traffic = spoken(*received(*MIXED), headers=(DEFLATE,))

    async def hear(port: int, wanted: list[Any]) -> list[str | bytes]:
        async with connect(**address(port, "/live"), compression=None, extensions=wanted) as one:
            return [await one.recv() for _ in MIXED]

    async def main() -> list[list[str | bytes]]:
        async with serving(traffic) as (port, _, _):
            offers = [
                [],
                [ClientPerMessageDeflateFactory()],
                [ClientPerMessageDeflateFactory(server_max_window_bits=12)],
                [ClientPerMessageDeflateFactory(server_max_window_bits=9)],  # declined
            ]
            return await asyncio.gather(*[hear(port, one) for one in offers])

    assert run(main()) == [MIXED] * 4


def test_websocket_client_hears_pings_fragments_and_the_end() -> None:
    """The library of many older bots, which blocks, on a thread."""
    ping = Ping(1, 12 * MS, "received", b"there?")
    traffic = spoken(
        *[
            Message(1, 15 * MS, "received", "abcdef", frames=(1, 2, 3)),
            ping,
            Message(1, 20 * MS, "received", b"\x00\x01"),
            Close(1, 40 * MS, "upstream", 1013, "try again"),
        ],
        headers=(("Sec-WebSocket-Protocol", "v2.feed"),),
    )

    def hear(port: int) -> tuple[list[tuple[int, bytes]], str | None]:
        client = websocket.create_connection(
            f"ws://127.0.0.1:{port}/live", host="feed.example", subprotocols=["v1.feed", "v2.feed"]
        )
        heard = []
        while not heard or heard[-1][0] != websocket.ABNF.OPCODE_CLOSE:
            heard.append(client.recv_data(control_frame=True))
        spoken = client.getsubprotocol()
        client.shutdown()
        return heard, spoken

    async def main() -> tuple[tuple[list[tuple[int, bytes]], str | None], Seen]:
        async with serving(traffic) as (port, seen, _):
            return await asyncio.to_thread(hear, port), seen

    (heard, protocol), seen = run(main())
    assert heard == [
        (websocket.ABNF.OPCODE_PING, b"there?"),
        (websocket.ABNF.OPCODE_TEXT, b"abcdef"),
        (websocket.ABNF.OPCODE_BINARY, b"\x00\x01"),
        (websocket.ABNF.OPCODE_CLOSE, (1013).to_bytes(2) + b"try again"),
    ]
    assert protocol == "v2.feed"
    assert len(seen.of(Pushed)) == 2


def test_a_client_that_does_not_read_is_waited_for() -> None:
    """Nothing is lost, and what waits for it is no bytes in memory."""
    texts = [f"{number:06}" + "x" * 10_000 for number in range(2000)]
    traffic = spoken(*[Message(1, 10 * MS + at, "received", text) for at, text in enumerate(texts)])
    handshake = get("/live", *UPGRADE).replace(b"api.example", b"feed.example")

    async def main() -> tuple[int, int, Seen]:
        async with serving(traffic) as (port, seen, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
            writer.write(handshake)
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.3)
            early = len(seen.of(Pushed))
            size = sum(len(frame_of(text)) for text in texts)
            await reader.readexactly(size)
            writer.close()
            return early, size, seen

    early, _, seen = run(main(), fast=True)
    assert early < 1900
    assert len(seen.of(Pushed)) == 2000


# --- Topics ---------------------------------------------------------------------------------------


def exchange() -> Recording:
    """Return one connection with three topics, asked for at once; topic c is quiet for long."""
    ask = {"op": "subscribe", "args": ["trade.A", "trade.B", "book.A"], "req_id": "r1"}
    pushes = [
        Message(1, (40 + at) * MS, "received", json.dumps({"topic": topic, "n": at}))
        for at, topic in enumerate(["trade.A", "trade.B", "book.A", "trade.A", "trade.B"] * 20)
    ]
    return recording(
        Open(1, 0, "http", "feed.example", 80),
        Request(1, 1, 1, "GET", "/live"),
        Response(1, 1, 2, 2, 101),
        Message(1, 10 * MS, "sent", json.dumps(ask)),
        Message(1, 15 * MS, "received", '{"success":true,"op":"subscribe","req_id":"r1"}'),
        *pushes,
    )


def asking(*topics: str, verb: str = "subscribe", req_id: str = "mine") -> str:
    return json.dumps({"op": verb, "args": list(topics), "req_id": req_id})


async def topics_of(client: ClientConnection, count: int) -> list[str]:
    """Return the topics of the next pushes; acknowledgements must carry the client's id."""
    found: list[str] = []
    while len(found) < count:
        value = json.loads(await client.recv())
        if "topic" in value:
            found.append(value["topic"])
        else:
            assert value["req_id"] == "mine"
    return found


def test_topics_recorded_together_can_be_asked_for_one_by_one() -> None:
    async def main() -> tuple[list[str], list[str], Seen]:
        async with (
            serving(exchange()) as (port, seen, _),
            connect(**address(port, "/live")) as first,
            connect(**address(port, "/live")) as second,
        ):
            await first.send(asking("trade.A"))
            await first.send(asking("book.A"))
            await second.send(asking("trade.B"))
            heard = await asyncio.gather(topics_of(first, 30), topics_of(second, 20))
            return *heard, seen

    first, second, seen = run(main())
    assert set(first) == {"trade.A", "book.A"}
    assert set(second) == {"trade.B"}
    assert [one.outcome for one in seen.of(Served)] == ["hit", "extra"]  # the handshakes
    assert len(seen.of(StreamStart)) == 1


def test_an_unsubscription_is_honoured() -> None:
    async def main() -> tuple[list[str], Seen]:
        async with (
            serving(exchange()) as (port, seen, _),
            connect(**address(port, "/live"), max_queue=None) as client,
        ):
            await client.send(asking("trade.A", "trade.B"))
            await topics_of(client, 4)
            await client.send(asking("trade.B", verb="unsubscribe"))
            await (await client.ping())  # what was pushed before has come by now
            before = len(seen)
            await asyncio.sleep(0.2)
            return await topics_of(client, len(seen.of(Pushed)) - 4), Seen(seen[before:])

    heard, since = run(main())
    told = [exchange().events[one.message] for one in since.of(Pushed)]
    assert {json.loads(one.data)["topic"] for one in told if isinstance(one, Message)} == {
        "trade.A"
    }
    assert heard[-len(told) :] == ["trade.A"] * len(told)
    assert all(one.miss is None for one in since.of(Served))


def test_a_topic_that_was_not_recorded_is_a_miss_and_the_others_come() -> None:
    async def main() -> tuple[list[str], Seen]:
        async with (
            serving(exchange()) as (port, seen, _),
            connect(**address(port, "/live")) as client,
        ):
            await client.send(asking("trade.C", "trade.A"))
            return await topics_of(client, 5), seen

    heard, seen = run(main())
    assert set(heard) == {"trade.A"}
    (miss,) = [one.miss for one in seen.of(Served) if one.miss]
    assert "trade.C" in miss.request
    assert "recorded 'trade.A'" in " ".join(miss.nearest)


def test_calls_are_answered_by_content_in_any_order() -> None:
    """The n-th call for a thing gets the n-th answer, then the last."""

    def call(method: str, number: object) -> str:
        return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": ["x", "y"]})

    def result(value: str, number: object) -> str:
        return json.dumps({"jsonrpc": "2.0", "id": number, "result": value})

    talk = [("getA", "a1"), ("getB", "b1"), ("getA", "a2")]
    traffic = spoken(
        *[
            event
            for number, (method, value) in enumerate(talk)
            for event in (
                Message(1, (10 + number) * MS, "sent", call(method, number)),
                Message(1, (12 + number) * MS, "received", result(value, number)),
            )
        ]
    )

    async def main() -> tuple[list[Any], Any, Seen]:
        async with serving(traffic) as (port, seen, _), connect(**address(port, "/live")) as client:
            for number, method in enumerate(["getB", "getA", "getA", "getA", "getB"]):
                await client.send(call(method, f"id{number}"))
            answers = [json.loads(await client.recv()) for _ in range(5)]
            batch = [json.loads(call("getB", 1)), json.loads(call("getA", 2))]
            await client.send(json.dumps(batch))
            together = json.loads(await client.recv())
            return answers, together, seen

    answers, together, seen = run(main())
    assert {one["id"]: one["result"] for one in answers} == {
        "id0": "b1",
        "id1": "a1",
        "id2": "a2",
        "id3": "a2",
        "id4": "b1",
    }
    assert [(one["id"], one["result"]) for one in together] == [(1, "b1"), (2, "a2")]
    assert all(one.miss is None for one in seen.of(Served))
