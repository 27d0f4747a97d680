"""Which sequence of answers counts in a cycle."""

from __future__ import annotations

import pytest

from perfscan.replay.server.cycle_answers import CycleAnswers


def answers(*cycles: int, unanswered: int | None = None) -> CycleAnswers:
    found = CycleAnswers()
    for cycle in cycles:
        sequence = found.of(cycle)
        number = sequence.reserve("", cycle)
        if cycle != unanswered:
            sequence.fill(number, cycle, 0, successful=True)
    assert found.drop_unanswered()
    return found


@pytest.mark.parametrize(
    ("cycle", "counts", "own"),
    [(0, 2, False), (2, 2, True), (3, 2, False), (4, 4, True), (9, 4, False)],
)
def test_the_cycle_itself_counts_or_the_last_before_it(cycle: int, counts: int, own: bool) -> None:
    sequence, is_own = answers(2, 4).at(cycle)

    assert (sequence.places[0], is_own) == (counts, own)


def test_a_cycle_in_which_nothing_was_answered_has_no_answers() -> None:
    found = answers(1, 2, unanswered=2)

    assert found.at(2)[0].places[0] == 1
    assert found.unused == 1


def test_nothing_is_left_where_nothing_was_answered() -> None:
    found = CycleAnswers()
    found.of(1).reserve("", 0)

    assert not found.drop_unanswered()
