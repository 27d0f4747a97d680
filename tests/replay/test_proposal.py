"""Guesses of what an item is, checked on recordings whose items are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from endtoend.toy import toy_recording

from perfscan.replay.latency import with_latency
from perfscan.replay.model import (
    AnswerEffect,
    Event,
    InboundStimulus,
    KeyRule,
    Message,
    Open,
    PushStimulus,
    Recording,
    RecordingHeader,
    Request,
    RequestEffect,
    Response,
    UpdateStimulus,
)
from perfscan.replay.proposal import propose, untimed
from perfscan.replay.recording import read_recording
from perfscan.replay.scenario import read_scenario
from perfscan.replay.scenario.template import Draft, write_scenario
from perfscan.replay.work import expected_items

BOT = Path(__file__).resolve().parents[2] / "fixtures" / "bots" / "pool_alerts"


def session(*events: Event) -> Recording:
    """Events on connection 2 beside an open stream on connection 1."""
    stream: list[Event] = [
        Open(1, 0, "https", "stream.example.test", 443),
        Request(1, 1, 1, "GET", "/feed?token=x", (("Upgrade", "websocket"),)),
        Response(1, 1, 2, 2, 101),
        Open(2, 3, "https", "api.example.test", 443),
    ]
    ordered = sorted((*stream, *events), key=lambda event: event.at_ns)
    return Recording(RecordingHeader(), tuple(ordered))


def order(number: int, *, body: dict[str, str], at_ns: int) -> tuple[Event, ...]:
    sent = json.dumps(body).encode()
    return (
        Request(number, 2, at_ns, "POST", f"/v1/accounts/{number:032x}/orders", body=sent),
        Response(number, 2, at_ns + 1, at_ns + 1, 200),
    )


def test_the_value_that_comes_back_is_the_key() -> None:
    events: list[Event] = []
    for number in range(2, 6):
        at_ns = number * 1000
        text = json.dumps({"kind": "signal", "data": [{"ref": f"sig-{number}", "price": number}]})
        events.append(Message(1, at_ns, "received", text))
        events += order(number, body={"clientOrderId": f"sig-{number}"}, at_ns=at_ns + 100)
    found = propose(session(*events))
    assert found is not None
    assert found.stimulus == PushStimulus(
        "wss://stream.example.test/feed", KeyRule("$.data[0].ref")
    )
    orders = "POST https://api.example.test/v1/accounts/*/orders"
    assert found.effect == RequestEffect((orders,), KeyRule("$.clientOrderId"))
    assert (found.joined, found.stimuli) == (4, 4)


def test_a_value_that_all_messages_share_joins_nothing() -> None:
    events: list[Event] = []
    for number in range(2, 6):
        at_ns = number * 1000
        text = json.dumps({"symbol": "BTCUSDT", "id": f"abc{number}"})
        events.append(Message(1, at_ns, "received", text))
        body = {"symbol": "BTCUSDT", "note": f"because of abc{number}"}
        events += order(number, body=body, at_ns=at_ns + 100)
    found = propose(session(*events))
    assert found is not None
    assert found.stimulus.key == KeyRule("$.id")
    assert isinstance(found.effect, RequestEffect)
    assert found.effect.key.path == "$.note"


@pytest.mark.parametrize("data", ["not JSON", "[]", "{}", "5", '{"id": true}'])
def test_nothing_is_guessed_from_nothing(data: str) -> None:
    assert propose(session(Message(1, 10, "received", data))) is None


def test_a_request_before_the_message_is_no_effect() -> None:
    text = json.dumps({"id": "abc1"})
    events = (*order(2, body={"id": "abc1"}, at_ns=10), Message(1, 20, "received", text))
    assert propose(session(*events)) is None


def test_the_bundled_scenario_is_found_again() -> None:
    recording = read_recording(BOT / "traffic.jsonl.gz")
    scenario = read_scenario(BOT / "scenario.yaml")
    found = propose(recording)
    assert found is not None
    assert found.stimulus == replace(scenario.items.stimulus, containing=None)
    assert found.joined == expected_items(recording, scenario.items)


def talk() -> Recording:
    """Four chats ask over a long poll and are answered."""
    events: list[Event] = [Open(1, 0, "https", "api.telegram.org", 443)]
    for number in range(4):
        at_ns, chat = (number + 1) * 1000, 5000 + number
        answer = {"ok": True, "result": [{"update_id": number, "message": {"chat": {"id": chat}}}]}
        body = json.dumps(answer, separators=(",", ":")).encode()
        asked = json.dumps({"chat_id": chat, "text": "hello"}, separators=(",", ":")).encode()
        events += [
            Request(2 * number, 1, at_ns - 500, "POST", "/bot7:aaaaaaaa/getUpdates", (), b"{}"),
            Response(2 * number, 1, at_ns, at_ns, 200, (), body),
            Request(2 * number + 1, 1, at_ns + 50, "POST", "/bot7:aaaaaaaa/sendMessage", (), asked),
            Response(2 * number + 1, 1, at_ns + 90, at_ns + 90, 200, (), b"{}"),
        ]
    return Recording(RecordingHeader(), tuple(sorted(events, key=lambda event: event.at_ns)))


def calls_to_the_bot(*, ordered: bool) -> Recording:
    """Four webhook calls, each of which has the bot place an order where ``ordered``."""
    events: list[Event] = [Open(2, 0, "https", "api.example.test", 443)]
    for number in range(2, 6):
        at_ns, body = number * 1000, json.dumps({"ref": f"sig-{number}", "side": "buy"}).encode()
        exchange, connection = 100 + number, 10 + number
        events += [
            Open(connection, at_ns - 1, "http", "bot.example.test", 80, inbound=True),
            Request(exchange, connection, at_ns, "POST", f"/hook/{number}", (), body),
            Response(exchange, connection, at_ns + 300, at_ns + 300, 200, (), b"{}"),
        ]
        if ordered:
            events += order(number, body={"clientOrderId": f"sig-{number}"}, at_ns=at_ns + 100)
    return Recording(RecordingHeader(), tuple(sorted(events, key=lambda event: event.at_ns)))


def test_updates_of_a_long_poll_begin_items() -> None:
    found = propose(talk())
    assert found is not None
    assert found.stimulus == UpdateStimulus("POST https://api.telegram.org/bot*/getUpdates")
    send = "POST https://api.telegram.org/bot*/sendMessage"
    assert found.effect == RequestEffect((send,), KeyRule("$.chat_id"))
    assert (found.joined, found.stimuli) == (4, 4)


def test_a_request_to_the_bot_ends_with_what_the_bot_does() -> None:
    found = propose(calls_to_the_bot(ordered=True))
    assert found is not None
    assert found.stimulus == InboundStimulus("POST /hook/*", KeyRule("$.ref"))
    orders = "POST https://api.example.test/v1/accounts/*/orders"
    assert found.effect == RequestEffect((orders,), KeyRule("$.clientOrderId"))


def test_a_request_to_the_bot_that_makes_it_do_nothing_ends_with_its_answer() -> None:
    found = propose(calls_to_the_bot(ordered=False))
    assert found is not None
    assert (found.stimulus, found.effect) == (InboundStimulus("POST /hook/*"), AnswerEffect())
    assert (found.joined, found.stimuli) == (4, 4)


def test_requests_without_a_recorded_latency_are_named_the_most_frequent_first() -> None:
    recording = calls_to_the_bot(ordered=True)
    assert untimed(recording) == ()
    header = replace(recording.header, latency="not recorded")
    orders = "POST https://api.example.test/v1/accounts/*/orders"
    assert untimed(replace(recording, header=header)) == (orders,)


def draft(folder: Path, recording: Recording) -> Draft:
    (folder / "traffic.jsonl").write_text("")
    command = ("python", "bot.py")
    guess = propose(recording)
    return Draft(folder.name, "traffic.jsonl", ".", ".", command, guess, untimed(recording))


@pytest.mark.parametrize(
    ("recording", "items"),
    [
        (toy_recording(), 8),
        (talk(), 4),
        (calls_to_the_bot(ordered=True), 4),
        (calls_to_the_bot(ordered=False), 4),
    ],
    ids=["push", "poll", "webhook", "answer"],
)
def test_a_guess_becomes_a_scenario_that_can_be_read(
    recording: Recording, items: int, tmp_path: Path
) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(write_scenario(draft(tmp_path, recording)))
    assert expected_items(recording, read_scenario(file).items) == items


def test_a_recording_without_times_gets_latencies_to_fill_in(tmp_path: Path) -> None:
    recording = calls_to_the_bot(ordered=True)
    recording = replace(recording, header=replace(recording.header, latency="not recorded"))
    file = tmp_path / "scenario.yaml"
    file.write_text(write_scenario(draft(tmp_path, recording)))
    assert "made up" in file.read_text()
    rules = read_scenario(file).latency
    assert [rule.request for rule in rules] == [*untimed(recording), "*"]
    assert with_latency(recording, rules, seed=1).header.latency == "recorded"


def test_without_a_guess_there_is_a_scenario_to_fill_in(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(write_scenario(draft(tmp_path, session())))
    assert "Not guessed" in file.read_text()
    assert read_scenario(file).original.command == ("python", "bot.py")
