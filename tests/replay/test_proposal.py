"""Guesses of what an item is, checked on recordings whose items are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from endtoend.toy import toy_recording

from perfscan.replay.model import (
    Event,
    Message,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.proposal import propose
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
    assert found.stream == "wss://stream.example.test/feed"
    assert found.key == "$.data[0].ref"
    assert found.effect == "POST https://api.example.test/v1/accounts/*/orders"
    assert (found.effect_key.path, found.effect_key.pattern) == ("$.clientOrderId", None)
    assert (found.joined, found.messages) == (4, 4)


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
    assert found.key == "$.id"
    assert found.effect_key.path == "$.note"


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
    assert found.stream == scenario.items.stimulus.websocket
    assert found.key == scenario.items.stimulus.key.path
    assert found.joined == expected_items(recording, scenario.items)


def draft(folder: Path, recording: Recording) -> Draft:
    (folder / "traffic.jsonl").write_text("")
    return Draft(folder.name, "traffic.jsonl", ".", ".", ("python", "bot.py"), propose(recording))


def test_a_guess_becomes_a_scenario_that_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(write_scenario(draft(tmp_path, toy_recording())))
    items = read_scenario(file).items
    assert expected_items(toy_recording(), items) == 8


def test_without_a_guess_there_is_a_scenario_to_fill_in(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(write_scenario(draft(tmp_path, session())))
    assert "Not guessed" in file.read_text()
    assert read_scenario(file).original.command == ("python", "bot.py")
