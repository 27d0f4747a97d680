"""Load: copies of items with values of their own, and recordings that stay whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from endtoend.toy import MS, toy_recording

from perfscan.errors import InputError
from perfscan.replay.exchanges import exchanges
from perfscan.replay.load import multiply, parse_factor, with_load
from perfscan.replay.load.values import Exchanging, Stand
from perfscan.replay.model import (
    AnswerEffect,
    CycleEffect,
    CycleStimulus,
    Event,
    Implementation,
    InboundStimulus,
    ItemRules,
    KeyRule,
    Message,
    Open,
    PushStimulus,
    Recording,
    RecordingHeader,
    Request,
    RequestEffect,
    Response,
    Scenario,
    UpdateStimulus,
)
from perfscan.replay.stimuli.updates import updates_in
from perfscan.replay.work import effects, expected_items, stimuli

TOY = ItemRules(
    PushStimulus("wss://stream.example.test/ticks", KeyRule("$.params.result.key"), '"tick"'),
    RequestEffect(("POST https://api.example.test/alerts",), KeyRule("$.text", r"^(\w+)")),
)


def scenario(items: ItemRules, vary: Sequence[str] = (), **environment: str) -> Scenario:
    side = Implementation("original", ("python",), Path(), environment)
    return Scenario("t", "t", Path(), Path(), side, side, items, vary=tuple(vary))


def recording(*events: Event) -> Recording:
    return Recording(RecordingHeader(), tuple(sorted(events, key=lambda event: event.at_ns)))


def exchange(number: int, at_ms: int, request: str, body: Any, answer: Any) -> list[Event]:
    method, target = request.split(" ")
    data = json.dumps(body).encode() if body is not None else b""
    said = json.dumps(answer).encode()
    return [
        Request(number, 1, at_ms * MS, method, target, (), data),
        Response(number, 1, (at_ms + 5) * MS, (at_ms + 5) * MS, 200, (), said),
    ]


# --- More items -----------------------------------------------------------------------------------


def test_every_item_is_copied_with_all_that_belongs_to_it() -> None:
    recorded = toy_recording(ticks=8)
    loaded = multiply(recorded, scenario(TOY), 10, seed=1)

    assert expected_items(loaded, TOY) == 80 == 10 * expected_items(recorded, TOY)
    begun, done = stimuli(loaded, TOY), effects(loaded, TOY)
    assert len(begun) == 80
    assert begun.keys() == done.keys()
    asked = {one.request.target for one in exchanges(loaded) if one.request.method == "GET"}
    assert {f"/price/{key}" for key in begun} <= asked
    waits = {key: done[key][0].at_ns - one.at_ns for key, one in begun.items()}
    assert set(waits.values()) == {72 * MS}, "a copy takes as long as its original"
    assert set(recorded.events) <= set(loaded.events)
    assert loaded.header.notes == ("load x10, seed 1",)


def test_copies_come_before_the_next_item() -> None:
    recorded = toy_recording(ticks=8, every_ms=150)
    times = [one.at_ns for one in stimuli(multiply(recorded, scenario(TOY), 5, 1), TOY).values()]

    first, last = 200 * MS, (200 + 7 * 150) * MS
    assert min(times) == first
    assert max(times) <= last, "as long as the recording"
    for start in range(first, last, 150 * MS):
        between = [one for one in times if start <= one < start + 150 * MS]
        assert len(between) == (5 if start < last - 150 * MS else len(between))


def test_the_same_seed_gives_the_same_load() -> None:
    recorded = toy_recording(ticks=4)

    assert multiply(recorded, scenario(TOY), 3, 7) == multiply(recorded, scenario(TOY), 3, 7)
    assert multiply(recorded, scenario(TOY), 3, 7) != multiply(recorded, scenario(TOY), 3, 8)
    assert multiply(recorded, scenario(TOY), 1, 7) is recorded


def test_numbers_of_exchanges_and_connections_are_never_shared() -> None:
    loaded = multiply(toy_recording(ticks=8), scenario(TOY), 4, 1)
    requests = [event.exchange for event in loaded.events if isinstance(event, Request)]
    opens = [event.connection for event in loaded.events if isinstance(event, Open)]

    assert len(requests) == len(set(requests))
    assert len(opens) == len(set(opens))
    assert {event.connection for event in loaded.events} == set(opens)


def test_short_keys_stay_apart() -> None:
    """The toy's keys are a letter and two digits: few of their kind, and all are taken once."""
    loaded = multiply(toy_recording(ticks=80), scenario(TOY), 9, 1)

    assert len(stimuli(loaded, TOY)) == 9 * 80


def test_a_factor_between_whole_numbers_copies_some() -> None:
    found = expected_items(multiply(toy_recording(ticks=40), scenario(TOY), 1.5, 1), TOY)

    assert 45 < found < 75


