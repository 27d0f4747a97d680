"""What a run made of updates that were handed to a long poll."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from wire.judging import MS, exchange, judged, recording

from perfscan.replay.model import (
    Event,
    Handed,
    ItemRules,
    KeyRule,
    Observed,
    Open,
    RequestEffect,
    StreamStart,
    UpdateStimulus,
)
from perfscan.replay.work import expected_items, stimuli

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
