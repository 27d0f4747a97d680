"""Which names hold lists, and which lists are long."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.sequences import (
    is_few_written,
    is_long,
    is_made_inside,
    outlives_turn,
    sort_of_name,
)

Look = Callable[[dict[str, str]], Where]


def at_use(look: Look, code: str) -> tuple[Where, int]:
    where = look({"bot.py": code})
    return where, next(call.block for call in where.file.calls if call.func == "use")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = []\nuse(x)", "list"),
        ("def f(r):\n    x = [i for i in r]\n    use(x)", "list"),
        ("def f(r):\n    x = {i for i in r}\n    use(x)", "set"),
        ("def f(r):\n    x = sorted(r)\n    use(x)", "list"),
        ("def f(r):\n    x = r.split(',')\n    use(x)", "list"),
        ("def f(x: list[str]):\n    use(x)", "list"),
        ("def f(x: 'Dict[str, int]'):\n    use(x)", "dict"),
        ("def g() -> set[int]: ...\ndef f():\n    x = g()\n    use(x)", "set"),
        ("def f(a):\n    x = None\n    x = []\n    use(x)", "list"),
        ("def f(a):\n    x = set(a)\n    x = list(a)\n    use(x)", ""),
        ("def f(x):\n    use(x)", ""),
        ("def f(r):\n    for x in r:\n        use(x)", ""),
        ("def f(r):\n    x = ''\n    x += r\n    use(x)", "str"),
    ],
)
def test_all_that_binds_a_name_must_agree(look: Look, code: str, expected: str) -> None:
    where, block = at_use(look, code)
    assert sort_of_name("x", block, where) == expected


def test_attributes_count_over_all_methods(look: Look) -> None:
    code = (
        "class A:\n    def __init__(self):\n        self.x = []\n    def f(self):\n        use()\n"
    )
    where, block = at_use(look, code)
    assert sort_of_name("self.x", block, where) == "list"
    where, block = at_use(look, code + "    def g(self):\n        self.x = set()\n")
    assert sort_of_name("self.x", block, where) == ""


@pytest.mark.parametrize(
    ("code", "long", "few"),
    [
        ("def f(r):\n    x = [i for i in r]\n    use(x)", True, False),
        ("def f(r):\n    x = []\n    for i in r:\n        x.append(i)\n    use(x)", True, False),
        ("def f(r):\n    x = ['a', 'b']\n    use(x)", False, True),
        ("def f(r):\n    x = [i for i in (1, 2)]\n    use(x)", False, False),
        ("def f(x: list[int]):\n    use(x)", False, False),
    ],
)
def test_length(look: Look, code: str, long: bool, few: bool) -> None:
    where, block = at_use(look, code)
    assert is_long("x", block, where) == long
    assert is_few_written("x", block, where) == few


def test_a_list_that_each_turn_makes(look: Look) -> None:
    where, block = at_use(look, "for line in lines():\n    x = line.split()\n    use(x)")
    assert is_made_inside("x", block, where)
    where, block = at_use(look, "x = []\nfor line in lines():\n    use(x)")
    assert not is_made_inside("x", block, where)


def test_a_list_of_a_handler_goes_with_it(look: Look) -> None:
    loop = "\ndef main(s):\n    while True:\n        f(s.get())\n"
    where, block = at_use(look, f"def f(m):\n    x = []\n    use(x)\n{loop}")
    assert not outlives_turn("x", block, where)
    where, block = at_use(look, f"x = []\ndef f(m):\n    use(x)\n{loop}")
    assert outlives_turn("x", block, where)
    where, block = at_use(look, f"x = []\ndef other(m):\n    use(x)\ndef f(m): ...\n{loop}")
    assert not outlives_turn("x", block, where)


def test_a_list_lives_no_longer_than_its_object(look: Look) -> None:
    stack = (
        "class Stack:\n def __init__(self):\n  self.all = []\n def add(self):\n  use(self.all)\n"
    )
    where, block = at_use(look, f"{stack}def on_message(m):\n    s = Stack()\n    s.add()\n")
    assert not outlives_turn("self.all", block, where)
    where, block = at_use(look, f"{stack}s = Stack()\ndef on_message(m):\n    s.add()\n")
    assert outlives_turn("self.all", block, where)
