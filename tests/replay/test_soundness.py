"""Everything that is wrong with a recording is named, with its line, its number and a remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfscan.cli.main import execute
from perfscan.replay.event_json import encode_event
from perfscan.replay.model import (
    Close,
    Event,
    Failure,
    Message,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.recording import Reading, read_what_can_be_read
from perfscan.replay.soundness import MOST_MISTAKES, MOST_PLACES, Problem, Soundness, examine

HEADER = '{"schema":"perfscan.recording/1"}'
OPEN = Open(1, 0, "https", "a.example", 443, connect_ns=5, tls_ns=5)
ASK = Request(1, 1, 10, "GET", "/")
ANSWER = Response(1, 1, 20, 30, 200)
UPGRADE = (Open(2, 40, "https", "b.example", 443), Request(2, 2, 41, "GET", "/ws"))
ACCEPTED = Response(2, 2, 42, 42, 101)
SOUND: tuple[Event, ...] = (OPEN, ASK, ANSWER, *UPGRADE, ACCEPTED, Message(2, 50, "received", "x"))


def examined(*events: Event, latency: str = "recorded") -> Soundness:
    header = RecordingHeader(latency=latency)  # type: ignore[arg-type]
    return examine(Reading(Recording(header, events)))


def written(path: Path, *lines: str | Event) -> Path:
    texts = (one if isinstance(one, str) else json.dumps(encode_event(one)) for one in lines)
    path.write_text("\n".join([HEADER, *texts]) + "\n", encoding="utf-8")
    return path


def test_a_sound_recording_has_no_problems() -> None:
    found = examined(*SOUND)
    assert found.problems == ()
    assert found.replayable
    assert [use.answer for use in found.uses] == ["yes", "yes", "partly", "yes", "no", "yes"]


@pytest.mark.parametrize(
    ("events", "expected", "severity"),
    [
        ((), "there is no traffic in it", "error"),
        ((OPEN,), "there is no traffic in it", "error"),
        ((OPEN, ASK, ASK, ANSWER), "several requests have one exchange number", "error"),
        ((OPEN, ASK, ANSWER, ANSWER), "an exchange has several answers", "error"),
        ((OPEN, OPEN, ASK, ANSWER), "a connection number is opened several times", "error"),
        ((OPEN, ASK, ANSWER, Response(7, 1, 20, 20, 200)), "belongs to no request", "warning"),
        ((OPEN, *UPGRADE[:1], ASK, Response(1, 2, 20, 20, 200)), "another connection", "warning"),
        ((OPEN, Response(1, 1, 5, 5, 200), ASK), "an answer comes before its request", "warning"),
        ((OPEN, ASK, Response(1, 1, 20, 15, 200)), "a body ends before it begins", "warning"),
        ((Open(1, -1, "https", "a", 443), ASK, ANSWER), "a time is negative", "warning"),
        ((OPEN, Message(1, 5, "sent", "x")), "without an accepted handshake", "warning"),
        ((OPEN, ASK, Close(1, 15, "bot"), ANSWER), "after it was closed", "warning"),
        ((OPEN, ASK), "a request has no answer", "warning"),
        (
            (OPEN, ASK, Response(1, 1, 20, 30, 200, (), b"abc", pieces=((0, 1), (5, 1)))),
            "the pieces of a body do not add up",
            "warning",
        ),
        ((OPEN, Request(1, 1, 10, "GET", "/?api_key=0123456789"), ANSWER), "secrets", "warning"),
    ],
)
def test_each_kind_of_problem_is_named(
    events: tuple[Event, ...], expected: str, severity: str
) -> None:
    found = examined(*events)
    (problem,) = [one for one in found.problems if expected in one.what]
    assert problem.severity == severity
    assert problem.count == 1
    assert problem.remedy
    assert found.replayable == (severity == "warning")


@pytest.mark.parametrize("end", [Failure(1, 20, "reset", exchange=1), Close(1, 20, "upstream")])
def test_a_request_that_broke_needs_no_answer(end: Event) -> None:
    assert examined(OPEN, ASK, end).problems == ()


def test_equal_problems_are_counted_and_some_of_them_placed() -> None:
    many = [Response(number, 1, 20, 20, 200) for number in range(7, 20)]
    (problem,) = examined(OPEN, ASK, ANSWER, *many).problems
    assert problem.count == 13
    assert problem.places == tuple(f"exchange {number}" for number in range(7, 7 + MOST_PLACES))


def test_calls_over_websockets_want_their_acknowledgements() -> None:
    talk = [
        Message(2, 50, "sent", '{"id":1,"method":"subscribe"}'),
        Message(2, 51, "sent", '{"id":2,"method":"subscribe"}'),
        Message(2, 52, "received", '{"id":1,"result":7}'),
        Message(2, 53, "received", '{"id": 9, "method":"notification"}'),
        Message(2, 54, "sent", '{"id": broken'),
    ]
    (problem,) = examined(OPEN, ASK, ANSWER, *UPGRADE, ACCEPTED, *talk).problems
    assert problem.count == 1
    assert "no acknowledgement (1 have one)" in problem.what


def test_secrets_are_counted_by_place_and_never_shown() -> None:
    key, token = "0123456789abcdef0123", "1:AAsecretsecretsecretsecretsecretsecrets"
    sent = Request(1, 1, 10, "GET", f"/bot{token}/x?api_key={key}", (("X-API-KEY", key),))
    (problem,) = examined(OPEN, sent, ANSWER).problems
    assert problem.count >= 3
    assert any("in header (x-api-key)" in place for place in problem.places)
    assert any("in path (telegram)" in place for place in problem.places)
    assert key not in repr(problem)
    assert token not in repr(problem)


def test_uses_say_what_is_missing() -> None:
    untimed = {use.use: use for use in examined(OPEN, ASK, ANSWER, latency="not recorded").uses}
    assert untimed["latencies"].answer == "no"
    assert "latency:" in untimed["latencies"].why
    assert untimed["streams"].answer == "no"
    inbound = Open(3, 50, "http", "bot.example", 80, inbound=True)
    asked = Request(3, 3, 60, "POST", "/hook")
    driven = {use.use: use for use in examined(inbound, asked).uses}
    assert driven["requests to the bot"].answer == "yes"
    assert driven["answers to requests"].answer == "no"


def test_every_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    bad = ("not json", '{"kind":"opne"}', '{"kind":"request"}', "[1]", '{"kind":"end","notes":3}')
    reading = read_what_can_be_read(written(tmp_path / "t.jsonl", OPEN, *bad, ASK, ANSWER))
    assert reading.recording.events == (OPEN, ASK, ANSWER)
    assert reading.lines == (2, 8, 9)
    found = examine(reading)
    places = [problem.places[0].rpartition(":")[2] for problem in found.problems]
    assert places == ["3", "4", "5", "6", "7"]
    assert all(problem.severity == "error" and problem.remedy for problem in found.problems)


def test_mistakes_beyond_a_limit_are_counted(tmp_path: Path) -> None:
    bad = ["{}"] * (MOST_MISTAKES + 7)
    found = examine(read_what_can_be_read(written(tmp_path / "t.jsonl", OPEN, ASK, ANSWER, *bad)))
    assert len(found.problems) == MOST_MISTAKES + 1
    rest = Problem("error", "further lines cannot be used", "record it again", 7, ())
    assert rest in found.problems


def test_lines_out_of_order_are_named_and_long_answers_are_not(tmp_path: Path) -> None:
    slow = Response(1, 1, 20, 90, 200)  # written when it is complete
    quick = (Request(2, 1, 100, "GET", "/"), Response(2, 1, 110, 110, 200))
    path = written(tmp_path / "t.jsonl", OPEN, ASK, slow, *quick)
    assert examine(read_what_can_be_read(path)).problems == ()
    late = (Request(3, 1, 50, "GET", "/"), Response(3, 1, 60, 60, 200))
    path = written(tmp_path / "t.jsonl", OPEN, ASK, slow, *quick, *late)
    (problem,) = examine(read_what_can_be_read(path)).problems
    assert problem.count == 2
    assert [place.rpartition(":")[2] for place in problem.places] == ["7", "8"]


def test_the_command_prints_it_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "t.jsonl", OPEN, '{"kind":"opne"}', ASK, "nothing", ANSWER)
    assert execute(["traffic", "check", str(path)]) == 2
    out = capsys.readouterr().out
    assert "cannot be replayed as it is" in out
    assert f"{path}:3" in out
    assert f"{path}:5" in out
    assert out.count("help: ") == 2
    assert execute(["traffic", "check", str(path), "--format", "json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "perfscan.traffic-check/1"
    assert [problem["severity"] for problem in document["problems"]] == ["error", "error"]
    assert document["replayable"] is False
    sound = written(tmp_path / "sound.jsonl", *SOUND)
    assert execute(["traffic", "check", str(sound)]) == 0
    assert "complete, 7 events, perfscan JSONL" in capsys.readouterr().out
