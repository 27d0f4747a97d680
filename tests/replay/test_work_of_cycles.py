"""What a run made of the rounds of a bot that goes round and round."""

from __future__ import annotations

from dataclasses import replace

import pytest
from wire.judging import exchange, judged, recording

from perfscan.replay.model import CycleEffect, CycleStimulus, Event, ItemRules, Open

ROUNDS = ItemRules(
    CycleStimulus(("GET https://api.test/list",)),
    CycleEffect(("POST https://api.test/order",), ("$.id",)),
)
API = Open(1, 0, "https", "api.test", 443)


def rounds(start: int, *orders: tuple[str, ...]) -> list[Event]:
    events: list[Event] = []
    for number, ids in enumerate(orders):
        at = start + 200 * number
        events += exchange(100 * number + 1, 1, at, "GET /list")
        for place, name in enumerate(ids):
            asked = {"id": name, "nonce": start}
            events += exchange(100 * number + 2 + place, 1, at + 20 + place, "POST /order", asked)
    return events


def test_a_cycle_is_judged_by_all_that_it_did_in_any_order() -> None:
    recorded = recording(API, *rounds(0, ("a", "b"), ("c",), ("d",)))
    items = judged(recorded, ROUNDS, API, *rounds(1000, ("b", "a"), ("c", "c")))

    assert {key: item.state for key, item in items.items()} == {
        "1": "handled", "2": "wrong", "3": "missed",
    }  # fmt: skip
    assert items["1"].latency_ms == 31.0, "from its own beginning to the last answer"
    assert items["3"].away is False


def test_what_a_cycle_asks_for_is_not_compared_unless_it_is_said() -> None:
    recorded = recording(API, *rounds(0, ("a", "b")))
    rules = replace(ROUNDS, effect=CycleEffect(("POST https://api.test/order",)))

    assert judged(recorded, rules, API, *rounds(1000, ("z",)))["1"].state == "handled"


DECISIONS = replace(
    ROUNDS,
    effect=CycleEffect(
        ("GET https://api.test/list",), ("$.id",), compare_in=("POST https://api.test/order",)
    ),
)


@pytest.mark.parametrize(
    ("sent", "states", "detail"),
    [
        ([("b", "a"), ("c",), ()], ["handled", "handled", "handled"], ""),
        ([("a",), ("b", "c"), ()], ["late", "handled", "handled"], 'in a later cycle: [["b"]]'),
        ([("a",), ("c",), ("b",)], ["late", "handled", "handled"], 'in a later cycle: [["b"]]'),
        ([("a",), ("c",), ()], ["missed", "handled", "handled"], 'not sent: [["b"]]'),
        ([(), ("c",), ()], ["missed", "handled", "handled"], 'not sent: [["a"]] and 1 more'),
        ([("a", "b", "b"), ("c",), ()], ["duplicated", "handled", "handled"], "sent again"),
        ([("a", "b"), ("c", "b"), ()], ["handled", "duplicated", "handled"], 'sent again: [["b"]]'),
        ([("a", "b", "c"), (), ()], ["wrong", "missed", "handled"], "nothing asked for it"),
        ([("a", "b"), ("z",), ()], ["handled", "wrong", "handled"], 'asked for it: [["z"]]'),
    ],
)
def test_decisions_are_judged_one_by_one(
    sent: list[tuple[str, ...]], states: list[str], detail: str
) -> None:
    recorded = recording(API, *rounds(0, ("a", "b"), ("c",), ()))
    items = judged(recorded, DECISIONS, API, *rounds(1000, *sent))

    assert [items[key].state for key in ("1", "2", "3")] == states
    worst = min(items.values(), key=lambda item: item.state == "handled")
    assert detail in worst.detail
    assert (worst.latency_ms is None) == (worst.state == "missed")


def test_a_cycle_ends_with_the_last_of_its_requests_whether_it_is_compared_or_not() -> None:
    recorded = recording(API, *rounds(0, ("a",), ()))
    items = judged(recorded, DECISIONS, API, *rounds(1000, ("a",), ()))

    assert [items[key].latency_ms for key in ("1", "2")] == [30.0, 10.0]


def test_what_is_decided_after_the_recorded_cycles_is_nobodys_business_unless_it_is_late() -> None:
    recorded = recording(API, *rounds(0, ("a", "b")))
    items = judged(recorded, DECISIONS, API, *rounds(1000, ("a",), ("b", "z")))

    assert {key: item.state for key, item in items.items()} == {"1": "late"}


@pytest.mark.parametrize("compare_in", [(), ("POST https://api.test/order",)])
def test_what_is_sent_in_a_cycle_that_was_recorded_without_is_wrong(
    compare_in: tuple[str, ...],
) -> None:
    effect = CycleEffect(("POST https://api.test/order",), ("$.id",), compare_in)
    rules = ItemRules(replace(ROUNDS.stimulus, pause_s=0.1), effect)
    recorded = recording(API, *rounds(0, ("a",), (), ("c",), ()))
    items = judged(recorded, rules, API, *rounds(1000, ("a",), ("z",), ("c",), ("y",)))

    assert {key: item.state for key, item in items.items()} == {
        "1": "handled", "2": "wrong", "3": "handled",
    }, "nobody knows what the fourth was going to do when the recording ended"  # fmt: skip
    assert (items["2"].expected, items["2"].detail) == (False, 'nothing asked for it: [["z"]]')
    assert set(judged(recorded, rules, API, *rounds(1000, ("a",), (), ("c",)))) == {"1", "3"}


def test_whole_bodies_of_decisions_are_compared_unless_parts_are_named() -> None:
    recorded = recording(API, *rounds(0, ("a",)))
    whole = replace(ROUNDS.effect, compare=(), compare_in=("POST https://api.test/order",))
    items = judged(recorded, replace(ROUNDS, effect=whole), API, *rounds(1000, ("a",)))

    assert items["1"].state == "wrong", "the nonce differs"
