from __future__ import annotations

from perfscan.replay.server.bounded import Bounded

OVERHEAD = Bounded.OVERHEAD


def test_the_oldest_goes_first() -> None:
    memory: Bounded[str, int] = Bounded(3 * OVERHEAD + 30)
    for number, name in enumerate("abcd"):
        memory.put(name, number, 10)
    assert [memory.get(name) for name in "abcd"] == [None, 1, 2, 3]


def test_a_large_value_takes_the_room_of_several() -> None:
    memory: Bounded[str, int] = Bounded(3 * OVERHEAD + 30)
    for name in "abc":
        memory.put(name, 1, 10)
    memory.put("large", 2, OVERHEAD)
    assert [memory.get(name) for name in ("a", "b", "c", "large")] == [None, None, 1, 2]


def test_what_is_too_large_or_known_is_not_put_in() -> None:
    memory: Bounded[str, int] = Bounded(OVERHEAD + 10)
    memory.put("a", 1, 10)
    memory.put("a", 2, 10)
    memory.put("b", 3, 11)
    assert (memory.get("a"), memory.get("b")) == (1, None)
