"""Whose debt a decision pays, and what is left over."""

from __future__ import annotations

import pytest

from perfscan.replay.effects.decisions import Decisions, credited


def state(decisions: Decisions) -> str:
    judgement = decisions.judgement()
    return judgement.state if judgement else "as recorded"


@pytest.mark.parametrize(
    ("owed", "sent", "states"),
    [
        (["ab", "c"], ["ba", "c"], ["as recorded", "as recorded"]),
        (["aa", ""], ["a", "a"], ["late", "as recorded"]),
        (["a", "a"], ["", "aa"], ["late", "as recorded"]),
        (["a", "a"], ["", "a"], ["missed", "as recorded"]),
        (["a", ""], ["a", "a"], ["as recorded", "duplicated"]),
        (["", "a"], ["a", ""], ["wrong", "missed"]),
        (["", "a"], ["a", "a"], ["wrong", "as recorded"]),
        (["a"], ["", "", "a"], ["late", "as recorded", "as recorded"]),
        (["a", "b", "c"], ["a"], ["as recorded"]),
    ],
)
def test_each_decision_counts_for_the_cycle_that_owes_it(
    owed: list[str], sent: list[str], states: list[str]
) -> None:
    assert [state(one) for one in credited(owed, sent)] == states


def test_a_late_decision_belongs_to_the_cycle_that_owed_it() -> None:
    first, second = credited(["ab", "c"], ["a", "bc"])

    assert (sorted(first.made), first.late) == (["a", "b"], ["b"])
    assert second.made == ["c"]


def test_the_worst_is_told_with_an_example() -> None:
    (found,) = credited(["ab"], ["yz"])
    judgement = found.judgement()

    assert judgement is not None
    assert judgement.detail == "nothing asked for it: y and 1 more"
