"""Faults that come by the clock."""

from __future__ import annotations

from perfscan.replay.faults import read_faults
from perfscan.replay.server.outages import Cut, Outages

S = 10**9


def test_an_outage_counts_from_its_beginning() -> None:
    outages = Outages(read_faults(["outage=a.b:10s-20s"]))
    assert not outages.away("a.b", 15 * S), "nothing has begun yet"
    outages.begin(5 * S)
    times = (14, 15, 24, 25)
    assert [outages.away("a.b", at * S) for at in times] == [False, True, True, False]
    assert not outages.away("c.d", 15 * S)


def test_it_begins_once_and_tells_what_is_to_be_cut() -> None:
    outages = Outages(read_faults(["outage=a.b:10s-20s", "ws-drop=every:30s@c.d", "loss=5%"]))
    assert outages.begin(7 * S) == (
        Cut(10 * S, 0, "a.b", only_websockets=False),
        Cut(30 * S, 30 * S, "c.d", only_websockets=True),
    )
    assert outages.begin(8 * S) == ()
    assert outages.away("a.b", 17 * S)


def test_drops_in_a_window_keep_their_beat() -> None:
    outages = Outages(
        read_faults(["ws-drop=every:10s@15s-40s", "ws-drop=every:10s@1s-9s", "ws-drop=every:5s"])
    )
    (first, always) = outages.begin(0)
    assert first.after_ns == 20 * S
    second = first.next()
    assert second is not None
    assert second.after_ns == 30 * S
    assert second.next() is None, "the next one would come when the window has closed"
    assert always.next() == Cut(10 * S, 5 * S, "", only_websockets=True)
    assert Cut(S, 0, "h", only_websockets=False).next() is None