def test_values_that_led_on_and_declared_ones_are_new_in_a_copy() -> None:
    mint = "So11111111111111111111111111111111111111112"
    key = "5abcDEFghijkLMNopqrSTUvwxyz123"
    recorded = recording(
        Open(1, 0, "https", "api.example.test", 443),
        Open(9, 0, "https", "stream.example.test", 443),
        Request(90, 9, 1, "GET", "/ticks"),
        Response(90, 9, 2, 2, 101),
        Message(
            9, 100 * MS, "received", json.dumps({"tick": 1, "params": {"result": {"key": key}}})
        ),
        *exchange(1, 110, f"GET /tx/{key}", None, {"mint": mint, "pool": "AB-1234"}),
        *exchange(2, 120, f"GET /report/{mint}", None, {"score": 5}),
        *exchange(3, 130, "POST /alerts", {"text": f"{key} {mint} AB-1234"}, {"ok": True}),
    )
    loaded = multiply(recorded, scenario(TOY, [r"AB-\d+"]), 2, 1)

    (copy,) = [one for one in stimuli(loaded, TOY) if one != key]
    texts = {
        one.request.target: (one.response.body.decode() if one.response else "")
        for one in exchanges(loaded)
    }
    answer = json.loads(texts[f"/tx/{copy}"])
    assert answer["mint"] != mint
    assert len(answer["mint"]) == len(mint)
    assert answer["pool"] != "AB-1234"
    assert answer["pool"].startswith("AB-") is False, "a letter for a letter"
    assert f"/report/{answer['mint']}" in texts
    (said,) = [
        one.request.body.decode()
        for one in exchanges(loaded)
        if one.request.target == "/alerts" and copy in one.request.body.decode()
    ]
    assert answer["mint"] in said
    assert answer["pool"] in said


def test_inbound_requests_get_callers_of_their_own() -> None:
    rules = ItemRules(InboundStimulus("POST /hook", KeyRule("$.order")), AnswerEffect())
    recorded = recording(
        Open(1, 0, "http", "127.0.0.1", 8000, inbound=True),
        *exchange(1, 100, "POST /hook", {"order": "order-17"}, {"done": "order-17"}),
        *exchange(2, 200, "POST /hook", {"order": "order-18"}, {"done": "order-18"}),
    )
    loaded = multiply(recorded, scenario(rules), 3, 1)

    calls = exchanges(loaded, inbound=True)
    assert len(calls) == 6
    assert len({call.open.connection for call in calls}) == 3
    for call in calls:
        assert call.response is not None
        assert json.loads(call.request.body)["order"] == json.loads(call.response.body)["done"]
    assert expected_items(loaded, rules) == 6


POLLS = ItemRules(
    UpdateStimulus("POST https://api.telegram.org/*/getUpdates"),
    RequestEffect(("POST https://api.telegram.org/*/sendMessage",), KeyRule("$.chat_id")),
    numbered=True,
)


def chats() -> Recording:
    def update(number: int, chat: int) -> dict[str, Any]:
        return {"update_id": number, "message": {"chat": {"id": chat}, "text": "hello"}}

    poll, send = "POST /bot1:a/getUpdates", "POST /bot1:a/sendMessage"
    said = {"result": [update(10, 70001), update(11, 70002)]}
    return recording(
        Open(1, 0, "https", "api.telegram.org", 443),
        *exchange(1, 0, poll, {"offset": 0}, said),
        *exchange(2, 20, send, {"chat_id": 70001, "text": "hi"}, {}),
        *exchange(3, 30, send, {"chat_id": 70002, "text": "hi"}, {}),
        *exchange(4, 100, poll, {"offset": 12}, {"result": [update(12, 70001)]}),
        *exchange(5, 120, send, {"chat_id": 70001, "text": "hi"}, {}),
    )


def test_updates_are_copied_into_polls_of_their_own_and_numbered_in_order() -> None:
    loaded = multiply(chats(), scenario(POLLS), 3, 1)

    rule = POLLS.stimulus
    assert isinstance(rule, UpdateStimulus)
    came = [
        number
        for event in loaded.events
        if isinstance(event, Response)
        for number, _ in updates_in(rule, event.body)
    ]
    assert came == sorted(came) == list(range(10, 19))
    assert expected_items(loaded, POLLS) == 9
    owners = {one.value for one in stimuli(loaded, POLLS).values()}
    assert len(owners) == 6, "two recorded chats, each with two copies"


# --- Fewer items ----------------------------------------------------------------------------------


