"""Whether one turn of a loop needs another, and whether the item goes into a call."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.turns import depends_on_earlier_turn, ends_early, is_paced, varies

Look = Callable[[dict[str, str]], Where]


def parts(look: Look, body: str) -> tuple[Where, Block, Call]:
    lines = "\n        ".join(body.split("\n"))
    where = look(
        {"bot.py": f"import time\ndef f(items, key):\n    for item in items:\n        {lines}"}
    )
    loop = next(block for block in where.file.blocks if block.kind == "for")
    return where, loop, next(call for call in where.file.calls if call.func == "ask")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("ask(item)", False),
        ("key = ask(key)", True),
        ("key += 1\nask(key)", True),
        ("url = item.url\nask(url)", False),
        ("url = make(key)\nanswer = ask(url)\nkey = answer", True),
    ],
)
def test_dependence(look: Look, body: str, expected: bool) -> None:
    where, loop, call = parts(look, body)
    assert depends_on_earlier_turn(call, loop, where) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [("ask(item)", True), ("url = item.url\nask(url)", True), ("ask(key)", False)],
)
def test_the_item_goes_into_the_call(look: Look, body: str, expected: bool) -> None:
    where, loop, call = parts(look, body)
    assert varies(call, loop, where) is expected


def test_pace_and_end(look: Look) -> None:
    where, loop, _ = parts(look, "ask(item)\ntime.sleep(1)")
    assert is_paced(where.calls_in(loop.number), where)
    assert not ends_early(loop, where)
    where, loop, _ = parts(look, "if ask(item):\n    break")
    assert not is_paced(where.calls_in(loop.number), where)
    assert ends_early(loop, where)
