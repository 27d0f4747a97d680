from __future__ import annotations

from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.model import (
    Close,
    Failure,
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
from perfscan.replay.server.journal import Journal, read_observation

EVENTS: tuple[Observed, ...] = (
    Open(1, 10, "https", "api.example", 443),
    Request(1, 1, 20, "POST", "/a?b=1", (("Host", "api.example"),), b"\xff\x00"),
    Response(1, 1, 30, 31, 599, (("Content-Type", "application/json"),)),
    Served(1, "miss", None, 30, 31, 5, Miss("GET /x", ("GET /y: path", "GET /z: path"))),
    Served(2, "hit", 7, 30, 32, 5),
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


def test_little_is_written_at_once_and_a_backlog_is_worked_off(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, 1.0, None)
    for _ in range(1000):
        journal.add(EVENTS[0])
    journal.flush_some()
    assert len(path.read_bytes().splitlines()) == 1 + 1000 // 8
    for _ in range(40):
        journal.flush_some()
    assert len(path.read_bytes().splitlines()) == 1 + 1000
    journal.close()


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