def test_a_factor_below_one_leaves_items_out() -> None:
    recorded = toy_recording(ticks=40)
    thin = multiply(recorded, scenario(TOY), 0.25, 1)

    assert len(stimuli(thin, TOY)) == 10
    assert set(stimuli(thin, TOY)) < set(stimuli(recorded, TOY))
    assert len(exchanges(thin)) == len(exchanges(recorded)), "answers may stay unused"
    assert len(stimuli(multiply(recorded, scenario(TOY), 0.0001, 1), TOY)) == 1


def test_updates_are_left_out_of_their_answers() -> None:
    assert len(stimuli(multiply(chats(), scenario(POLLS), 0.4, 1), POLLS)) in (1, 2)


# --- More in a cycle ------------------------------------------------------------------------------

WALLET = "0x" + "0123456789abcdef0123" * 2
CYCLES = ItemRules(
    CycleStimulus(("GET https://scan.example.test/list",)),
    CycleEffect(("GET https://scan.example.test/*",), ()),
)


def wallets() -> Recording:
    listed = [{"wallet": WALLET, "size": 1}, {"note": "no wallet"}]
    return recording(
        Open(1, 0, "https", "scan.example.test", 443),
        *exchange(1, 0, "GET /list", None, {"result": listed}),
        *exchange(2, 10, f"GET /tx?address={WALLET}", None, {"owner": WALLET}),
    )


def test_what_a_cycle_deals_with_is_multiplied() -> None:
    rules = scenario(CYCLES, ["0x[0-9a-f]{40}"], WALLETS=WALLET, LIMIT="3")
    loaded, widened = multiply(wallets(), rules, 3, 5), with_load(wallets(), rules, 3, 5)

    listed, *asked = [
        json.loads(one.response.body) for one in exchanges(loaded) if one.response is not None
    ]
    names = widened.original.environment["WALLETS"].split(",")
    assert names[0] == WALLET
    assert len(set(names)) == 3
    assert [one.get("wallet") for one in listed["result"]] == [*names, None]
    assert [one["owner"] for one in asked] == names
    targets = [one.request.target for one in exchanges(loaded)]
    assert targets[1:] == [f"/tx?address={name}" for name in names]
    assert widened.optimized.environment["LIMIT"] == "3"
    assert expected_items(loaded, CYCLES) == 1, "as many cycles"


def test_lists_in_the_environment_keep_their_form() -> None:
    rules = scenario(CYCLES, ["W[0-9]+"], A="W1234 W5678", B='["W1234"]')
    spaced = with_load(wallets(), rules, 2, 1)

    assert len(spaced.original.environment["A"].split(" ")) == 4
    assert len(json.loads(spaced.original.environment["B"])) == 2


def test_a_cycle_needs_to_be_told_what_to_multiply() -> None:
    with pytest.raises(InputError, match="nothing says what is to be more"):
        multiply(wallets(), scenario(CYCLES), 2, 1)
    with pytest.raises(InputError, match="cannot be multiplied"):
        multiply(wallets(), scenario(CYCLES, ["x"]), 1.5, 1)


# --- Values and factors ---------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "factor"), [("10", 10), ("10x", 10), ("0.5", 0.5), ("2X", 2)])
def test_factors(text: str, factor: float) -> None:
    assert parse_factor(text) == factor


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "inf", "ten"])
def test_what_is_no_factor_is_an_error(text: str) -> None:
    with pytest.raises(InputError, match="not a load"):
        parse_factor(text)


@pytest.mark.parametrize("value", ["5abcDEF", WALLET, "12345", "a-b_c/9", "0", "Ünïcode-7"])
def test_a_new_value_looks_like_the_old_one(value: str) -> None:
    made = Stand(1, [value]).value(value, 1)

    assert made != value
    for old, new in zip(value, made, strict=False):
        assert old.isdigit() <= new.isalnum()
        assert old.isalnum() == new.isalnum()


def test_values_run_out_of_their_kind() -> None:
    stand = Stand(1, [])
    made = {stand.value("7", copy) for copy in range(1, 40)}

    assert len(made) == 39


def test_short_values_stand_alone_long_ones_anywhere() -> None:
    long = "abcdefgh12345678"
    new = Exchanging({"17": "42", long: "X" * 16})

    assert new.text(f"17 171 order17 [17] {long}s") == f"42 171 order17 [42] {'X' * 16}s"
    assert new.data(b"\xff17") == b"\xff17"
    assert Exchanging({}).text("17") == "17"


def test_the_times_of_pieces_go_where_a_body_has_another_length() -> None:
    recorded = toy_recording(ticks=2)
    events = [
        replace(event, pieces=((0, len(event.body)),)) if isinstance(event, Response) else event
        for event in recorded.events
    ]
    loaded = multiply(replace(recorded, events=tuple(events)), scenario(TOY), 2, 1)

    for event in loaded.events:
        if isinstance(event, Response) and event.pieces:
            assert sum(size for _, size in event.pieces) == len(event.body)
