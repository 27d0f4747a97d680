"""What a run made of what its own users asked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from wire.judging import MS, exchange, judged, recording

from perfscan.replay.model import (
    DRIVEN,
    AnswerEffect,
    ClientStimulus,
    Close,
    Driven,
    Event,
    InboundStimulus,
    ItemRules,
    KeyRule,
    Message,
    MessageEffect,
    Observed,
    Open,
    Pushed,
    PushStimulus,
    Request,
    StreamStart,
)
from perfscan.replay.work import expected_items

# --- Inbound requests -----------------------------------------------------------------------------

USER = Open(1, 0, "http", "127.0.0.1", 8000, inbound=True)
HOOKS = recording(
    USER,
    *exchange(1, 1, 100, "POST /hook/tv?k=1", {"order": "a"}, {"ok": "a", "at": 1}),
    *exchange(2, 1, 200, "GET /other"),
    *exchange(3, 1, 300, "POST /hook/tv", {"order": "b"}, {"ok": "b", "at": 2}),
)
HOOK = InboundStimulus("POST /hook/*", KeyRule("$.order"))
IN = StreamStart("inbound", 1000 * MS, 0)


def answered(number: int, at: int, answer: Any, status: int = 200) -> list[Event]:
    """The driver's view of recorded exchange ``number``."""
    asked = exchange(number + DRIVEN, 1 + DRIVEN, at - 5, "POST /hook/tv", {}, answer, after=5)
    return [asked[0], replace(asked[1], status=status)]


def driven(*numbers: int) -> list[Observed]:
    indexes = {
        event.exchange: index
        for index, event in enumerate(HOOKS.events)
        if isinstance(event, Request)
    }
    return [Driven(indexes[number], 1100 * MS, 1100 * MS) for number in numbers]


LINE = Open(1 + DRIVEN, 900 * MS, "http", "127.0.0.1", 8000, inbound=True)


def test_an_answer_ends_the_item_that_its_request_began() -> None:
    rules = ItemRules(HOOK, AnswerEffect(("$.ok",)))
    items = judged(
        HOOKS, rules, IN, LINE, *driven(1, 3),
        *answered(1, 1130, {"ok": "a", "at": 77}), *answered(3, 1300, {"ok": "B"}),
    )  # fmt: skip

    assert (items["a"].state, items["a"].latency_ms) == ("handled", 30.0)
    assert items["b"].state == "wrong"
    assert set(items) == {"a", "b"}


def test_the_status_is_part_of_an_answer_and_none_is_a_miss() -> None:
    rules = ItemRules(InboundStimulus("POST /hook/*"), AnswerEffect(("$.ok",)))
    items = judged(HOOKS, rules, IN, LINE, *driven(1, 3), *answered(1, 1130, {"ok": "a"}, 500))

    first, second = items.values()
    assert (first.key, first.state) == ("POST /hook/tv #1", "wrong")
    assert "500" in first.detail
    assert (second.state, second.away) == ("missed", False)


def test_each_request_has_an_answer_of_its_own_whatever_its_key() -> None:
    """Else one answer would stand for all requests of a user."""
    rules = ItemRules(InboundStimulus("POST /hook/*", KeyRule("$.user")), AnswerEffect(("$.ok",)))
    recorded = recording(
        USER,
        *exchange(1, 1, 100, "POST /hook/tv", {"user": 7}, {"ok": "a"}),
        *exchange(3, 1, 300, "POST /hook/tv", {"user": 7}, {"ok": "b"}),
    )
    both = judged(
        recorded, rules, IN, LINE, *answered(1, 1130, {"ok": "a"}), *answered(3, 1300, {"ok": "B"})
    )
    second = judged(recorded, rules, IN, LINE, *answered(3, 1310, {"ok": "b"}))

    assert expected_items(recorded, rules) == 2
    assert {key: item.state for key, item in both.items()} == {"7": "handled", "7 #2": "wrong"}
    assert {key: item.state for key, item in second.items()} == {"7": "missed", "7 #2": "handled"}


def test_answers_that_are_no_text_are_compared_too() -> None:
    rules = ItemRules(InboundStimulus("POST /hook/*"), AnswerEffect())
    asked, answer = exchange(1, 1, 100, "POST /hook/tv", {})
    recorded = recording(USER, asked, replace(answer, body=b"\x89PNG\xff"))
    asked, answer = answered(1, 1130, {})
    (item,) = judged(
        recorded, rules, IN, LINE, asked, replace(answer, body=b"\x89PNG\xfe")
    ).values()

    assert item.state == "wrong"


# --- WebSocket clients ----------------------------------------------------------------------------


def client(number: int, at: int = 0) -> list[Event]:
    return [
        Open(number, at * MS, "http", "127.0.0.1", 8000, inbound=True),
        *exchange(number, number, at, "GET /ws?user=1", after=1, status=101),
    ]


def said(connection: int, at: int, direction: Any, **content: Any) -> Message:
    return Message(connection, at * MS, direction, json.dumps(content))


FEED = [
    Open(9, 0, "https", "feed.test", 443),
    *exchange(9, 9, 0, "GET /", after=1, status=101),
]
TOLD = recording(
    *FEED, *client(1), *client(2),
    said(9, 100, "received", id="t1"), said(1, 102, "sent", tick="t1", p=5),
    said(2, 103, "sent", tick="t1", p=5), said(9, 200, "received", id="t2"),
    said(1, 202, "sent", tick="t2", p=6),
)  # fmt: skip
PUSH = PushStimulus("wss://feed.test/", KeyRule("$.id"))
TELL = MessageEffect("/ws", KeyRule("$.tick"))
ON_AIR = StreamStart("wss://feed.test/", 1000 * MS, 1 * MS)


