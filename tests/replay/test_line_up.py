"""Which sent effect belongs to which recorded one."""

from __future__ import annotations

import pytest

from perfscan.replay import line_up as module
from perfscan.replay.effects.kind import Effect, Judgement
from perfscan.replay.line_up import Slot, line_up


def effect(at: int, word: str) -> Effect:
    judgement = Judgement("missed", "it apologised") if word == "?" else None
    return Effect("chat", at, "" if judgement else word, judgement)


def lined_up(recorded: str, sent: str, *, at: tuple[int, ...] = ()) -> tuple[list[str], str]:
    """A letter an effect, ``?`` an apology; slots are told at 0, 10, 20, replies come 5 later.

    ``at`` gives other times of what was sent; blanks in ``sent`` let a turn pass.
    """
    slots = [Slot(effect(0, word), 10 * place) for place, word in enumerate(recorded)]
    times = at or [10 * place + 5 for place, word in enumerate(sent) if word != " "]
    words = sent.replace(" ", "")
    placed, strays = line_up(
        slots, [effect(at, word) for at, word in zip(times, words, strict=True)]
    )
    return ["".join(map(word_of, one)) for one in placed], "".join(map(word_of, strays))


def word_of(one: Effect) -> str:
    if one.judgement is None:
        return one.values
    return f"({one.values})" if one.judgement.state == "wrong" else "?"


@pytest.mark.parametrize(
    ("recorded", "sent", "placed", "strays"),
    [
        ("abc", "abc", ["a", "b", "c"], ""),
        ("abc", "a c", ["a", "", "c"], ""),
        ("abc", " bc", ["", "b", "c"], ""),
        ("abc", "ab", ["a", "b", ""], ""),
        ("abc", "", ["", "", ""], ""),
        ("abcdef", "a  def", ["a", "", "", "d", "e", "f"], ""),
        ("abc", "axc", ["a", "x", "c"], ""),
        ("abc", "aabc", ["aa", "b", "c"], ""),
        ("abc", "abcc", ["a", "b", "cc"], ""),
        ("abc", "abcb", ["a", "bb", "c"], ""),
        ("abc", "acc", ["a", "", "cc"], ""),
        ("ab", "aa", ["aa", ""], ""),
        ("abc", " ?cc", ["", "?", "cc"], ""),
        ("abc", "abxc", ["a", "b", "c"], "x"),
        ("abc", "a?c", ["a", "?", "c"], ""),
        ("abc", "a c?", ["a", "?", "c"], ""),
        ("abc", "abc?", ["a", "b", "c"], "?"),
        ("a?c", "a?c", ["a", "?", "c"], ""),
        ("a?c", "abc", ["a", "b", "c"], ""),
        ("", "a", [], "a"),
    ],
)
def test_what_is_missing_moves_nothing_else(
    recorded: str, sent: str, placed: list[str], strays: str
) -> None:
    assert lined_up(recorded, sent) == (placed, strays)


def test_what_overtakes_leaves_the_other_out_of_its_turn() -> None:
    assert lined_up("ab", "ba", at=(15, 16)) == (["(a)", "b"], "")


def test_of_equal_replies_the_one_is_missing_that_nobody_waited_for_so_long() -> None:
    assert lined_up("aaa", "aa", at=(5, 25)) == (["a", "", "a"], "")
    assert lined_up("aaa", "aa", at=(15, 25)) == (["", "a", "a"], "")


def test_an_early_reply_is_for_what_was_asked_where_that_is_said_twice() -> None:
    assert lined_up("aba", "a", at=(5,)) == (["a", "", ""], "")
    assert lined_up("aba", "a", at=(25,)) == (["", "", "a"], "")


def test_too_many_are_told_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STEPS", 5)

    assert lined_up("abc", "ac") == (["a", "c", ""], "")
    assert lined_up("abc", "bcde") == (["b", "c", "d"], "e")
