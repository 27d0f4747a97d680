"""The queue behind a long poll, without a clock and without a socket."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from wire.wire_talk import Line, line

from perfscan.replay.model import (
    Event,
    Handed,
    ItemRules,
    KeyRule,
    Open,
    Recording,
    RecordingHeader,
    Request,
    RequestEffect,
    Response,
    Served,
    StreamStart,
    UpdateStimulus,
)
from perfscan.replay.server.answers import Answer
from perfscan.replay.server.long_polls import LongPolls
from perfscan.replay.server.timeline import Pace

MS = 1_000_000
RULE = UpdateStimulus("POST https://api.telegram.org/*/getUpdates")
TARGET = "/bot1:aaa/getUpdates"
URL = f"https://api.telegram.org{TARGET}"


def update(number: int) -> dict[str, Any]:
    return {"update_id": number, "message": {"chat": {"id": 7}, "text": f"text {number}"}}


def recording(*answers: tuple[int, int, Sequence[int]], body: Any = None) -> Recording:
    """Polls of ``(asked ms, answered ms, numbers of updates)``."""
    events: list[Event] = [Open(1, 0, "https", "api.telegram.org", 443)]
    for exchange, (asked, answered, numbers) in enumerate(answers):
        said = {"ok": True, "result": [update(number) for number in numbers]}
        events += [
            Request(exchange, 1, asked * MS, "POST", TARGET),
            Response(
                *(exchange, 1, answered * MS, answered * MS, 200),
                (("Content-Type", "application/json"), ("Content-Length", "1")),
                json.dumps(said if body is None else body).encode(),
            ),
        ]
    return Recording(RecordingHeader(), tuple(events))


RECORDED = recording((1000, 1500, [10]), (1500, 1520, [11, 12]), (1600, 2600, []))


class Bot:
    """Asks and remembers."""

    def __init__(self, recorded: Recording = RECORDED, speed: float = 1, **more: Any) -> None:
        self.polls = LongPolls(recorded, RULE, Pace(speed), **more)
        self.started: list[StreamStart] = []

    def ask(self, at_ms: int, body: Any = None, target: str = TARGET) -> Answer:
        data = json.dumps(body).encode() if body is not None else b""
        request = Request(1, 1, at_ms * MS, "POST", target, body=data)
        found = self.polls.answer(request, f"https://api.telegram.org{target}")
        assert found is not None
        answer, start = found
        self.started += [start] if start else []
        return answer

    def got(self, *asked: Any, **more: Any) -> tuple[int, list[int]]:
        answer = self.ask(*asked, **more)
        numbers = [one["update_id"] for one in json.loads(answer.body)["result"]]
        assert numbers == [number for number, _ in answer.handed]
        return answer.service_ns // MS, numbers


def test_a_poll_waits_for_the_next_update() -> None:
    bot = Bot()

    assert bot.got(100, {"timeout": 30}) == (500, [10])
    assert bot.started == [
        StreamStart("https://api.telegram.org/*/getUpdates", 100 * MS, 1000 * MS)
    ]
    # Both are due 520 ms after the first poll began; this one is answered when they are.
    assert bot.got(600, {"timeout": 30, "offset": 11}) == (20, [11, 12])
    assert len(bot.started) == 1


def test_what_is_due_is_answered_after_the_way_there_and_back() -> None:
    bot = Bot()
    bot.ask(0)

    answer = bot.ask(2000, {"timeout": 30})

    assert answer.service_ns == 20 * MS, "the quickest recorded answer"
    assert answer.handed == ((10, 500 * MS), (11, 520 * MS), (12, 520 * MS))


def test_what_is_not_confirmed_is_handed_over_again() -> None:
    bot = Bot()
    bot.ask(0)

    assert bot.got(1000)[1] == [10, 11, 12]
    assert bot.got(1100, {"offset": 11})[1] == [11, 12]
    assert bot.got(1200, {"offset": 13})[1] == []
    assert bot.got(1300, {"offset": 0})[1] == [], "confirmed is gone"


def test_a_poll_that_nothing_comes_for_ends_with_its_timeout() -> None:
    bot = Bot()

    assert bot.got(0, {"timeout": 0}) == (20, [])
    assert bot.got(100, {"timeout": 0.2}) == (200, [])
    assert bot.got(1000, {"offset": 13, "timeout": 2}) == (2000, [])


def test_limits_and_negative_offsets() -> None:
    bot = Bot()
    bot.ask(0)

    assert bot.got(1000, {"limit": 2})[1] == [10, 11]
    assert bot.got(1000, {"offset": -1})[1] == [12]
    assert bot.got(1000)[1] == [12]


@pytest.mark.parametrize(
    ("target", "headers", "body"),
    [
        (f"{TARGET}?offset=12&timeout=0", (), b""),
        (TARGET, (("Content-Type", "application/x-www-form-urlencoded"),), b"offset=12&limit=5"),
        (TARGET, (("Content-Type", "application/json"),), b'{"offset": 12}'),
        (f"{TARGET}?offset=12", (), b"[]"),
        (f"{TARGET}?offset=12", (), b'{"offset": 12, "limit": "many", "timeout": "long"}'),
    ],
)
def test_parameters_come_in_query_form_or_json(target: str, headers: Any, body: bytes) -> None:
    bot = Bot()
    bot.ask(0)
    request = Request(1, 1, 5000 * MS, "POST", target, headers, body)

    found = bot.polls.answer(request, f"https://api.telegram.org{target}")

    assert found is not None
    assert [number for number, _ in found[0].handed] == [12]


def test_another_token_is_the_same_queue_another_path_is_none() -> None:
    polls = Bot().polls
    other = Request(1, 1, 0, "POST", "/bot99:zzz/getUpdates")
    sent = Request(1, 1, 0, "POST", "/bot1:aaa/sendMessage")

    assert polls.answer(other, f"https://api.telegram.org{other.target}") is not None
    assert polls.answer(sent, f"https://api.telegram.org{sent.target}") is None


def test_what_is_left_counts_down_as_it_goes_out() -> None:
    bot = Bot()
    assert (bot.polls.left, bot.polls.started) == (3, 0)

    for number, _ in bot.ask(2000).handed or bot.ask(4000).handed:
        bot.polls.told(number)

    assert (bot.polls.left, bot.polls.started) == (0, 1)


def test_speed_divides_waits_and_until_ends_the_stream() -> None:
    answer = Bot(speed=10).ask(0, {"timeout": 30})
    assert answer.service_ns == 500 * MS, "in recorded time, divided like that of every answer"
    assert answer.handed == ((10, 50 * MS),)
    bot = Bot(until_ns=510 * MS)
    assert bot.polls.left == 1


def test_an_update_that_came_twice_is_one() -> None:
    bot = Bot(recording((0, 100, [1]), (150, 170, [1, 2])))
    bot.ask(0)

    assert bot.got(5000)[1] == [1, 2]


def test_polls_without_a_list_are_no_long_polls() -> None:
    polls = LongPolls(recording((0, 1, []), body={"result": None}), RULE, Pace(1))

    assert polls.answer(Request(1, 1, 0, "POST", TARGET), URL) is None


PLAIN = replace(RULE, poll=RULE.poll.replace("https", "http"))
ASK = f"POST {TARGET}?timeout=30 HTTP/1.1\r\nHost: api.telegram.org\r\n\r\n".encode()


def polling() -> Line:
    """Return a connection to a server of updates."""
    opened, *events = RECORDED.events
    assert isinstance(opened, Open)
    send = RequestEffect(("POST http://api.telegram.org/*/send",), KeyRule("$.id"))
    return line(replace(opened, scheme="http", port=80), *events, items=ItemRules(PLAIN, send))


def test_a_newer_poll_ends_the_one_that_waits() -> None:
    """Else both would be handed the next update, as Telegram never does."""
    first = polling()
    second = first.another()

    assert first.send(ASK) == second.send(ASK) == b""
    refused = first.take()
    assert refused.startswith(b"HTTP/1.1 409 Conflict")
    assert json.loads(refused.partition(b"\r\n\r\n")[2])["error_code"] == 409
    first.alarm.run_to(3000)
    assert first.take() == b""
    assert b'"update_id":10' in second.take()
    assert [one.outcome for one in second.of(Served)] == ["refused", "hit"]
    assert [one.update for one in second.of(Handed)] == [10]
    assert first.playback.status()["in_flight"] == 0


def test_a_poll_that_was_answered_or_left_is_not_ended_by_the_next() -> None:
    bot = polling()
    bot.send(ASK)
    bot.alarm.run_to(600)
    assert b'"update_id":10' in bot.take()
    again = bot.another()
    again.send(ASK)
    assert bot.take() == b""
    again.lose()
    third = again.another()
    third.send(ASK)
    third.alarm.run_to(700)
    assert b'"update_id":10' in third.take()
    assert "refused" not in [one.outcome for one in third.of(Served)]
