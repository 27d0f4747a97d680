"""When a bot is ready for work, and what it holds by then."""

from __future__ import annotations

import pytest

from perfscan.replay.beginning import Watched, beginning
from perfscan.replay.model import Item, Observation, StreamStart

S = 1_000_000_000
MEMORY = ((2 * S, 20.0), (5 * S, 90.0), (7 * S, 100.0), (9 * S, 130.0))
WATCHED = Watched(1 * S, MEMORY)


def items(*begun_s: int) -> list[Item]:
    return [Item(str(at), at * S, "handled", 1.0) for at in begun_s]


def test_a_bot_is_ready_when_it_first_asks_for_work() -> None:
    poll = Observation((StreamStart("https://h/a", 6 * S, 0), StreamStart("https://h/b", 5 * S, 0)))

    assert beginning(WATCHED, poll, items(8, 9)) == {"ready_s": 4.0, "baseline_rss_mb": 100.0}


def test_a_bot_that_works_in_cycles_is_ready_when_the_first_one_begins() -> None:
    found = beginning(WATCHED, Observation(()), items(6, 9))

    assert found == {"ready_s": 5.0, "baseline_rss_mb": 90.0}


@pytest.mark.parametrize("begun", [(), (0,)])
def test_nothing_is_said_of_a_bot_that_never_began(begun: tuple[int, ...]) -> None:
    assert beginning(WATCHED, Observation(()), items(*begun)) == {}


def test_before_the_first_sample_the_first_one_counts() -> None:
    early = Watched(1 * S, MEMORY[1:])

    assert beginning(early, Observation(()), items(3))["baseline_rss_mb"] == 90.0
