from __future__ import annotations

from array import array

import pytest
from wire.air import Client, air, session
from wire.talk import MS

from perfscan.replay.model import Close, Message, Ping, Pushed, StreamStart
from perfscan.replay.server import stations
from perfscan.replay.server.frames import parts_of


def test_everybody_hears_the_same_at_its_time() -> None:
    on = air(session(1, 0, (101, "a"), (201, "b")))
    on.alarm.time = 1000 * MS
    first, second = on.tune_in(1), on.tune_in(2)
    on.start()
    on.alarm.run_to(1150)
    assert (first.heard, second.heard) == (["a"], ["a"])
    on.alarm.run_to(2000)
    assert first.heard == ["a", "b"]
    start, *pushed = on.seen
    assert start == StreamStart("wss://a.example/ws", 1000 * MS, 1 * MS)
    assert pushed[0] == Pushed(1, 3, 1100 * MS, 1100 * MS)
    assert len(pushed) == 4


def test_the_stream_goes_on_without_listeners() -> None:
    on = air(session(1, 0, (101, "a"), (201, "b"), (301, "c")))
    on.start()
    on.alarm.run_to(250)
    late = on.tune_in()
    on.start()  # which changes nothing
    on.alarm.run_to(1000)
    assert late.heard == ["c"]
    assert sum(isinstance(event, StreamStart) for event in on.seen) == 1
    assert sum(isinstance(event, Pushed) for event in on.seen) == 1


def test_only_subscribers_hear() -> None:
    asks = Message(1, 50 * MS, "sent", "please")
    on = air([*session(1, 0, (101, "a")), asks])
    client = on.tune_in()
    client.asked = frozenset()
    on.start()
    on.alarm.run_to(1000)
    assert client.heard == []


def test_who_left_hears_nothing() -> None:
    on = air(session(1, 0, (101, "a")))
    handshake = on.open()
    assert handshake is not None
    (station,) = handshake.stations
    client = Client(1, on)
    station.join(client)
    station.leave(client)
    on.start()
    on.alarm.run_to(1000)
    assert client.heard == []


def test_stimuli_are_counted_down_whether_heard_or_not() -> None:
    on = air(session(1, 0, (101, "a"), (201, "b")))
    assert (on.directory.stimuli_left, on.directory.started) == (2, 0)
    on.start()
    on.alarm.run_to(150)
    assert (on.directory.stimuli_left, on.directory.started) == (1, 1)
    on.alarm.run_to(250)
    assert on.directory.stimuli_left == 0


def test_hangups_come_after_what_was_due_before() -> None:
    on = air([*session(1, 0, (101, "a"), (201, "b")), Close(1, 150 * MS, "upstream", 1012)])
    client = on.tune_in()
    on.start()
    on.alarm.run_to(1000)
    assert client.heard == ["a", "end", "b"]  # this client stays connected all the same


def test_much_is_read_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stations, "PORTION", 40)
    texts = [(100 + number, f"{number:018}") for number in range(25)]
    on = air(session(1, 0, *texts))
    on.start()
    client = on.tune_in()
    on.alarm.time = 10_000 * MS
    on.alarm.run_to(10_000)
    assert client.heard == [text for _, text in texts]
    assert [one.message for one in on.seen if isinstance(one, Pushed)] == list(range(3, 28))


def test_clients_that_want_the_same_share_a_portion() -> None:
    on = air(session(1, 0, (101, "a"), (102, "b")))
    first, second = on.tune_in(1), on.tune_in(2)
    handshake = on.open()
    assert handshake is not None
    (station,) = handshake.stations
    whole = station.portion(range(2), station.wanted(first), deflated=False)
    assert station.portion(range(2), station.wanted(second), deflated=False) is whole
    packed = station.portion(range(2), None, deflated=True)
    assert all(head & 0x40 for head, _ in parts_of(packed.data))
    assert packed.messages == whole.messages == array("i", [3, 4])


def test_pings_are_sent_and_not_counted() -> None:
    on = air([*session(1, 0, (101, "a"), (201, "b")), Ping(1, 150 * MS, "received", b"!")])
    client = on.tune_in()
    on.start()
    on.alarm.time = 1000 * MS
    on.alarm.run_to(1000)
    assert client.heard == ["a", "!", "b"]
    assert [one.message for one in on.seen if isinstance(one, Pushed)] == [3, 5]
