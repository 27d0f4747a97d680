from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import pytest

from perfscan.errors import InputError
from perfscan.replay.keys import read_request
from perfscan.replay.model import (
    Close,
    Failure,
    MatchRules,
    Message,
    Miss,
    Observed,
    Open,
    Pushed,
    Request,
    Response,
    Served,
    StreamStart,
)
from perfscan.replay.server.answers import Answer
from perfscan.replay.server.journal import FEW, Journal, read_observation
from perfscan.replay.server.recognition import Heard
from perfscan.replay.server.turn import Turn, observed

EVENTS: tuple[Observed, ...] = (
    Open(1, 10, "https", "api.example", 443),
    Request(1, 1, 20, "POST", "/a?b=1", (("Host", "api.example"),), b"\xff\x00"),
    Response(1, 1, 30, 31, 599, (("Content-Type", "application/json"),)),
    Served(1, "miss", None, 30, 31, 5, Miss("GET /x", ("GET /y: path", "GET /z: path"))),
    Served(2, "hit", 7, 30, 32, 5, written=105),
    Message(2, 40, "sent", "subscribe"),
    StreamStart("wss://api.example/", 41, 1000),
    Pushed(2, 12, 50, 51),
    Close(2, 60, "bot", 1000),
    Failure(3, 70, "reset"),
)


def written(folder: Path, *, until_ns: int | None = None) -> Path:
    path = folder / "journal.jsonl"
    journal = Journal(path, 2.0, until_ns)
    for event in reversed(EVENTS):
        journal.add(event)
    journal.close()
    journal.close()
    return path


def test_what_is_written_is_read_in_time_order(tmp_path: Path) -> None:
    observation = read_observation(written(tmp_path, until_ns=9))
    assert set(observation.events) == set(EVENTS)
    assert [event.at_ns for event in observation.events] == sorted(e.at_ns for e in EVENTS)
    assert (observation.speed, observation.until_ns) == (2.0, 9)


def test_a_killed_server_loses_at_most_the_last_line(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-7])
    assert len(read_observation(path).events) == len(EVENTS) - 1


def test_few_lines_are_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with contextlib.closing(Journal(path, 1.0, None)) as journal:
        for _ in range(FEW + 3):
            journal.add(EVENTS[0])
        assert len(path.read_bytes().splitlines()) == 1 + FEW
        journal.flush()
        assert len(path.read_bytes().splitlines()) == 1 + FEW + 3


def heard(number: int = 5) -> Heard:
    asked = read_request("POST", "a", "/x", (), b"\xff", MatchRules())
    return Heard(
        *(number, "POST", "/x", (("Host", "a"),), b"\xff", "a", "a", asked),
        *(False, False, "", False, None),
    )


def turn(heard: Heard, **known: Any) -> Turn:
    miss = Miss("POST a/x", ("POST a/y: path",))
    answer = Answer("miss", None, 599, "Not In The Recording", (), b"", miss=miss)
    return Turn(7, 2, heard, 100, answer, 120, last=False, **known)


@pytest.mark.parametrize(
    ("known", "kinds"),
    [
        ({"begun_ns": 130, "ended_ns": 140, "size": 9}, [Request, Response, Served]),
        ({"ended_ns": 140}, [Request, Served]),
        ({}, [Request]),
    ],
    ids=["answered", "broken", "abandoned"],
)
def test_turns_are_read_as_the_events_that_they_stand_for(
    tmp_path: Path, known: dict[str, Any], kinds: list[type[Observed]]
) -> None:
    path = tmp_path / "journal.jsonl"
    request = heard()
    with contextlib.closing(Journal(path, 1.0, None)) as journal:
        for seen in (request, turn(request, **known)):
            journal.add(seen)
    events = read_observation(path).events
    assert events == tuple(observed(turn(request, **known)))
    assert [type(event) for event in events] == kinds
    assert events[0] == Request(7, 2, 100, "POST", "/x", (("Host", "a"),), b"\xff")


def test_half_a_surrogate_pair_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    message = Message(1, 2, "received", "\ud800")
    with contextlib.closing(Journal(path, 1.0, None)) as journal:
        journal.add(message)
    assert read_observation(path).events == (message,)


@pytest.mark.parametrize("content", ["", "[]\n", '{"schema": 1}\n{"kind": "served"}\n', "x\ny\n"])
def test_another_file_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(content, "utf-8")
    with pytest.raises(InputError, match="not a journal"):
        read_observation(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a journal"):
        read_observation(tmp_path / "none.jsonl")


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        Journal(tmp_path / "no" / "journal.jsonl", 1.0, None)


def test_a_journal_without_room_says_so(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no full device")
    link = tmp_path / "journal.jsonl"
    link.symlink_to(full)
    with pytest.raises(InputError, match="No space left") as caught:
        Journal(link, 1.0, None)
    assert caught.value.where == str(link)


def test_what_the_system_takes_little_by_little_is_written_whole(tmp_path: Path) -> None:
    class Reluctant(io.FileIO):
        def write(self, data: Any) -> int:
            return super().write(memoryview(data)[:7])

    path = tmp_path / "journal.jsonl"
    journal = Journal(path, 1.0, None)
    journal._file.close()
    journal._file = Reluctant(path, "ab")
    for event in EVENTS:
        journal.add(event)
    journal.close()
    assert len(read_observation(path).events) == len(EVENTS)
