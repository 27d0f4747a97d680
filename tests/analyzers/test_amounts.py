"""How many items a collection may hold, and whether it is a part of fixed size."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.amounts import amount, is_part
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Value

Look = Callable[[dict[str, str]], Where]


def items_of(where: Where) -> tuple[Value, int]:
    loop = [block for block in where.file.blocks if block.kind == "for"][-1]
    assert loop.value is not None
    return loop.value, loop.parent


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("for x in (1, 2, 3): pass", "few"),
        ("for x in PAIRS: pass", "few"),
        ("PAIRS = [1, 2]\nfor x in PAIRS: pass", "few"),
        ("PAIRS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]\nfor x in PAIRS: pass", "many"),
        ("def f(providers):\n    for x in providers: pass", "few"),
        ("def f():\n    ends = {'a': 1, 'b': 2}\n    for k, v in ends.items(): pass", "few"),
        ("def f(config):\n    found = config.get('x')\n    for x in enumerate(found): pass", "few"),
        ("def f(wallets):\n    for x in wallets: pass", "many"),
        ("def f(self):\n    for k, v in self.positions.items(): pass", "many"),
        ("import requests\ndef f(u):\n    for x in requests.get(u).json(): pass", "many"),
        ("def f(p):\n    lines = open(p)\n    for x in lines: pass", "many"),
        ("def f(things):\n    for x in things: pass", "unknown"),
        ("def f(x):\n    some = [1]\n    some.append(x)\n    for y in some: pass", "unknown"),
    ],
)
def test_the_amount_needs_something_that_speaks_for_it(
    look: Look, code: str, expected: str
) -> None:
    where = look({"bot.py": code})
    assert amount(*items_of(where), where) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(urls):\n    for x in urls[:10]: pass", True),
        ("def f(urls, n):\n    for x in range(n): pass", True),
        ("def f(urls):\n    for x in range(len(urls)): pass", False),
        ("def f(parts):\n    for part in parts:\n        for x in part: pass", True),
        ("def f(urls):\n    some = urls[5:9]\n    for x in some: pass", True),
        ("def f(urls):\n    for x in urls: pass", False),
        ("def f(urls):\n    for x in zip(*[iter(urls)] * 100): pass", True),
        ("def f(urls, names):\n    for x in zip(urls, names): pass", False),
    ],
)
def test_parts_of_fixed_size(look: Look, code: str, expected: bool) -> None:
    where = look({"bot.py": code})
    assert is_part(*items_of(where), where) is expected
