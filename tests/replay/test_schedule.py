"""The order of runs."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from perfscan.replay.schedule import (
    Batch,
    Slot,
    pair_batches,
    pair_slots,
    round_batches,
    stage_batches,
)


def rounds(pairs: int, lanes: int) -> list[tuple[Slot, ...]]:
    return [turn for batch in pair_batches(range(pairs), lanes) for turn in batch]


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
    assert rounds(0, 4) == []
    assert rounds(1, 1)[0] == (Slot("original", 0, 0),)


def test_a_batch_is_a_whole_pair_or_all_lanes() -> None:
    assert [len(batch) for batch in pair_batches(range(3), 1)] == [2, 2, 2]
    assert [[len(turn) for turn in batch] for batch in pair_batches(range(5), 2)] == [[4], [4], [2]]


def test_missing_pairs_keep_their_order_of_sides() -> None:
    assert pair_batches([1], 1) == (tuple((slot,) for slot in pair_slots(1)),)


def test_one_side_alone() -> None:
    slots = [turn[0].side for batch in pair_batches(range(4), 1, "optimized") for turn in batch]
    assert slots == ["optimized"] * 4


NAMES = ["all on", "without a", "only a", "without b", "only b", "all off"]


def places(batches: tuple[Batch, ...]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for batch in batches:
        for turn in batch:
            for slot in turn:
                found.setdefault(slot.variant, []).append(slot.position)
    return found


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("rounds", [2, 6, 8])
def test_no_variant_owns_a_place(rounds: int, lanes: int) -> None:
    found = places(round_batches(NAMES, rounds, lanes))
    assert {len(one) for one in found.values()} == {rounds}
    assert {sum(one) for one in found.values()} == {rounds * (len(NAMES) - 1) / 2}


def test_each_two_variants_meet_in_both_orders() -> None:
    found = places(round_batches(NAMES, 6, 1))
    for one, other in combinations(NAMES, 2):
        earlier = sum(a < b for a, b in zip(found[one], found[other], strict=True))
        assert earlier == 3


def test_runs_of_an_ablation_do_not_share_a_folder() -> None:
    slots = [slot for batch in round_batches(NAMES, 6, 1) for turn in batch for slot in turn]
    assert len({slot.folder for slot in slots}) == len(slots)
    assert round_batches([], 6, 1) == ()


def test_stages_share_a_batch_and_keep_their_pairs_whole() -> None:
    pairs = [("storm", 0), ("storm", 1), ("burst", 0)]
    (first,), (second,) = stage_batches(pairs, 2)
    assert [(slot.stage, slot.pair) for slot in first] == [("storm", 0)] * 2 + [("storm", 1)] * 2
    assert [slot.side for slot in first] == ["original", "optimized", "optimized", "original"]
    assert {slot.stage for slot in second} == {"burst"}
    assert len({*first, *second}) == 6, "slots of different stages are not the same"
    assert [len(batch) for batch in stage_batches(pairs, 1)] == [2, 2, 2]
