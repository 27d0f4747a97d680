from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from perfscan.replay.model import Pushed
from perfscan.replay.server.journal import Journal, read_observation
from perfscan.replay.server.pushes import Pushes
from perfscan.replay.server.timeline import StreamClock


@pytest.mark.parametrize("count", [1, 7, 8, 1000])
def test_a_journal_keeps_every_message(count: int, tmp_path: Path) -> None:
    numbers = range(5, 5 + count)
    pushes = Pushes(
        *(3, 90_000, StreamClock(1000, 100, 2.0)),
        *(array("i", numbers), array("q", (100 + 20 * number for number in numbers))),
    )
    journal = Journal(tmp_path / "journal.jsonl", 2.0, None)
    journal.add(pushes)
    journal.close()
    events = read_observation(tmp_path / "journal.jsonl").events
    assert list(events) == list(pushes)
    assert events[0] == Pushed(3, 5, 1050, 90_000)
    assert [event.message for event in events if isinstance(event, Pushed)] == list(numbers)
