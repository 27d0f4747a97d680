"""What of an answer is written when."""

from __future__ import annotations

from perfscan.replay.server.delivery import Delivery
from perfscan.replay.server.scripts import Script


def test_parts_are_taken_when_they_are_due_and_once() -> None:
    one = Delivery(Script(((0, b"a"), (10, b"b"), (20, b"c")), 3, "keep"), begun_ns=100)
    assert (one.take(100), one.wait_until()) == (b"a", 110)
    assert (one.take(105), one.wait_until()) == (b"", None), "it waits for that already"
    assert one.take(125) == b"bc"
    assert one.complete
    assert one.wait_until() is None


def test_nothing_to_write_is_complete_at_once() -> None:
    assert Delivery(Script((), 0, "stall"), 0).complete
