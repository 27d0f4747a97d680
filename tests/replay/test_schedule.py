"""The order of runs."""

from __future__ import annotations

from collections import Counter

import pytest

from perfscan.replay.schedule import Slot, pair_slots, rounds


def test_pairs_turn_their_order() -> None:
    sides = "".join(slot.side[1] for pair in range(4) for slot in pair_slots(pair))
    assert sides == "rppr" * 2  # oRiginal oPtimized, oPtimized oRiginal: A B B A


@pytest.mark.parametrize("lanes", [1, 2, 3, 6, 40])
@pytest.mark.parametrize("pairs", [1, 6, 7])
def test_every_pair_runs_once_a_side(pairs: int, lanes: int) -> None:
    made = Counter((slot.side, slot.pair) for turn in rounds(pairs, lanes) for slot in turn)
    assert set(made.values()) == {1}
    assert len(made) == 2 * pairs


def test_one_lane_runs_one_bot_at_a_time() -> None:
    assert {len(turn) for turn in rounds(6, 1)} == {1}


@pytest.mark.parametrize("lanes", [2, 3, 6])
def test_a_round_holds_whole_pairs(lanes: int) -> None:
    for turn in rounds(7, lanes):
        assert len(turn) <= 2 * lanes
        per_pair = Counter(slot.pair for slot in turn)
        assert set(per_pair.values()) == {2}


def test_each_side_starts_first_equally_often() -> None:
    first = Counter(slot.side for turn in rounds(6, 6) for slot in turn if slot.position == 0)
    assert first == {"original": 3, "optimized": 3}


def test_no_pairs_no_rounds() -> None:
    assert rounds(0, 4) == ()
    assert rounds(1, 1)[0] == (Slot("original", 0, 0),)
