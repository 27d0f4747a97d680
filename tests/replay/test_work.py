from __future__ import annotations

import json
from dataclasses import replace

import pytest

from perfscan.replay.model import (
    Close,
    Event,
    Item,
    ItemRules,
    KeyRule,
    Message,
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
)
from perfscan.replay.work import effects, expected_items, items_of_run, stimuli

MS = 1_000_000
RULES = ItemRules(
    PushStimulus("wss://feed.test/", KeyRule(path="$.id")),
    RequestEffect(("POST https://send.test/*/message",), KeyRule(path="$.text", pattern=r"#(\w+)")),
    deadline_s=2.0,
)


def stream(*messages: Message, start_ms: int = 0) -> list[Event]:
    """The bot's WebSocket, open from ``start_ms`` on."""
    return [
        Open(1, start_ms * MS, "https", "feed.test", 443),
        Request(1, 1, start_ms * MS, "GET", "/?token=x"),
        Response(1, 1, start_ms * MS, start_ms * MS, 101),
        *messages,
    ]


def push(key: str, at_ms: int, *, heard: bool = True) -> Message:
    return Message(1, at_ms * MS, "received", json.dumps({"id": key}), heard)


def sent(
    key: str, at_ms: int, *, text: str = "new", status: int = 200, number: int = 0
) -> list[Event]:
    exchange = 1000 + at_ms * 10 + number
    body = json.dumps({"text": f"{text} #{key}", "nonce": exchange}).encode()
    return [
        Request(exchange, 2, at_ms * MS, "POST", "/bot1/message", body=body),
        Response(exchange, 2, (at_ms + 5) * MS, (at_ms + 6) * MS, status),
    ]


SENDER = Open(2, 0, "https", "send.test", 443)


def recording(*events: Event) -> Recording:
    return Recording(RecordingHeader(), tuple(sorted(events, key=lambda event: event.at_ns)))


def observation(*events: Observed, speed: float = 1.0, until_ms: int | None = None) -> Observation:
    """A run in which the stream began at 500 ms; its recorded beginning was at 0."""
    start = StreamStart("wss://feed.test/?token=other", 500 * MS, 0)
    until_ns = None if until_ms is None else until_ms * MS
    return Observation((start, SENDER, *events), speed, until_ns)


RECORDED = recording(
    SENDER,
    *stream(push("a", 100), push("b", 200), push("quiet", 300), push("away", 400, heard=False)),
    *sent("a", 150),
    *sent("b", 260),
)
RULES_ON_TEXT = replace(RULES, effect=replace(RULES.effect, compare=("$.text",)))


def judged(*events: Observed, speed: float = 1.0, until_ms: int | None = None) -> dict[str, Item]:
    run = observation(*events, speed=speed, until_ms=until_ms)
    return {item.key: item for item in items_of_run(RECORDED, run, RULES_ON_TEXT)}


def test_the_recording_says_what_is_to_be_done() -> None:
    assert list(stimuli(RECORDED, RULES)) == ["a", "b", "quiet", "away"]
    assert expected_items(RECORDED, RULES) == 2
    assert expected_items(RECORDED, RULES, until_s=0.15) == 1


def test_other_streams_and_other_directions_begin_nothing() -> None:
    other = recording(Open(1, 0, "https", "other.test", 443), *stream(push("a", 1))[1:])
    own = recording(*stream(replace(push("a", 1), direction="sent")))

    assert stimuli(other, RULES) == {} == stimuli(own, RULES)


def test_latency_counts_from_the_intended_time_of_the_stimulus() -> None:
    items = judged(*sent("a", 700), *sent("b", 1000))

    assert items["a"].state == items["b"].state == "handled"
    assert items["a"].stimulus_ns == 600 * MS
    assert (items["a"].latency_ms, items["b"].latency_ms) == (100.0, 300.0)
    assert set(items) == {"a", "b"}, "what the recorded bot did not do is not owed"


def test_speed_divides_recorded_waits() -> None:
    assert judged(*sent("b", 560), speed=10.0)["b"].latency_ms == pytest.approx(40.0)


def test_what_was_not_played_is_not_owed() -> None:
    assert set(judged(until_ms=150)) == {"a"}


def test_states() -> None:
    items = judged(
        *sent("a", 700),
        *sent("a", 800),
        *sent("b", 800, text="old"),
        *sent("stranger", 900),
        *sent("quiet", 900, number=1),
        *sent("away", 950),
    )

    assert (items["a"].state, items["a"].detail) == ("duplicated", "sent 2 times")
    assert items["a"].latency_ms == 100.0
    assert items["b"].state == "wrong"
    assert items["b"].detail == 'recorded [["new #b"]], sent [["old #b"]]'
    assert (items["stranger"].state, items["stranger"].expected) == ("wrong", False)
    assert (items["quiet"].state, items["quiet"].expected) == ("wrong", False)
    assert (items["away"].state, items["away"].expected) == ("handled", False)


