from __future__ import annotations

from collections.abc import Iterable

import pytest

from perfscan.replay.keys import Key
from perfscan.replay.model import MatchMode
from perfscan.replay.server.sequences import AnswerSequence

KEY = Key("GET", "api.example", "/a")


def sequence(
    mode: MatchMode = "sequence",
    requests: Iterable[str] = "aaa",
    good: Iterable[bool] = (True, True, True),
) -> AnswerSequence:
    """Return the answers to requests that were sent at 0, 100, 200 ... and took 1, 2, 3 ..."""
    made = AnswerSequence(mode)
    for at, (exact, successful) in enumerate(zip(requests, good, strict=True)):
        number = made.reserve(exact, at * 100)
        made.fill(number, 1000 + at, at + 1, successful=successful)
    assert made.drop_unanswered()
    return made


def taken(answers: AnswerSequence, asked: str, at_ns: int = 0) -> list[int | None]:
    return [answers.take(exact, at_ns) for exact in asked]


def test_the_nth_request_takes_the_nth_answer() -> None:
    answers = sequence()
    assert answers.unused == 3
    assert taken(answers, "aaaa") == [0, 1, 2, None]
    assert answers.unused == 0
    assert [answers.places[number] for number in range(3)] == [1000, 1001, 1002]


def test_the_very_same_request_goes_first() -> None:
    answers = sequence(requests="abc")
    assert taken(answers, "bxbac") == [1, 0, 2, None, None]


@pytest.mark.parametrize(
    ("mode", "good", "standing"),
    [
        ("sequence", (True, True, False), 1),
        ("sequence", (False, False, False), 2),
        ("last", (True, True, False), 2),
    ],
)
def test_one_answer_stands_when_all_are_taken(
    mode: MatchMode, good: tuple[bool, ...], standing: int
) -> None:
    answers = sequence(mode, good=good)
    assert taken(answers, "aaaa") == [0, 1, 2, None]
    assert answers.standing(0) == standing


def test_by_time_the_answer_of_the_moment_is_taken_and_then_stands() -> None:
    answers = sequence("by-time")
    moments = [0, 99, 250, 150, 10_000, -5]
    found = [(answers.take("x", at_ns), answers.standing(at_ns)) for at_ns in moments]
    assert found == [(0, 0), (None, 0), (2, 2), (1, 1), (None, 2), (None, 0)]
    assert answers.unused == 0


def test_requests_without_answer_leave_no_gap() -> None:
    answers = AnswerSequence()
    for at in range(5):
        answers.reserve("a", at)
    answers.fill(1, 11, 7, successful=True)
    answers.fill(3, 13, 9, successful=False)
    assert answers.drop_unanswered()
    assert list(answers.places) == [11, 13]
    assert taken(answers, "aaa") == [0, 1, None]
    assert answers.standing(0) == 0
    assert [answers.service_ns(number) for number in (0, 1)] == [7, 9]


def test_nothing_is_left_of_what_was_never_answered() -> None:
    answers = AnswerSequence()
    answers.reserve("a", 0)
    assert not answers.drop_unanswered()


def test_draws_are_seeded_by_key() -> None:
    def draws(seed: int, key: Key) -> list[int]:
        answers = sequence(requests="a" * 9, good=[True] * 9)
        return [answers.drawn_service_ns(seed, key) for _ in range(50)]

    assert draws(1, KEY) == draws(1, KEY)
    assert draws(1, KEY) != draws(2, KEY)
    assert draws(1, KEY) != draws(1, Key("GET", "api.example", "/b"))
    assert set(draws(1, KEY)) == set(range(1, 10))
