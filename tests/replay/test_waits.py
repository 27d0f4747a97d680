"""What a bot waits for, and through how many connections."""

from __future__ import annotations

from perfscan.replay.exchanges import exchanges
from perfscan.replay.model import Close, Observation, Open, Request, Response
from perfscan.replay.waits import most_open, waits_ms

MS = 1_000_000


def call(
    exchange: int, connection: int, begin: int, end: int, status: int = 200
) -> list[Request | Response]:
    return [
        Request(exchange, connection, begin * MS, "GET", f"/{exchange}"),
        Response(exchange, connection, end * MS, end * MS, status),
    ]


def opened(connection: int, at: int, *, inbound: bool = False) -> Open:
    return Open(connection, at * MS, "https", "h", 443, inbound=inbound)


def test_the_first_request_on_a_connection_waits_for_the_connection_too() -> None:
    seen = Observation((opened(1, 0), *call(1, 1, 200, 300), *call(2, 1, 400, 450)))

    assert [ms for _, ms in waits_ms(exchanges(seen))] == [300.0, 50.0]


def test_what_was_never_answered_and_streams_are_left_out() -> None:
    lost = Request(3, 1, 500 * MS, "GET", "/lost")
    seen = Observation((opened(1, 0), *call(1, 1, 0, 300, status=101), lost))

    assert list(waits_ms(exchanges(seen))) == []


def test_connections_that_were_open_at_the_same_time_are_counted() -> None:
    seen = Observation(
        (
            *(opened(1, 0), opened(2, 10), Close(1, 20 * MS, "bot", None), opened(3, 20)),
            *(opened(4, 30), Close(3, 40 * MS, "bot", None), opened(9, 35, inbound=True)),
            Close(9, 36 * MS, "bot", None),
        )
    )

    assert most_open(seen) == 3
    assert most_open(Observation(())) == 0
