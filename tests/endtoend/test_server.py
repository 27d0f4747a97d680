"""The upstream server with real clients on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from perfscan.replay.certificates import Authority
from perfscan.replay.model import (
    Close,
    Event,
    Failure,
    MatchRules,
    Message,
    Observed,
    Open,
    Pushed,
    Recording,
    RecordingHeader,
    Request,
    Response,
    Served,
    StreamStart,
)
from perfscan.replay.server.playback import Settings
from perfscan.replay.server.serve import new_event_loop
from perfscan.replay.server.turn import observing
from perfscan.replay.server.upstream import Upstream

pytestmark = pytest.mark.endtoend
MS = 1_000_000
T = TypeVar("T")
Kind = TypeVar("Kind")


def run(main: Coroutine[Any, Any, T], *, fast: bool = False) -> T:
    with asyncio.Runner(loop_factory=new_event_loop if fast else None) as runner:
        return runner.run(asyncio.wait_for(main, 30))


def recording(*events: Event) -> Recording:
    return Recording(RecordingHeader(), tuple(sorted(events, key=lambda event: event.at_ns)))


def http(
    number: int,
    target: str,
    body: bytes = b"ok",
    *,
    method: str = "GET",
    status: int = 200,
    took_ms: int = 0,
    body_ms: int = 0,
    sent: bytes = b"",
    scheme: Any = "http",
    cost_ms: int = 0,
    headers: tuple[tuple[str, str], ...] = (("X-Recorded", "yes"),),
) -> list[Event]:
    """Return one exchange on a connection of its own."""
    at = number * 1000 * MS
    first = at + took_ms * MS
    return [
        Open(number, at - 1, scheme, "api.example", 80 if scheme == "http" else 443, cost_ms * MS),
        Request(number, number, at, method, target, (), sent),
        Response(number, number, first, first + body_ms * MS, status, headers, body),
    ]


class Seen(list[Observed]):
    """What the server observed."""

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self if isinstance(event, kind)]


@asynccontextmanager
async def serving(
    traffic: Recording, settings: Settings | None = None, authority: Authority | None = None
) -> AsyncIterator[tuple[int, Seen, Upstream]]:
    seen = Seen()
    upstream = Upstream(
        traffic, settings or Settings(), authority=authority, report=observing(seen.append)
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = 443 if authority else 80
        upstream.listen(listener, port=port, tls=authority is not None)
        try:
            yield listener.getsockname()[1], seen, upstream
        finally:
            await upstream.close()


async def talk(port: int, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Send ``parts`` on one connection, end the sending side, return all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(pause_s)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


def get(target: str, *headers: str, method: str = "GET") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: api.example", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def bodies(answers: bytes) -> list[bytes]:
    """Return the bodies of answers that carry a Content-Length."""
    found = []
    while answers:
        head, _, rest = answers.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        found.append(rest[:length])
        answers = rest[length:]
    return found


def test_answers_come_in_order_on_a_pipelined_connection() -> None:
    traffic = recording(
        *http(1, "/slow", b"slow", took_ms=80, body_ms=30), *http(2, "/fast", b"fast")
    )

    async def main() -> tuple[bytes, Seen]:
        async with serving(traffic) as (port, seen, _):
            return await talk(port, get("/slow") + get("/fast") + get("/slow")), seen

    answers, seen = run(main())
    assert bodies(answers) == [b"slow", b"fast", b"slow"]
    assert answers.count(b"X-Recorded: yes") == 3
    assert len(seen.of(Open)) == 1
    assert [served.outcome for served in seen.of(Served)] == ["hit", "hit", "extra"]
    assert [close.by for close in seen.of(Close)] == ["bot"]


@pytest.mark.parametrize("fast", [False, True], ids=["asyncio", "uvloop"])
def test_recorded_time_is_taken(fast: bool) -> None:
    """Connection cost once, service time always, body time after the first byte."""
    traffic = recording(*http(1, "/a", took_ms=50, body_ms=40, cost_ms=60))

    async def main() -> Seen:
        async with serving(traffic) as (port, seen, _):
            await talk(port, get("/a") + get("/a"))
            return seen

    seen = run(main(), fast=fast)
    (opened,) = seen.of(Open)
    first, second = seen.of(Response)
    assert first.at_ns - opened.at_ns >= 110 * MS - MS
    assert first.end_ns - first.at_ns >= 40 * MS - MS
    assert second.end_ns - second.at_ns >= 40 * MS - MS
    for served in seen.of(Served):
        assert served.at_ns >= served.due_ns - MS


def test_speed_divides_recorded_time() -> None:
    traffic = recording(*http(1, "/a", took_ms=400, cost_ms=400))

    async def main() -> Seen:
        async with serving(traffic, Settings(speed=10)) as (port, seen, _):
            await talk(port, get("/a"))
            return seen

    seen = run(main())
    (served,), (opened,) = seen.of(Served), seen.of(Open)
    assert served.due_ns - opened.at_ns == 80 * MS


@pytest.mark.parametrize(
    ("asked", "length"),
    [(get("/a", method="HEAD"), b"77"), (get("/none"), b""), (get("/unchanged"), b"")],
)
def test_some_answers_have_no_body(asked: bytes, length: bytes) -> None:
    traffic = recording(
        *http(1, "/a", b"", method="HEAD", headers=(("Content-Length", "77"),)),
        *http(2, "/none", b"", status=204),
        *http(3, "/unchanged", b"", status=304),
        *http(4, "/after", b"after"),
    )

    async def main() -> bytes:
        async with serving(traffic) as (port, _, _):
            return await talk(port, asked + get("/after"))

    first, _, rest = run(main()).partition(b"\r\n\r\n")
    assert rest.startswith(b"HTTP/1.1 200")
    assert bodies(rest) == [b"after"]
    assert first.partition(b"Content-Length: ")[2].partition(b"\r\n")[0] == length


def test_chunked_bodies_and_expectations() -> None:
    traffic = recording(*http(1, "/send", b"got it", method="POST", sent=b"hello world"))
    head = get("/send", "Transfer-Encoding: chunked", "Expect: 100-continue", method="POST")

    async def main() -> bytes:
        async with serving(traffic) as (port, _, _):
            parts = (head, b"6\r\nhello \r\n", b"5\r\nworld\r\n0\r\n\r\n")
            return await talk(port, *parts, pause_s=0.02)

    answer = run(main())
    interim, _, rest = answer.partition(b"\r\n\r\n")
    assert interim == b"HTTP/1.1 100 Continue"
    assert bodies(rest) == [b"got it"]


@pytest.mark.parametrize(
    ("asked", "closes"),
    [
        (b"GET /a HTTP/1.0\r\nHost: api.example\r\n\r\n", True),
        (b"GET /a HTTP/1.0\r\nHost: api.example\r\nConnection: keep-alive\r\n\r\n", False),
        (get("/a", "Connection: close"), True),
        (get("/a"), False),
    ],
)
def test_connections_are_kept_or_closed_as_asked(asked: bytes, closes: bool) -> None:
    async def main() -> bytes:
        async with serving(recording(*http(1, "/a"))) as (port, _, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(asked)
            await reader.readuntil(b"ok")
            try:
                return await asyncio.wait_for(reader.read(1), 0.1)
            except TimeoutError:
                return b"open"
            finally:
                writer.close()

    assert run(main()) == (b"" if closes else b"open")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01nonsense\r\n\r\n", b"400"),
        (b"GET /a HTTP/1.1\r\nX: " + b"y" * 400_000, b"431"),
    ],
)
def test_what_is_not_http_is_refused(sent: bytes, status: bytes) -> None:
    async def main() -> tuple[bytes, Seen]:
        async with serving(recording(*http(1, "/a"))) as (port, seen, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            answer = await reader.readline()
            writer.close()
            await asyncio.sleep(0.02)
            return answer, seen

    answer, seen = run(main())
    assert answer.split()[1] == status
    assert len(seen.of(Failure)) >= 1


def test_odd_targets_and_bodies_are_misses() -> None:
    odd = get("//[") + get("/a", "Content-Length: 3", method="POST") + b"[[["

    async def main() -> bytes:
        async with serving(recording(*http(1, "/a"))) as (port, _, _):
            return await talk(port, odd + get("/a"))

    first, second, third = bodies(run(main()))
    assert b"not in the recording" in first
    assert b"not in the recording" in second
    assert third == b"ok"


def test_an_offer_of_http_2_is_passed_over() -> None:
    offer = get("/a", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA")

    async def main() -> bytes:
        async with serving(recording(*http(1, "/a"))) as (port, _, _):
            return await talk(port, offer + offer + get("/a"))

    assert bodies(run(main())) == [b"ok", b"ok", b"ok"]


def test_a_recorded_break_breaks() -> None:
    opened, request, _ = http(1, "/a")
    broken = Failure(1, request.at_ns + 20 * MS, "reset by peer", exchange=1)

    async def main() -> Seen:
        async with serving(recording(opened, request, broken)) as (port, seen, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(get("/a"))
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
            return seen

    seen = run(main())
    assert [close.by for close in seen.of(Close)] == ["upstream"]
    assert seen.of(Response) == []


def test_a_miss_tells_the_client_and_the_status() -> None:
    async def main() -> tuple[int, Any, dict[str, float]]:
        async with serving(recording(*http(1, "/v1/a"))) as (port, _, upstream):
            headers = {"Host": "api.example"}
            async with aiohttp.ClientSession(headers=headers) as session:
                for _ in range(3):  # used up or not, nothing else is ever found
                    async with session.get(f"http://127.0.0.1:{port}/v1/a") as answer:
                        assert answer.status == 200
                async with session.get(f"http://127.0.0.1:{port}/v1/b") as answer:
                    return answer.status, await answer.json(), upstream.status()

    status, body, tally = run(main())
    assert status == 599
    assert body["error"] == "not in the recording"
    assert body["nearest"] == ["GET api.example/v1/a: path: sent '/v1/b', recorded '/v1/a'"]
    assert (tally["hits"], tally["extras"], tally["misses"], tally["unused"]) == (1, 2, 1, 0)


def test_tls_for_every_recorded_host(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    traffic = recording(*http(1, "/a", scheme="https"))

    async def main() -> tuple[str, Seen]:
        trusting = ssl.create_default_context(cafile=str(authority.ca_file))
        async with serving(traffic, authority=authority) as (port, seen, _):
            connector = aiohttp.TCPConnector(ssl=trusting)
            async with aiohttp.ClientSession(connector=connector) as session:
                address = f"https://127.0.0.1:{port}/a"
                async with session.get(
                    address, headers={"Host": "api.example"}, server_hostname="api.example"
                ) as answer:
                    return await answer.text(), seen

    text, seen = run(main())
    assert text == "ok"
    (opened,) = seen.of(Open)
    assert (opened.scheme, opened.host, opened.port) == ("https", "api.example", 443)


@pytest.mark.parametrize("fast", [False, True], ids=["asyncio", "uvloop"])
def test_every_connection_has_an_end_when_the_server_stops(tmp_path: Path, fast: bool) -> None:
    authority = Authority.create(tmp_path)
    trusting = ssl.create_default_context(cafile=str(authority.ca_file))

    async def main() -> Seen:
        async with serving(recording(*http(1, "/a")), authority=authority) as (port, seen, _):
            writers = []
            for _ in range(3):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, ssl=trusting, server_hostname="api.example"
                )
                writer.write(get("/a"))
                await reader.readuntil(b"ok")
                writers.append(writer)
        for writer in writers:
            writer.transport.abort()
        return seen

    seen = run(main(), fast=fast)
    assert [close.by for close in seen.of(Close)] == ["upstream"] * 3


def test_tls_for_a_recorded_address(tmp_path: Path) -> None:
    """A client that connects to an address names no server; the leaf must hold the address."""
    authority = Authority.create(tmp_path)
    opened, *rest = http(1, "/a", scheme="https")
    assert isinstance(opened, Open)
    traffic = recording(replace(opened, host="10.20.30.40"), *rest)

    async def main() -> list[str]:
        async with serving(traffic, authority=authority) as (port, _, _):
            trusting = ssl.create_default_context(cafile=str(authority.ca_file))
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=trusting, server_hostname="10.20.30.40"
            )
            certificate = writer.get_extra_info("peercert")
            writer.close()
            return [name for _, name in certificate["subjectAltName"]]

    assert "10.20.30.40" in run(main())


def test_a_client_that_does_not_trust_us_is_reported(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)

    async def main() -> Seen:
        async with serving(recording(), authority=authority) as (port, seen, _):
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())
            await asyncio.sleep(0.05)
            return seen

    (failure,) = run(main()).of(Failure)
    assert failure.detail.startswith("TLS handshake")


# --- WebSockets -----------------------------------------------------------------------------------

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
    handshake = get(
        "/live",
        *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ).replace(b"api.example", b"feed.example")
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
    async def main() -> int:
        async with serving(feed([40])) as (port, _, _), aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(f"http://127.0.0.1:{port}/other")
            return caught.value.status

    assert run(main()) == 599


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


def test_a_mock_answers_under_any_name() -> None:
    async def main() -> str:
        async with serving(recording(*http(1, "/a")), Settings(mock=True)) as (port, _, _):
            address = f"http://localhost:{port}/a"
            async with aiohttp.request("GET", address) as answer:
                return await answer.text()

    assert run(main()) == "ok"


def test_many_connections_at_once() -> None:
    traffic = recording(*http(1, "/a"))

    async def main() -> int:
        async with serving(traffic) as (port, seen, _):
            answers = await asyncio.gather(*[talk(port, get("/a") * 5) for _ in range(100)])
            assert all(len(bodies(answer)) == 5 for answer in answers)
            return len(seen.of(Served))

    assert run(main(), fast=True) == 500


def test_rules_of_the_scenario_are_used() -> None:
    traffic = recording(*http(1, "/send", b"sent", method="POST", sent=b'{"chat":1,"text":"a"}'))
    settings = Settings(rules=MatchRules(ignore_body=("$.text",)))

    async def main() -> bytes:
        async with serving(traffic, settings) as (port, _, _):
            body = b'{"text": "other", "chat": 1}'
            head = get("/send", f"Content-Length: {len(body)}", method="POST")
            return await talk(port, head + body)

    assert bodies(run(main())) == [b"sent"]
