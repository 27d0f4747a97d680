"""The upstream server with real clients on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from endtoend.serving import MS, Seen, get, recording, run, serving
from websockets.asyncio.client import connect

from perfscan.replay.certificates import Authority
from perfscan.replay.model import (
    Close,
    Event,
    Failure,
    MatchRules,
    Message,
    Open,
    Request,
    Response,
    Served,
)
from perfscan.replay.server.playback import Settings

pytestmark = pytest.mark.endtoend


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


def test_a_new_websocket_costs_what_it_cost_in_the_recording() -> None:
    upgrade = (("Upgrade", "websocket"),)
    traffic = recording(
        Open(1, 0, "http", "api.example", 80, 40 * MS, 20 * MS),
        Request(1, 1, 60 * MS, "GET", "/ws", upgrade),
        Response(1, 1, 70 * MS, 70 * MS, 101, upgrade),
        Message(1, 80 * MS, "received", "tick"),
    )

    async def main() -> Seen:
        async with serving(traffic) as (port, seen, _):
            async with connect("ws://api.example/ws", host="127.0.0.1", port=port):
                pass
            return seen

    seen = run(main())
    (opened,), (served,) = seen.of(Open), seen.of(Served)
    assert served.due_ns - opened.at_ns >= 70 * MS


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
