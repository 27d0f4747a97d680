"""Every fault and limit, as real clients see it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests
from endtoend.toy import Perfscan, Toy
from endtoend.upstreams import Served, upstream
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.sync.client import ClientConnection, connect

from perfscan.replay import model
from perfscan.replay.faults import read_faults
from perfscan.replay.model import (
    Ban,
    Close,
    CycleEffect,
    CycleStimulus,
    Emulated,
    Event,
    HostLimits,
    ItemRules,
    KeyRule,
    Message,
    Open,
    PushStimulus,
    Rate,
    RateLimit,
    Recording,
    RecordingHeader,
    Refusal,
    Request,
    RequestEffect,
    Response,
    StreamStart,
    UpdateStimulus,
)
from perfscan.replay.server.playback import Settings

pytestmark = pytest.mark.endtoend
MS = 1_000_000
S = 1000 * MS
HOST = "api.example"
BODY = json.dumps({"price": 100, "text": "x" * 200}).encode()
JSON = (("Content-Type", "application/json"),)
HEADERS = {"Host": HOST}


def exchange(
    number: int,
    target: str,
    body: bytes = BODY,
    *,
    method: str = "GET",
    status: int = 200,
    took_ms: int = 0,
) -> list[Event]:
    at, end = number * MS, (number + took_ms) * MS
    return [
        Open(number, at, "http", HOST, 80),
        Request(number, number, at, method, target),
        Response(number, number, end, end, status, JSON, body),
    ]


def recording(*events: Event) -> Recording:
    return Recording(RecordingHeader(), tuple(sorted(events, key=lambda event: event.at_ns)))


PLAIN = recording(*exchange(1, "/a"), *exchange(2, "/b"))


def stream(*, messages: int = 40, every_ms: int = 10) -> Recording:
    upgrade = (("Upgrade", "websocket"),)
    return recording(
        Open(1, 0, "http", HOST, 80),
        Request(1, 1, 1, "GET", "/ws", upgrade),
        Response(1, 1, 2, 2, 101, upgrade),
        *(Message(1, (n + 1) * every_ms * MS, "received", f"tick {n}") for n in range(messages)),
    )


def faults(*specs: str) -> Emulated:
    return Emulated(faults=read_faults(specs))


def outcomes(served: Served) -> list[str]:
    return [one.outcome for one in served.of(model.Served)]


def with_requests(served: Served, timeout: float = 2) -> bytes:
    with requests.Session() as session:
        return session.get(f"{served.address}/a", headers=HEADERS, timeout=timeout).content


def with_httpx(served: Served) -> bytes:
    with httpx.Client(timeout=2) as client:
        return client.get(f"{served.address}/a", headers=HEADERS).content


def with_aiohttp(served: Served) -> bytes:
    async def ask() -> bytes:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
            # it repeats a GET by itself when a connection breaks before the answer
            session.post(f"{served.address}/a", headers=HEADERS) as answer,
        ):
            return await answer.read()

    return asyncio.run(ask())


POSTED = recording(*exchange(1, "/a"), *exchange(2, "/a", method="POST"))
CLIENTS = pytest.mark.parametrize("ask", [with_requests, with_httpx, with_aiohttp])
BROKEN = (requests.RequestException, httpx.TransportError, aiohttp.ClientError)
Ask = Callable[[Served], bytes]


@CLIENTS
def test_without_faults_all_is_as_recorded(ask: Ask) -> None:
    with upstream(POSTED) as served:
        assert ask(served) == BODY
    assert outcomes(served) == ["hit"]


@CLIENTS
@pytest.mark.parametrize("kind", ["reset", "malformed"])
def test_a_broken_answer_is_an_error_for_every_client(ask: Ask, kind: str) -> None:
    with upstream(POSTED, faults(f"{kind}=100%")) as served:
        try:
            body = ask(served)
        except BROKEN:
            pass
        else:
            assert kind == "malformed"
            with pytest.raises(ValueError, match="Unterminated"):
                json.loads(body)
    assert set(outcomes(served)) == {"fault"}
    assert served.of(Response) == [], "the service did not do what was asked"


@CLIENTS
def test_a_failing_service_answers_with_its_status(ask: Ask) -> None:
    with upstream(POSTED, faults("status=503:100%")) as served:
        assert b"503 Service Unavailable" in ask(served)
    assert outcomes(served) == ["fault"]
    assert [one.status for one in served.of(Response)] == [503]


def test_a_recorded_failure_is_what_a_failing_service_says() -> None:
    traffic = recording(*exchange(1, "/a"), *exchange(2, "/c", b'{"sorry": 1}', status=500))
    with upstream(traffic, faults("status=500:100%")) as served:
        answer = requests.get(f"{served.address}/a", headers=HEADERS, timeout=2)
    assert (answer.status_code, answer.json()) == (500, {"sorry": 1})


def test_all_at_once_is_survived_by_the_server(caplog: pytest.LogCaptureFixture) -> None:
    """Pipelined, so that what is behind a broken answer is met as well."""
    specs = ["loss=5%", "jitter=5ms", "slow-body=50kB/s:20%", f"outage={HOST}:100ms-150ms"]
    specs += [f"{kind}=15%" for kind in ("reset", "stall", "malformed")] + ["status=503:15%"]
    request = b"".join(
        b"GET /%s HTTP/1.1\r\nHost: api.example\r\n\r\n" % name for name in (b"a", b"b")
    )

    def ask(port: int) -> bytes:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=0.4) as client,
        ):
            client.sendall(request * 3)
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b""))
        return b""

    with upstream(PLAIN, faults(*specs)) as served, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, [served.port] * 80))
        deadline = time.monotonic() + 10
        while (status := served.now())["in_flight"] and time.monotonic() < deadline:
            time.sleep(0.05)
    assert BODY in b"".join(answers)
    assert status["faults"] > 0
    assert (status["misses"], status["in_flight"]) == (0, 0)
    assert caplog.records == []


def test_added_latency_and_jitter() -> None:
    with upstream(PLAIN, faults("latency=60ms", "jitter=10ms")) as served:
        began = time.monotonic()
        assert with_requests(served) == BODY
        took_s = time.monotonic() - began
    (one,) = served.of(model.Served)
    (asked,) = served.of(Request)
    assert 60 * MS <= one.due_ns - asked.at_ns <= 70 * MS
    assert took_s >= 0.055
    assert one.outcome == "hit", "a late answer is the recorded one"


def test_speed_divides_faults_as_it_divides_all_waits() -> None:
    settings = Settings(speed=10, emulated=faults("latency=500ms"))
    with upstream(PLAIN, settings=settings) as served:
        with_requests(served)
    (one,), (asked,) = served.of(model.Served), served.of(Request)
    assert one.due_ns - asked.at_ns == 50 * MS


def test_lost_packets_come_late_and_the_same_for_everybody() -> None:
    def delays() -> list[int]:
        with upstream(PLAIN, faults("loss=40%")) as served, requests.Session() as session:
            for _ in range(3):
                session.get(f"{served.address}/a", headers=HEADERS, timeout=9)
        sent = served.of(Request)
        return [
            one.due_ns - ask.at_ns for one, ask in zip(served.of(model.Served), sent, strict=True)
        ]

    first = delays()
    assert first == delays()
    assert any(first)
    assert all(delay % (200 * MS) == 0 for delay in first)


@pytest.mark.parametrize("spec", ["loss=100%", "stall=100%"])
def test_who_is_not_answered_gives_up(spec: str) -> None:
    with upstream(PLAIN, faults(spec)) as served, pytest.raises(requests.RequestException):
        with_requests(served, timeout=0.2)
    assert served.status["in_flight"] == 0
    assert served.of(Response) == []


def test_a_run_does_not_wait_for_ever_for_a_client_without_timeout() -> None:
    rules = ItemRules(
        PushStimulus("wss://x/", model.KeyRule(path="$.a")),
        RequestEffect(("POST https://x/",), model.KeyRule(path="$.a")),
        deadline_s=0.1,
    )
    settings = Settings(items=rules, emulated=faults("stall=100%"))
    with upstream(PLAIN, settings=settings) as served:
        client = socket.create_connection(("127.0.0.1", served.port), timeout=5)
        client.sendall(b"GET /a HTTP/1.1\r\nHost: api.example\r\n\r\n")
        with client, client.makefile("rb") as file, pytest.raises(ConnectionResetError):
            file.read()
    assert outcomes(served) == ["fault"]


def test_a_slow_body_trickles() -> None:
    with upstream(PLAIN, faults("slow-body=2kB/s")) as served:
        began = time.monotonic()
        with requests.get(f"{served.address}/a", headers=HEADERS, timeout=2, stream=True) as answer:
            head_s = time.monotonic() - began
            body = b"".join(answer.iter_content(None))
        whole_s = time.monotonic() - began
    assert body == BODY
    assert whole_s - head_s >= len(BODY) / 2000 - 0.05
    (one,) = served.of(Response)
    assert (one.end_ns - one.at_ns) // MS >= len(BODY) // 2 - 1


def test_a_fault_for_one_host_only() -> None:
    with upstream(PLAIN, faults("status=503@other.example")) as served:
        assert with_requests(served) == BODY


def test_an_outage_resets_whoever_connects_and_then_ends() -> None:
    with upstream(PLAIN, faults(f"outage={HOST}:0s-150ms")) as served:
        with pytest.raises(requests.ConnectionError):
            with_requests(served)
        time.sleep(0.2)
        assert with_requests(served) == BODY
    assert outcomes(served) == ["fault", "hit"]


def test_a_storm_of_refusals_ends() -> None:
    with upstream(PLAIN, faults(f"status=429@{HOST}:0s-150ms")) as served:
        with requests.Session() as session:
            refused = session.get(f"{served.address}/a", headers=HEADERS, timeout=2)
        assert refused.status_code == 429
        time.sleep(0.2)
        assert with_requests(served) == BODY
    assert outcomes(served) == ["fault", "hit"]


def test_where_items_begin_with_cycles_times_count_from_the_first_cycle() -> None:
    rules = ItemRules(CycleStimulus((f"GET http://{HOST}/b",)), CycleEffect(()))
    settings = Settings(items=rules, emulated=faults("status=503@0s-10s"))
    with upstream(PLAIN, settings=settings) as served, requests.Session() as session:
        asked = [session.get(f"{served.address}/{path}", headers=HEADERS) for path in "aba"]
    assert [answer.status_code for answer in asked] == [200, 503, 503]


def test_where_items_begin_with_updates_times_count_from_the_first_poll() -> None:
    rules = ItemRules(
        UpdateStimulus(f"GET http://{HOST}/poll"),
        RequestEffect(f"POST http://{HOST}/send", KeyRule("$.id")),
    )
    settings = Settings(items=rules, emulated=faults("status=503@0s-10s"))
    update = json.dumps({"result": [{"update_id": 1, "chat": {"id": 2}}]}).encode()
    traffic = recording(*exchange(1, "/a"), *exchange(2, "/poll", update))
    with upstream(traffic, settings=settings) as served, requests.Session() as session:
        asked = [
            session.get(f"{served.address}{path}", headers=HEADERS)
            for path in ("/a", "/poll", "/a")
        ]
    assert [answer.status_code for answer in asked] == [200, 200, 503]


@contextmanager
def websocket(served: Served) -> Iterator[ClientConnection]:
    with (
        socket.create_connection(("127.0.0.1", served.port)) as sock,
        connect(f"ws://{HOST}/ws", sock=sock, open_timeout=0.5) as client,
    ):
        yield client


def listen(served: Served) -> int:
    """Count the messages until the connection breaks or falls silent."""
    count = 0
    with websocket(served) as client, contextlib.suppress(ConnectionClosed, TimeoutError):
        while client.recv(timeout=0.2):
            count += 1
    return count


def test_an_outage_cuts_what_is_connected() -> None:
    with upstream(stream(), faults(f"outage={HOST}:60ms-90ms")) as served:
        heard = listen(served)
    assert 0 < heard < 12
    (closed,), (begun,) = served.of(Close), served.of(StreamStart)
    assert closed.by == "upstream"
    assert closed.at_ns - begun.at_ns >= 60 * MS


def test_websockets_drop_at_their_times() -> None:
    with upstream(stream(), faults("ws-drop=every:120ms")) as served:
        counts = [listen(served) for _ in range(3)]
    begun = served.of(StreamStart)[0].at_ns
    closes = [one for one in served.of(Close) if one.by == "upstream"]
    assert all(0 < count < 14 for count in counts)
    late = [(one.at_ns - begun) % (120 * MS) for one in closes]
    assert len(closes) == 3
    assert all(ns < 60 * MS for ns in late)


def test_a_stream_on_a_bad_line_is_late_complete_and_in_order() -> None:
    emulated = faults("loss=20%", "latency=50ms")
    with upstream(stream(messages=20), emulated) as served, websocket(served) as client:
        heard = [client.recv(timeout=5) for _ in range(20)]
    begun = served.of(StreamStart)[0].at_ns
    pushed = served.of(model.Pushed)
    assert heard == [f"tick {number}" for number in range(20)]
    assert pushed[0].due_ns - begun >= 50 * MS
    assert pushed[-1].due_ns - begun >= 400 * MS, "one in five is sent again after 200 ms"
    assert all(one.at_ns - one.due_ns < 100 * MS for one in pushed), (
        "that is not the server's fault"
    )


@pytest.mark.parametrize("spec", ["status=503", "reset=100%", "malformed=100%", "stall=100%"])
def test_a_handshake_meets_faults_too(spec: str) -> None:
    refused = (OSError, EOFError, InvalidHandshake, InvalidMessage)
    with upstream(stream(), faults(spec)) as served, pytest.raises(refused):
        listen(served)
    assert outcomes(served) == ["fault"]
    assert served.of(model.Pushed) == []


# --- Limits ---------------------------------------------------------------------------------------


def limits(**values: Any) -> Emulated:
    return Emulated(limits=(HostLimits(HOST, **values),))


def statuses(served: Served, count: int, target: str = "/a") -> list[requests.Response]:
    with requests.Session() as session:
        return [
            session.get(f"{served.address}{target}", headers=HEADERS, timeout=2)
            for _ in range(count)
        ]


def test_a_rate_limit_refuses_and_tells_when_to_come_again() -> None:
    rate = RateLimit(Rate(60, 60 * S), burst=2, weight_header="X-MBX-USED-WEIGHT-1M")
    with upstream(PLAIN, limits(rate=rate)) as served:
        answers = statuses(served, 3)
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert [one.headers["X-MBX-USED-WEIGHT-1M"] for one in answers] == ["1", "2", "2"]
    assert answers[2].headers["Retry-After"] == "1"
    assert outcomes(served) == ["hit", "extra", "refused"]
    assert (served.status["refused"], served.status["misses"]) == (1, 0)


def test_refusals_use_up_nothing_of_the_recording() -> None:
    traffic = recording(*(event for n in (1, 2) for event in exchange(n, "/a", b"%d" % n)))
    rate = RateLimit(Rate(20, S), burst=1)
    with upstream(traffic, limits(rate=rate)) as served:
        first = statuses(served, 5)
        time.sleep(0.06)
        later = statuses(served, 1)
    assert [one.status_code for one in first] == [200, 429, 429, 429, 429]
    assert later[0].content == b"2"


def test_a_ban_in_the_words_of_the_scenario() -> None:
    refusal = Refusal(429, 7, (("X-Why", "weight"),), '{"code": -1003}')
    rate = RateLimit(Rate(1, 60 * S), burst=1, refusal=refusal, ban=Ban(2, 60 * S))
    with upstream(PLAIN, limits(rate=rate)) as served:
        answers = [*statuses(served, 3), *statuses(served, 1, "/b")]
    assert [one.status_code for one in answers] == [200, 429, 418, 418]
    assert answers[1].json() == {"code": -1003}
    assert answers[1].headers["Retry-After"] == "7"


def test_connections_beyond_the_cap_are_reset_or_refused() -> None:
    with upstream(PLAIN, limits(connections=1)) as served, requests.Session() as session:
        session.get(f"{served.address}/a", headers=HEADERS, timeout=2)
        with pytest.raises(requests.ConnectionError):
            with_requests(served)
    with upstream(PLAIN, limits(connections=1, full_status=503)) as served:
        with requests.Session() as session:
            session.get(f"{served.address}/a", headers=HEADERS, timeout=2)
            refused = requests.get(f"{served.address}/a", headers=HEADERS, timeout=2)
        assert refused.status_code == 503
        deadline = time.monotonic() + 5
        while statuses(served, 1)[0].status_code != 200:  # the first connection has closed
            assert time.monotonic() < deadline
    assert "refused" in outcomes(served)


def test_new_connections_per_interval() -> None:
    emulated = limits(new_connections=Rate(2, 60 * S), full_status=503)
    with upstream(PLAIN, emulated) as served:
        found = [statuses(served, 1)[0].status_code for _ in range(3)]
    assert found == [200, 200, 503]


def test_websockets_at_once() -> None:
    emulated = limits(websockets=1, full_status=503)
    with upstream(stream(messages=100), emulated) as served, websocket(served) as client:
        assert client.recv(timeout=2)
        with pytest.raises(InvalidHandshake, match="503"):
            listen(served)
    assert outcomes(served) == ["hit", "refused"]


def test_a_service_that_works_on_one_thing_at_a_time() -> None:
    traffic = recording(*exchange(1, "/a", took_ms=50), *exchange(2, "/b", took_ms=50))

    async def both(served: Served) -> None:
        async with httpx.AsyncClient(timeout=2) as client:
            await asyncio.gather(
                *(client.get(f"{served.address}{path}", headers=HEADERS) for path in ("/a", "/b"))
            )

    with upstream(traffic, limits(concurrency=1)) as served:
        asyncio.run(both(served))
    first, second = sorted(one.due_ns for one in served.of(model.Served))
    assert second - first >= 49 * MS


# --- A bench --------------------------------------------------------------------------------------


def test_a_bench_under_faults_says_so(toy: Toy, perfscan: Perfscan, tmp_path: Path) -> None:
    words = ("--pairs", "1", "--lanes", "1", "--no-scan", "-q", "-o", "run.json")
    done = perfscan(
        *("bench", "replay", toy.scenario, *words, "--fault", "latency=30ms,jitter=5ms"),
        *("--fault", "slow-body=100kB/s@api.example.test", "--report", "report.md"),
    )
    run = json.loads((tmp_path / "run.json").read_text("utf-8"))
    specs = ["latency=30ms", "jitter=5ms", "slow-body=100kB/s@api.example.test"]
    assert run["method"]["faults"] == specs, done.err
    assert "FaultsInjected" in {doubt["code"] for doubt in run["doubts"]}
    assert run["equivalence"]["same"]
    for side in ("original", "optimized"):
        metrics = run["implementations"][side]["runs"][0]["metrics"]
        assert metrics["requests_failed_by_fault"] == 0
        assert metrics["success_rate"] == 1
        assert metrics["item_latency_ms.p50"] > 30
    report = (tmp_path / "report.md").read_text("utf-8")
    assert "Faults, injected on purpose: latency=30ms" in report
    assert "--fault jitter=5ms" in report


def test_a_wrong_fault_is_one_line(toy: Toy, perfscan: Perfscan) -> None:
    done = perfscan("bench", "replay", toy.scenario, "--fault", "latencies=1s")
    assert done.status == 2
    assert "unknown fault 'latencies'; did you mean 'latency'?" in done.err
    served = perfscan("traffic", "serve", toy.folder / "traffic.jsonl", "--fault", "loss=5")
    assert served.status == 2
    assert "did you mean '5%'?" in served.err
