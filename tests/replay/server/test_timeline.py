from __future__ import annotations

from array import array
from collections.abc import Sequence

from perfscan.replay.model import Event, Open, Recording, RecordingHeader
from perfscan.replay.server.draft import Rows
from perfscan.replay.server.reel import Reel
from perfscan.replay.server.streams import Hangup, StreamPlan
from perfscan.replay.server.timeline import ConnectionCosts, Pace, StreamPlayer, answer_due

MS = 1_000_000


def opened(number: int, host: str, connect_ms: int | None, tls_ms: int | None = None) -> Open:
    def ns(value: int | None) -> int | None:
        return None if value is None else value * MS

    return Open(number, number, "https", host, 443, ns(connect_ms), ns(tls_ms))


def recording(*events: Event, header: RecordingHeader | None = None) -> Recording:
    return Recording(header or RecordingHeader(), events)


def test_the_nth_connection_costs_what_the_nth_did() -> None:
    traffic = recording(
        opened(2, "a", 30, 40), opened(1, "a", 10, 20), opened(3, "b", 5), opened(4, "c", None)
    )
    costs = ConnectionCosts(traffic, seed=1)
    assert [costs.next_ns("a") for _ in range(2)] == [30 * MS, 70 * MS]
    assert costs.next_ns("b") == 5 * MS
    assert costs.next_ns("c") == 0
    assert costs.next_ns("unknown") == 0


def test_later_connections_draw_the_same_on_both_sides() -> None:
    traffic = recording(*[opened(number, "a", number) for number in range(1, 9)])

    def drawn(seed: int, also: str) -> list[int]:
        costs = ConnectionCosts(traffic, seed)
        values = []
        for _ in range(40):
            costs.next_ns(also)  # what happens on other hosts must not matter
            values.append(costs.next_ns("a"))
        return values[8:]

    assert drawn(1, "b") == drawn(1, "c")
    assert drawn(1, "b") != drawn(2, "b")
    assert set(drawn(1, "b")) <= {number * MS for number in range(1, 9)}


def test_without_recorded_latency_connections_cost_nothing() -> None:
    header = RecordingHeader(latency="not recorded")
    assert ConnectionCosts(recording(opened(1, "a", 30), header=header), 1).next_ns("a") == 0


def test_a_request_waits_for_its_connection_only_once() -> None:
    accepted, cost = 1000, 500
    assert answer_due(1010, accepted + cost, 200) == 1700
    assert answer_due(9000, accepted + cost, 200) == 9200


def test_speed_shortens_recorded_waits() -> None:
    assert [Pace(1)(7), Pace(2)(7), Pace(0.5)(7)] == [7, 4, 14]


def player(
    *at_ms: int,
    hangups: Sequence[int] = (),
    speed: float = 1,
    until_ms: int | None = None,
    delays_ms: Sequence[int] | None = None,
) -> StreamPlayer:
    rows = Rows(Reel())
    for at in at_ms:
        rows.add(at * MS, at, b"", begins=True)
    plan = StreamPlan(
        *("wss://a/", 100 * MS, True, rows, array("i", [0] * len(rows)), (frozenset(),)),
        *(tuple(Hangup(at * MS, None, "") for at in hangups), frozenset()),
    )
    delays_ns = None if delays_ms is None else [delay * MS for delay in delays_ms]
    return StreamPlayer(plan, speed, None if until_ms is None else until_ms * MS, delays_ns)


def test_nothing_is_due_before_the_start() -> None:
    stream = player(150)
    assert stream.next_due_ns() is None
    assert list(stream.take_due(10**15)) == []
    assert stream.left == range(1)


def test_events_are_due_at_their_distance_from_the_start() -> None:
    stream = player(150, 160, 300)
    assert stream.start(1_000 * MS)
    assert stream.next_due_ns() == 1_050 * MS
    assert list(stream.take_due(1_050 * MS - 1)) == []
    assert list(stream.take_due(1_070 * MS)) == [range(2)]
    assert list(stream.take_due(1_070 * MS)) == []
    assert stream.next_due_ns() == 1_200 * MS


def test_hangups_keep_their_place_between_messages() -> None:
    stream = player(150, 160, 300, hangups=[155, 155, 300, 400])
    stream.start(0)
    taken = list(stream.take_due(10**15))
    assert [one if isinstance(one, range) else one.at_ns // MS for one in taken] == [
        *(range(1), 155, 155),
        *(range(1, 3), 300, 400),
    ]
    assert stream.next_due_ns() is None


def test_a_hangup_waits_for_messages_that_come_late() -> None:
    stream = player(150, 160, 300, hangups=[155, 170], delays_ms=[0, 40, 0])
    stream.start(0)
    assert list(stream.take_due(60 * MS)) == [range(1), Hangup(155 * MS, None, "")]
    assert stream.next_due_ns() == 100 * MS
    assert list(stream.take_due(99 * MS)) == []
    assert list(stream.take_due(100 * MS)) == [range(1, 2), Hangup(170 * MS, None, "")]


def test_the_clock_starts_once() -> None:
    stream = player(150)
    assert stream.start(5 * MS)
    assert not stream.start(7_000 * MS)
    assert stream.next_due_ns() == 55 * MS


def test_at_double_speed_half_the_wait() -> None:
    stream = player(150, speed=2)
    stream.start(0)
    assert stream.next_due_ns() == 25 * MS


def test_a_stream_may_end_early() -> None:
    stream = player(150, 200, 201, hangups=[200, 202], until_ms=100)
    stream.start(0)
    first, hangup = stream.take_due(10**15)
    assert (first, isinstance(hangup, Hangup)) == (range(2), True)
    assert stream.next_due_ns() is None
    assert stream.left == range(2, 2)