def test_late_and_missed() -> None:
    items = judged(*sent("a", 600 + 2001))

    assert items["a"].state == "late"
    assert (items["b"].state, items["b"].latency_ms) == ("missed", None)


def test_a_refused_effect_sent_again_is_no_duplicate() -> None:
    items = judged(*sent("a", 700, status=429), *sent("a", 900))

    assert (items["a"].state, items["a"].latency_ms) == ("handled", 300.0)


def test_an_effect_that_was_only_refused_or_never_answered_did_not_happen() -> None:
    assert judged(*sent("a", 700, status=500))["a"].state == "missed"
    assert judged(sent("a", 700)[0])["a"].state == "missed"


def test_without_compare_the_whole_body_must_be_equal() -> None:
    run = observation(*sent("a", 700))  # same text, but another nonce than recorded
    item = next(item for item in items_of_run(RECORDED, run, RULES) if item.key == "a")

    assert item.state == "wrong"
    assert "nonce" in item.detail


def test_a_stream_that_never_started_leaves_everything_missed() -> None:
    items = items_of_run(RECORDED, Observation(()), RULES)

    assert [item.state for item in items] == ["missed", "missed"]


def test_effects_are_told_by_method_and_url() -> None:
    request = Request(9, 2, 0, "GET", "/bot1/message", body=b'{"text": "#a"}')
    other = recording(SENDER, request, Response(9, 2, 1, 1, 200))

    assert effects(other, RULES) == {}
    assert effects(RECORDED, RULES)["a"][0].at_ns == 150 * MS


@pytest.mark.parametrize(
    ("pushed_ms", "closed_ms", "away"),
    [(100, None, False), (100, 3_000, False), (100, 110, True), (None, None, True)],
)
def test_a_stimulus_is_heard_where_the_bot_goes_on_listening(
    pushed_ms: int | None, closed_ms: int | None, away: bool
) -> None:
    index = next(i for i, event in enumerate(RECORDED.events) if isinstance(event, Message))
    seen: list[Observed] = []
    if pushed_ms is not None:
        seen.append(Pushed(1, index, pushed_ms * MS, pushed_ms * MS))
    if closed_ms is not None:
        seen.append(Close(1, closed_ms * MS, "bot", 1000))

    found = judged(*seen)["a"]

    assert (found.state, found.away) == ("missed", away)


def wrong(
    *events: Observed, recorded: Recording = RECORDED, rules: ItemRules = RULES_ON_TEXT
) -> str:
    """Return the content of item a, which is wrong."""
    found = items_of_run(recorded, observation(*events), rules)
    (item,) = (one for one in found if one.key == "a")
    assert item.state == "wrong", item
    return item.content


def test_sides_that_are_wrong_agree_only_in_all_that_they_sent() -> None:
    once = wrong(*sent("a", 700, text="x"))

    assert once == wrong(*sent("a", 750, text="x")), "when does not matter"
    assert once != wrong(*sent("a", 700, text="x"), *sent("a", 800, text="x")), "sent twice"
    first = sent("a", 700)
    second = wrong(*first, *sent("a", 800, text="x"))
    assert second != wrong(*first, *sent("a", 800, text="y")), "the second differs"


def test_sides_that_send_unasked_agree_only_in_how_often() -> None:
    def stray(*events: Observed) -> str:
        return judged(*events)["stranger"].content

    once = sent("stranger", 900)
    assert stray(*once) == stray(*once)
    assert stray(*once) != stray(*once, *sent("stranger", 950))


def test_an_effect_before_its_stimulus_is_wrong() -> None:
    """A bot that knew what was to come would else be the fastest of all."""
    item = judged(*sent("a", 590), *sent("b", 701))["a"]

    assert (item.state, item.detail) == ("wrong", "sent 10.0 ms before anything asked for it")
    told = Pushed(1, RECORDED.events.index(push("a", 100)), 580 * MS, 580 * MS)
    assert judged(told, *sent("a", 590))["a"].state == "handled", "the server was early"


def test_an_effect_may_precede_its_stimulus_where_the_recorded_one_did() -> None:
    known = recording(SENDER, *stream(push("a", 100)), *sent("a", 50))
    (item,) = items_of_run(known, observation(*sent("a", 560)), RULES_ON_TEXT)

    assert (item.state, item.latency_ms) == ("handled", -40.0)


def test_work_beyond_duty_that_the_bot_heard_of_and_left_is_told() -> None:
    index = RECORDED.events.index(push("away", 400, heard=False))
    items = judged(Pushed(1, index, 900 * MS, 900 * MS))

    assert (items["away"].state, items["away"].expected) == ("missed", False)
    assert "away" not in judged(), "it was not connected"


@pytest.mark.parametrize("text", ["\ud83d", "\U0001f600"])
def test_any_json_text_can_be_compared(text: str) -> None:
    """JSON may escape half a surrogate pair, as where a text is cut in the middle of an emoji."""
    assert judged(*sent("a", 700, text=text))["a"].state == "wrong"
