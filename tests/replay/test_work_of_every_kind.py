"""What a run made of items that are no pushed messages."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from perfscan.replay.model import (
    DRIVEN,
    AnswerEffect,
    ClientStimulus,
    Close,
    CycleEffect,
    CycleStimulus,
    Driven,
    Event,
    Handed,
    InboundStimulus,
    Item,
    ItemRules,
    KeyRule,
    Message,
    MessageEffect,
    Observation,
    Observed,
    Open,
    Pushed,
    PushStimulus,
    Recording,
    RecordingHeader,
    Request,
    RequestEffect,
    Response,
    StreamStart,
    UpdateStimulus,
)
from perfscan.replay.work import expected_items, items_of_run, stimuli

MS = 1_000_000


def recording(*events: Event) -> Recording:
    return Recording(RecordingHeader(), tuple(sorted(events, key=lambda event: event.at_ns)))


def judged(recorded: Recording, rules: ItemRules, *seen: Observed) -> dict[str, Item]:
    ordered = sorted(seen, key=lambda event: event.at_ns)
    return {item.key: item for item in items_of_run(recorded, Observation(tuple(ordered)), rules)}


def exchange(
    number: int,
    connection: int,
    at: int,
    request: str,
    body: Any = None,
    answer: Any = None,
    *,
    after: int = 10,
    status: int = 200,
) -> list[Event]:
    method, target = request.split(" ")
    data = b"" if body is None else json.dumps(body).encode()
    said = b"" if answer is None else json.dumps(answer).encode()
    done_ns = (at + after) * MS
    return [
        Request(number, connection, at * MS, method, target, (), data),
        Response(number, connection, done_ns, done_ns, status, (), said),
    ]


# --- Updates --------------------------------------------------------------------------------------

CHATS = ItemRules(
    UpdateStimulus("POST https://api.telegram.org/*/getUpdates"),
    RequestEffect(("POST https://api.telegram.org/*/sendMessage",), KeyRule("$.chat_id")),
    numbered=True,
)
TELEGRAM = Open(1, 0, "https", "api.telegram.org", 443)
POLL, SEND = "POST /bot1:a/getUpdates", "POST /bot1:a/sendMessage"


def update(number: int, chat: int) -> dict[str, Any]:
    return {"update_id": number, "message": {"chat": {"id": chat}, "text": f"text {number}"}}


def reply(number: int, at: int, chat: int, text: str) -> list[Event]:
    return exchange(number, 1, at, SEND, {"chat_id": chat, "text": text}, {})


ASKED = recording(
    TELEGRAM,
    *exchange(1, 1, 0, POLL, answer={"result": [update(5, 70)]}, after=100),
    *exchange(2, 1, 110, POLL, answer={"result": [update(6, 80), update(7, 70)]}, after=90),
    *exchange(3, 1, 210, POLL, answer={"result": []}),
    *reply(11, 120, 70, "one"),
    *reply(12, 220, 80, "two"),
    *reply(13, 230, 70, "three"),
)
START = StreamStart("https://api.telegram.org/*/getUpdates", 1000 * MS, 0)


def handed(*numbers: int) -> list[Observed]:
    return [Handed(1, number, 1100 * MS, 1101 * MS) for number in numbers]


def test_the_nth_reply_of_a_chat_answers_its_nth_update() -> None:
    items = judged(
        ASKED, CHATS, START, TELEGRAM, *handed(5, 6, 7),
        *reply(1, 1150, 70, "one"), *reply(2, 1210, 70, "three"), *reply(3, 1300, 80, "two"),
    )  # fmt: skip

    assert set(items) == {"70 #1", "70 #2", "80 #1"}
    assert {item.state for item in items.values()} == {"handled"}
    assert items["70 #1"].latency_ms == 50.0, "from when it was available, not from the poll"
    assert items["80 #1"].latency_ms == 100.0
    assert expected_items(ASKED, CHATS) == 3
    assert expected_items(ASKED, CHATS, until_s=0.15) == 1


def test_what_was_never_handed_over_was_not_there_for_the_bot() -> None:
    items = judged(ASKED, CHATS, START, TELEGRAM, *handed(5))

    assert (items["70 #1"].state, items["70 #1"].away) == ("missed", False)
    assert (items["70 #2"].state, items["70 #2"].away) == ("missed", True)


def test_one_reply_too_many_is_wrong() -> None:
    items = judged(
        ASKED, CHATS, START, TELEGRAM, *handed(5, 6, 7),
        *reply(1, 1210, 80, "two"), *reply(2, 1250, 80, "more"),
    )  # fmt: skip

    assert items["80 #1"].state == "handled"
    assert (items["80 #2"].state, items["80 #2"].expected) == ("wrong", False)
    assert items["80 #2"].detail == "nothing asked for it"


def test_a_reply_that_is_sent_again_is_a_duplicate() -> None:
    items = judged(
        ASKED, CHATS, START, TELEGRAM, *handed(5, 6, 7), *reply(1, 1150, 70, "one"),
        *reply(2, 1210, 70, "one"), *reply(3, 1220, 70, "three"), *reply(4, 1300, 80, "two"),
    )  # fmt: skip

    assert {key: item.state for key, item in items.items()} == {
        "70 #1": "duplicated", "70 #2": "handled", "80 #1": "handled",
    }  # fmt: skip


def test_a_lost_reply_is_one_missed_item_and_not_many_wrong_ones() -> None:
    updates = [update(number, 70) for number in range(1, 6)]
    recorded = recording(
        TELEGRAM,
        *exchange(1, 1, 0, POLL, answer={"result": updates}, after=100),
        *(event for n in range(5) for event in reply(11 + n, 120 + 10 * n, 70, f"reply {n}")),
    )
    sent = [event for n in (0, 2, 3, 4) for event in reply(n, 1150 + 10 * n, 70, f"reply {n}")]
    items = judged(recorded, CHATS, START, TELEGRAM, *handed(1, 2, 3, 4, 5), *sent)

    states = {key: item.state for key, item in items.items()}
    assert states.pop("70 #2") == "missed"
    assert set(states.values()) == {"handled"}
    assert items["70 #5"].latency_ms == 90.0


SORRY = replace(CHATS, effect=replace(CHATS.effect, apology="try again"))


def test_who_apologises_missed_the_item() -> None:
    items = judged(
        ASKED, SORRY, START, TELEGRAM, *handed(5, 6, 7), *reply(1, 1150, 70, "one"),
        *reply(2, 1210, 70, "Sorry, try again later."), *reply(3, 1300, 80, "three"),
    )  # fmt: skip

    assert items["70 #1"].state == "handled"
    assert (items["70 #2"].state, items["70 #2"].latency_ms) == ("missed", None)
    assert items["70 #2"].detail == "it apologised: Sorry, try again later."
    assert items["80 #1"].state == "wrong", "other words are no apology"


def test_nothing_is_owed_where_the_recorded_bot_apologised() -> None:
    recorded = recording(
        *(event for event in ASKED.events if event.at_ns < 215 * MS),
        *reply(12, 220, 80, "two"),
        *reply(13, 230, 70, "try again"),
    )
    items = judged(
        recorded, SORRY, START, TELEGRAM, *handed(5, 6, 7),
        *reply(1, 1150, 70, "one"), *reply(2, 1210, 70, "three"), *reply(3, 1300, 80, "two"),
    )  # fmt: skip

    assert expected_items(recorded, SORRY) == 2
    assert (items["70 #2"].state, items["70 #2"].expected) == ("handled", False)


def test_an_apology_before_the_work_was_done_after_all_takes_nothing_back() -> None:
    unnumbered = replace(SORRY, numbered=False)
    items = judged(
        ASKED, unnumbered, START, TELEGRAM, *handed(5, 6, 7),
        *reply(1, 1210, 80, "try again"), *reply(2, 1250, 80, "two"),
    )  # fmt: skip

    assert (items["80"].state, items["80"].latency_ms) == ("handled", 50.0)


EDITING = replace(
    CHATS,
    effect=RequestEffect(
        tuple(
            f"POST https://api.telegram.org/*/{one}" for one in ("sendMessage", "editMessageText")
        ),
        KeyRule("$.chat_id"),
        ("$.text",),
    ),
)


@pytest.mark.parametrize(
    ("method", "state"), [("editMessageText", "handled"), ("sendMessage", "wrong")]
)
def test_several_requests_may_end_items_and_which_one_is_part_of_the_work(
    method: str, state: str
) -> None:
    def edited(number: int, at: int, method: str) -> list[Event]:
        said = {"chat_id": 70, "text": "three"}
        return exchange(number, 1, at, f"POST /bot1:a/{method}", said, {})

    recorded = recording(
        *(event for event in ASKED.events if event.at_ns < 215 * MS),
        *reply(12, 220, 80, "two"),
        *edited(13, 230, "editMessageText"),
    )
    items = judged(
        recorded, EDITING, START, TELEGRAM, *handed(5, 6, 7),
        *reply(1, 1150, 70, "one"), *edited(2, 1260, method), *reply(3, 1300, 80, "two"),
    )  # fmt: skip

    assert {key: item.state for key, item in items.items()} == {
        "70 #1": "handled", "70 #2": state, "80 #1": "handled",
    }  # fmt: skip


def test_without_numbers_the_first_of_a_key_counts() -> None:
    assert set(stimuli(ASKED, replace(CHATS, numbered=False))) == {"70", "80"}


@pytest.mark.parametrize(
    ("first", "second", "states"),
    [(1150, 1210, ["handled", "handled"]), (1260, 1210, ["handled", "wrong"])],
)
def test_an_effect_must_not_overtake_where_order_matters(
    first: int, second: int, states: list[str]
) -> None:
    """Both are of one chat, told apart by what they say."""
    by_text = RequestEffect(
        ("POST https://api.telegram.org/*/sendMessage",), KeyRule("$.text"), ("$.chat_id",)
    )
    said = ItemRules(
        UpdateStimulus("POST https://api.telegram.org/*/getUpdates", KeyRule("$.message.text")),
        by_text,
        order_by=KeyRule("$.message.chat.id"),
    )
    recorded = recording(
        *(event for event in ASKED.events if event.at_ns < 205 * MS),
        *reply(21, 120, 70, "text 5"),
        *reply(22, 220, 70, "text 7"),
    )
    items = judged(
        recorded, said, START, TELEGRAM, *handed(5, 7),
        *reply(1, first, 70, "text 5"), *reply(2, second, 70, "text 7"),
    )  # fmt: skip

    assert [items["text 5"].state, items["text 7"].state] == states
    if "wrong" in states:
        assert items["text 7"].detail == "it overtook text 5, which was to come first"


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


# --- Cycles ---------------------------------------------------------------------------------------

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
