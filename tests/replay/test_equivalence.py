from __future__ import annotations

import pytest

from perfscan.replay.equivalence import RunPair, complete_pairs, equivalence
from perfscan.replay.model import Item, ItemState, Run, Side


def item(
    key: str,
    state: ItemState = "handled",
    content: str = "c",
    *,
    owed: bool = True,
    away: bool = False,
) -> Item:
    latency = None if state == "missed" else 1.0
    return Item(key, 0, state, latency, content, expected=owed, away=away)


def run(side: Side, *items: Item, pair: int = 0, ok: bool = True) -> Run:
    return Run(side, pair, 0, ok, {}, items)


def pair(before: Item, after: Item | None) -> RunPair:
    return RunPair(run("original", before), run("optimized", *([after] if after else [])))


def test_equal_work_is_the_same() -> None:
    found = equivalence([pair(item("a"), item("a"))] * 3)

    assert found.same
    assert found.differences == ()
    assert (found.items, found.original.handled, found.optimized.handled) == (1, 3, 3)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("handled", "missed", "missed"),
        ("handled", "late", "missed"),
        ("handled", None, "missed"),
        ("duplicated", "missed", "missed"),
        ("handled", "duplicated", "duplicated"),
        ("missed", "duplicated", "duplicated"),
        ("duplicated", "duplicated", "duplicated"),
        ("handled", "wrong", "wrong"),
        ("missed", "wrong", "wrong"),
    ],
)
def test_less_or_other_work_is_a_difference(
    before: ItemState, after: ItemState | None, kind: str
) -> None:
    changed = item("a", after, "other") if after else None
    found = equivalence([pair(item("a", before), changed)])

    assert not found.same
    assert [one.kind for one in found.differences if one.side == "optimized"] == [kind]


@pytest.mark.parametrize(
    ("after", "same"),
    [("missed", True), ("late", True), (None, True), ("duplicated", False), ("wrong", False)],
)
def test_what_a_fault_took_is_missed_and_nothing_else(after: ItemState | None, same: bool) -> None:
    changed = item("a", after, "other") if after else None
    found = equivalence([pair(item("a"), changed)], disturbed=True)

    assert found.same == same
    assert found.optimized.missed == (after in ("missed", "late"))


@pytest.mark.parametrize(
    ("before", "after"), [("missed", "handled"), ("late", "handled"), ("missed", "missed")]
)
def test_gains_and_common_misses_are_no_difference(before: ItemState, after: ItemState) -> None:
    found = equivalence([pair(item("a", before), item("a", after))])

    assert found.same
    assert found.differences == ()


def test_dropping_what_it_heard_is_a_difference_even_where_the_original_was_away() -> None:
    found = equivalence([pair(item("a", "missed", away=True), item("a", "missed"))])

    assert [(one.side, one.kind) for one in found.differences] == [("optimized", "missed")]


@pytest.mark.parametrize("before", ["handled", "missed"])
def test_being_away_by_chance_is_no_difference(before: ItemState) -> None:
    """A bot that reconnects all the time misses other items in each run, against itself too."""
    pairs = [pair(item("a", before), item("a", "missed", away=True))] * 5
    pairs.append(pair(item("a", "missed", away=True), item("a")))

    assert equivalence(pairs).same


@pytest.mark.parametrize(
    ("pairs", "items", "away", "same"),
    [
        *((6, 46, 1, False), (6, 47, 1, True), (8, 643, 1, False), (2, 1, 1, True)),
        *((6, 1000, 21, True), (6, 1000, 22, False), (3, 10, 10, False), (3, 10, 9, True)),
    ],
)
def test_being_away_always_is_a_difference_where_chance_would_not_do_it(
    pairs: int, items: int, away: int, same: bool
) -> None:
    keys = [f"a{number}" for number in range(items)]
    one = RunPair(
        run("original", *map(item, keys)),
        run(
            *("optimized", *(item(key, "missed", away=True) for key in keys[:away])),
            *map(item, keys[away:]),
        ),
    )
    found = equivalence([one] * pairs)

    assert found.same is same
    assert [one.runs for one in found.differences] == ([] if same else [pairs] * away)


@pytest.mark.parametrize("state", ["duplicated", "wrong"])
def test_faults_of_the_original_are_listed_but_cost_only_the_original(state: ItemState) -> None:
    found = equivalence([pair(item("a", state, "other"), item("a"))])

    assert found.same
    assert [(one.side, one.kind) for one in found.differences] == [("original", state)]


def test_sides_that_agree_against_the_recording_did_the_same_work() -> None:
    same = equivalence([pair(item("a", "wrong", "x"), item("a", "wrong", "x"))])
    other = equivalence([pair(item("a", "wrong", "x"), item("a", "wrong", "y"))])

    assert same.same
    assert same.optimized.wrong == 1, "still told in the totals"
    assert not other.same


def test_content_beyond_duty_is_judged_between_the_sides() -> None:
    def beyond(content: str) -> Item:
        return item("a", content=content, owed=False)

    assert equivalence([pair(beyond("x"), beyond("x"))]).same
    assert not equivalence([pair(beyond("x"), beyond("y"))]).same
    assert equivalence([RunPair(run("original"), run("optimized", beyond("x")))]).same
    assert equivalence([RunPair(run("original"), run("optimized", beyond("x")))]).items == 0


def test_work_beyond_duty_is_lost_only_where_the_bot_heard_of_it() -> None:
    extra = item("a", owed=False)

    assert equivalence([pair(extra, None)]).same, "it was away: a live stream does not wait"
    assert equivalence([pair(item("b"), item("b", "missed", owed=False))]).same is False
    assert not equivalence([pair(extra, item("a", "missed", owed=False))]).same
    assert equivalence([pair(item("a", "missed", owed=False), extra)]).same
    dropped = item("a", "missed", owed=False)
    assert equivalence([pair(dropped, dropped)]).same


def test_equal_differences_of_several_runs_are_one_entry() -> None:
    found = equivalence([pair(item("a"), item("a", "missed"))] * 4)

    assert [(one.key, one.runs) for one in found.differences] == [("a", 4)]


def test_only_pairs_of_which_both_runs_ended_well_count() -> None:
    runs = [
        run("original", pair=0),
        run("optimized", pair=0),
        run("original", pair=1, ok=False),
        run("optimized", pair=1),
        run("original", pair=2),
    ]

    assert [one.original.pair for one in complete_pairs(runs)] == [0]


@pytest.mark.parametrize(("content", "same"), [("c", True), ("less", False)])
def test_what_both_did_in_part_must_be_the_same_part(content: str, same: bool) -> None:
    found = equivalence([pair(item("a", "missed"), item("a", "missed", content))])

    assert found.same == same


def test_a_late_item_may_be_missed_where_nothing_of_it_was_done() -> None:
    nothing = Item("a", 0, "missed", None)

    assert equivalence([pair(item("a", "late"), nothing)]).same
