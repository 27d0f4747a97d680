"""A recording is counted right."""

from __future__ import annotations

import pytest

from perfscan.replay.exchanges import exchanges
from perfscan.replay.model import (
    Event,
    Failure,
    Message,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.summary import endpoint, quantile_ms, summarise

MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
MS = 1_000_000


def recorded(*events: Event) -> Recording:
    return Recording(RecordingHeader(), events)


def exchange(number: int, target: str, status: int = 200, wait_ms: int = 10) -> tuple[Event, Event]:
    return (
        Request(number, 1, number * MS, "GET", target),
        Response(number, 1, (number + wait_ms) * MS, (number + wait_ms) * MS, status),
    )


OPEN = Open(1, 0, "https", "api.example.com", 443, connect_ns=2 * MS, tls_ns=3 * MS)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (f"/v1/tokens/{MINT}/report?x=1", "/v1/tokens/{}/report"),
        ("/users/42/orders", "/users/{}/orders"),
        ("/bot123:abcdefg/sendMessage", "/bot{}/sendMessage"),
        ("/botREDACTED-telegram-0a1b2c3d/sendMessage", "/bot{}/sendMessage"),
        ("/v3/markets", "/v3/markets"),
        ("/550e8400-e29b-41d4-a716-446655440000", "/{}"),
        ("/", "/"),
    ],
)
def test_endpoints_are_templates_without_secrets(target: str, expected: str) -> None:
    (found,) = exchanges(recorded(OPEN, *exchange(1, target)))
    assert endpoint(found) == f"GET api.example.com{expected}"


def test_requests_are_counted_with_their_times_and_errors() -> None:
    events = [OPEN]
    for number in range(1, 21):
        events += exchange(number, f"/users/{number}", 500 if number == 3 else 200, number)
    events.append(Request(99, 1, 99 * MS, "GET", "/never"))
    summary = summarise(recorded(*events))
    (host,) = summary.hosts
    assert (host.requests, host.errors) == (21, 2)
    assert (host.p50_ms, host.p95_ms) == (10.0, 19.0)
    assert [load.requests for load in summary.endpoints] == [20, 1]
    assert summary.connections[0].connect_ms == 2.0
    assert summary.duration_s == pytest.approx(0.099)


def test_streams_are_counted_by_url_without_its_secrets() -> None:
    events: list[Event] = [OPEN, Open(2, 1, "https", "api.example.com", 443)]
    for number in (1, 2):
        events.append(Request(number, number, MS, "GET", f"/ws?api-key=abcdefgh{number}"))
        events.append(Response(number, number, MS, MS, 101))
        events.append(Message(number, 2 * MS, "sent", "s"))
        events += [
            Message(number, at * MS, "received", "r", heard=at < 1000) for at in (3, 503, 1003)
        ]
    (stream,) = summarise(recorded(*events)).streams
    assert stream.url == "wss://api.example.com/ws?api-key=<secret>"
    assert (stream.sessions, stream.sent, stream.received, stream.unheard) == (2, 2, 6, 2)
    assert stream.per_second == pytest.approx(5.0)


def test_failures_are_counted_by_what_happened() -> None:
    summary = summarise(recorded(OPEN, Failure(1, 1, "reset"), Failure(1, 2, "reset")))
    assert summary.failures == {"reset": 2}


def test_an_empty_recording_is_all_zero() -> None:
    summary = summarise(recorded())
    assert (summary.requests, summary.duration_s, summary.hosts) == (0, 0.0, ())


def test_quantiles_are_observed_values() -> None:
    assert quantile_ms([], 0.5) is None
    assert quantile_ms([5 * MS], 0.95) == 5.0
    assert quantile_ms([4 * MS, 1 * MS, 3 * MS, 2 * MS], 0.5) == 2.0