def pushed() -> list[Observed]:
    indexes = [
        index
        for index, event in enumerate(TOLD.events)
        if isinstance(event, Message) and event.connection == 9
    ]
    return [Pushed(1, index, 1, 1) for index in indexes]


def watching(number: int, at: int = 0) -> list[Event]:
    return client(number + DRIVEN, at)


def test_a_push_is_an_item_for_each_client_that_was_told() -> None:
    items = judged(
        TOLD, ItemRules(PUSH, TELL), ON_AIR, *watching(1), *watching(2), *pushed(),
        said(1 + DRIVEN, 1109, "sent", tick="t1", p=5),
        said(1 + DRIVEN, 1209, "sent", tick="t2", p=6),
        said(2 + DRIVEN, 1119, "sent", tick="t1", p=5),
        said(2 + DRIVEN, 1219, "sent", tick="t2", p=6),
        said(2 + DRIVEN, 1220, "sent", tick="heartbeat"),
    )  # fmt: skip

    assert set(items) == {"t1 (client 1)", "t1 (client 2)", "t2 (client 1)"}
    assert {item.state for item in items.values()} == {"handled"}
    assert items["t1 (client 1)"].latency_ms == 10.0
    assert items["t1 (client 2)"].latency_ms == 20.0


@pytest.mark.parametrize(("by", "away"), [("upstream", True), ("bot", False)])
def test_a_client_that_was_not_connected_was_away(by: Any, away: bool) -> None:
    items = judged(
        TOLD, ItemRules(PUSH, TELL), ON_AIR, *watching(1, 1150), *pushed(), *watching(2),
        Close(2 + DRIVEN, 1050 * MS, by),
    )  # fmt: skip

    assert {key: item.away for key, item in items.items()} == {
        "t1 (client 1)": True, "t1 (client 2)": away, "t2 (client 1)": False,
    }  # fmt: skip


def test_a_client_that_was_turned_away_was_there() -> None:
    refused = exchange(2 + DRIVEN, 2 + DRIVEN, 0, "GET /ws", status=403)
    opened = Open(2 + DRIVEN, 0, "http", "127.0.0.1", 8000, inbound=True)
    items = judged(TOLD, ItemRules(PUSH, TELL), ON_AIR, opened, *refused, *pushed())

    assert (items["t1 (client 2)"].state, items["t1 (client 2)"].away) == ("missed", False)
    assert items["t1 (client 1)"].away is True


def test_a_batched_message_ends_several_items_and_states_may_repeat() -> None:
    each = MessageEffect("/ws", KeyRule("$.tick"), ("$.p",), "$.all[*]", repeats=True)
    recorded = recording(
        *FEED, *client(1), said(9, 100, "received", id="t1"), said(9, 110, "received", id="t2"),
        said(1, 120, "sent", all=[{"tick": "t1", "p": 5}, {"tick": "t2", "p": 6}]),
    )  # fmt: skip
    again = {"tick": "t1", "p": 5}
    seen = [
        ON_AIR, *watching(1),
        said(1 + DRIVEN, 1130, "sent", all=[again]),
        said(1 + DRIVEN, 1140, "sent", all=[again, {"tick": "t2", "p": 6}]),
    ]  # fmt: skip

    items = judged(recorded, ItemRules(PUSH, each), *seen)
    assert {item.state for item in items.values()} == {"handled"}
    once = judged(recorded, ItemRules(PUSH, replace(each, repeats=False)), *seen)
    assert once["t1 (client 1)"].state == "duplicated"


def test_a_state_that_was_sent_before_the_stimulus_shows_nothing_of_it() -> None:
    rules = ItemRules(PUSH, replace(TELL, compare=("$.p",), repeats=True))
    recorded = recording(
        *FEED, *client(1), said(1, 50, "sent", tick="t1", p=4),
        said(9, 100, "received", id="t1"), said(1, 120, "sent", tick="t1", p=5),
    )  # fmt: skip
    seen = [ON_AIR, *watching(1), said(1 + DRIVEN, 1050, "sent", tick="t1", p=4)]

    late = judged(recorded, rules, *seen, said(1 + DRIVEN, 1130, "sent", tick="t1", p=5))
    never = judged(recorded, rules, *seen)

    assert [(one.state, one.latency_ms) for one in late.values()] == [("handled", 31.0)]
    assert [one.state for one in never.values()] == ["missed"]


def test_a_message_of_a_client_is_answered_to_that_client() -> None:
    rules = ItemRules(
        ClientStimulus("/ws", KeyRule("$.id")), MessageEffect("/ws", KeyRule("$.re"), ("$.v",))
    )
    recorded = recording(
        *client(1), *client(2),
        said(1, 100, "received", id="q"), said(1, 101, "sent", re="q", v=1),
        said(2, 100, "received", id="q"), said(2, 101, "sent", re="q", v=2),
    )  # fmt: skip
    items = judged(
        recorded, rules, IN, *watching(1), *watching(2),
        said(1 + DRIVEN, 1150, "sent", re="q", v=1), said(2 + DRIVEN, 1160, "sent", re="q", v=1),
    )  # fmt: skip

    assert {key: item.state for key, item in items.items()} == {
        "q (client 1)": "handled", "q (client 2)": "wrong",
    }  # fmt: skip
