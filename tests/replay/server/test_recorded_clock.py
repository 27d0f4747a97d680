from __future__ import annotations

from perfscan.replay.model import StreamStart
from perfscan.replay.server.recorded_clock import RecordedClock


def test_the_first_request_stands_for_the_first_recorded_one() -> None:
    clock = RecordedClock(5000, speed=1.0)
    assert [clock.at(now_ns) for now_ns in (300, 310, 400)] == [5000, 5010, 5100]


def test_speed_makes_recorded_time_go_faster() -> None:
    clock = RecordedClock(5000, speed=10.0)
    assert [clock.at(now_ns) for now_ns in (300, 310)] == [5000, 5100]


def test_the_first_stream_sets_it_right() -> None:
    clock = RecordedClock(5000, speed=2.0)
    clock.at(300)
    clock.follow(StreamStart("wss://a/", 400, 9000))
    clock.follow(StreamStart("wss://b/", 500, 1))
    assert clock.at(450) == 9100
