"""Bodies over time, as real clients read them: pieces, chunks, event streams, content codings."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import pytest
import requests
from endtoend.upstreams import Served, upstream

from perfscan.replay import model
from perfscan.replay.model import (
    Event,
    Headers,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.server.playback import Settings

pytestmark = pytest.mark.endtoend
MS = 1_000_000
HOST = {"Host": "api.example"}
BODY = json.dumps([{"price": number} for number in range(200)]).encode()
JSON = (("Content-Type", "application/json"),)
EVENTS = [b"data: %d\n\n" % number for number in range(4)]
Client = Callable[[Served, str], tuple[dict[str, str], bytes]]


def recorded(target: str, headers: Headers = JSON, body: bytes = BODY, **form: Any) -> Recording:
    pieces = form.get("pieces", ())
    end_ns = max((after_ns for after_ns, _ in pieces), default=0)
    method = form.pop("method", "GET")
    events: list[Event] = [
        Open(1, 0, "http", "api.example", 80),
        Request(1, 1, 1, method, target),
        Response(1, 1, 2, 2 + end_ns, form.pop("status", 200), headers, body, **form),
    ]
    return Recording(RecordingHeader(), tuple(events))


def with_requests(served: Served, target: str) -> tuple[dict[str, str], bytes]:
    answer = requests.get(served.address + target, headers=HOST, timeout=5)
    return {name.lower(): value for name, value in answer.headers.items()}, answer.content


def with_httpx(served: Served, target: str) -> tuple[dict[str, str], bytes]:
    answer = httpx.get(served.address + target, headers=HOST, timeout=5)
    return dict(answer.headers), answer.content


def with_aiohttp(served: Served, target: str) -> tuple[dict[str, str], bytes]:
    async def ask() -> tuple[dict[str, str], bytes]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(served.address + target, headers=HOST) as answer,
        ):
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return headers, await answer.read()

    return asyncio.run(ask())


CLIENTS = pytest.mark.parametrize("client", [with_requests, with_httpx, with_aiohttp])


@CLIENTS
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_as_recorded_for_clients_that_accept_it(client: Client, encoding: str) -> None:
    with upstream(recorded("/a", encoding=encoding)) as served:
        headers, body = client(served, "/a")
        again = client(served, "/a")
    assert body == again[1] == BODY
    assert headers["content-encoding"] == encoding
    assert int(headers["content-length"]) < len(BODY) / 4
    assert [one.size for one in served.of(model.Served)] == [len(BODY)] * 2


def test_as_it_is_for_clients_that_do_not() -> None:
    with upstream(recorded("/a", encoding="gzip")) as served:
        headers = {**HOST, "Accept-Encoding": "identity"}
        answer = requests.get(f"{served.address}/a", headers=headers, timeout=5)
    assert answer.content == BODY
    assert "Content-Encoding" not in answer.headers


@CLIENTS
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_chunked_where_no_length_was_told(client: Client, encoding: str) -> None:
    pieces = ((0, 100), (20 * MS, 300), (40 * MS, len(BODY) - 400))
    with upstream(recorded("/a", encoding=encoding, pieces=pieces)) as served:
        headers, body = client(served, "/a")
    assert body == BODY
    assert headers["transfer-encoding"] == "chunked"
    (one,) = served.of(Response)
    assert one.end_ns - one.at_ns >= 39 * MS


def test_pieces_of_a_known_length_come_at_their_times() -> None:
    headers = (("Content-Length", str(len(BODY))),)
    pieces = ((0, 100), (60 * MS, len(BODY) - 100))
    with (
        upstream(recorded("/a", headers, pieces=pieces)) as served,
        requests.get(f"{served.address}/a", headers=HOST, timeout=5, stream=True) as answer,
    ):
        first, began = answer.raw.read1(100), time.monotonic()
        rest = answer.raw.read()
        waited_s = time.monotonic() - began
    assert first + rest == BODY
    assert answer.headers["Content-Length"] == str(len(BODY))
    assert waited_s > 0.03


def test_an_event_stream_arrives_event_by_event() -> None:
    kind = (("Content-Type", "text/event-stream"),)
    pieces = tuple((number * 40 * MS, len(event)) for number, event in enumerate(EVENTS))
    traffic = recorded("/events", kind, b"".join(EVENTS), pieces=pieces, encoding="gzip")
    with (
        upstream(traffic) as served,
        httpx.stream("GET", f"{served.address}/events", headers=HOST) as answer,
    ):
        arrivals = [(line, time.monotonic()) for line in answer.iter_lines() if line]
    assert [line for line, _ in arrivals] == [f"data: {number}" for number in range(4)]
    assert arrivals[-1][1] - arrivals[0][1] > 0.08


def test_nobody_waits_for_the_end_of_an_event_stream() -> None:
    kind = (("Content-Type", "text/event-stream"),)
    pieces = ((0, len(EVENTS[0])), (3_600_000 * MS, len(EVENTS[1])))
    traffic = recorded("/events", kind, EVENTS[0] + EVENTS[1], pieces=pieces)
    with (
        upstream(traffic) as served,
        httpx.stream("GET", f"{served.address}/events", headers=HOST) as answer,
    ):
        assert next(answer.iter_bytes()) == EVENTS[0]
        status = served.now()
    assert status["in_flight"] == 0


def test_speed_divides_the_times_of_pieces() -> None:
    pieces = ((0, 100), (500 * MS, len(BODY) - 100))
    with upstream(recorded("/a", pieces=pieces), settings=Settings(speed=10)) as served:
        with_requests(served, "/a")
    (one,) = served.of(Response)
    assert 49 * MS <= one.end_ns - one.at_ns < 400 * MS


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_answers_without_body_leave_the_connection_usable(method: str, status: int) -> None:
    traffic = recorded(
        "/a", method=method, status=status, encoding="gzip", pieces=((0, len(BODY)),)
    )
    with upstream(traffic) as served:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=5)
        for _ in range(2):
            connection.request(method, "/a", headers={**HOST, "Accept-Encoding": "gzip"})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (status, b"")
        connection.close()
    assert len(served.of(Open)) == 1


def test_an_old_client_gets_no_chunks() -> None:
    traffic = recorded("/a", pieces=((0, len(BODY)),))
    with upstream(traffic) as served:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=5)
        connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"
        connection.request("GET", "/a", headers=HOST)
        answer = connection.getresponse()
        assert answer.read() == BODY
        assert answer.getheader("Transfer-Encoding") is None
        connection.close()
