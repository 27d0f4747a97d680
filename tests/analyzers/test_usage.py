"""Who uses the names of a module."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.usage import users

CODE = """
import at_import, base, called, compared, decorating, defaulted, indexed, listed, looped, read
import annotated, nested, returned

at_import.x()

class Child(base.Parent):
    pass

@decorating.twice
def f(a=defaulted.value):
    called.g()
    if a == compared.limit:
        return returned
    for item in looped.items:
        print(read.attribute, indexed["x"], [listed])

def g(a: annotated.Type):
    def inner():
        return nested.x
    return inner
"""


@pytest.mark.parametrize(
    ("name", "functions"),
    [
        ("at_import", {-1}),
        ("base", {-1}),
        ("decorating", {-1}),
        ("defaulted", {-1}),
        ("called", {0}),
        ("compared", {0}),
        ("returned", {0}),
        ("looped", {0}),
        ("read", {0}),
        ("indexed", {0}),
        ("listed", {0}),
        ("nested", {2}),
        ("annotated", set()),
    ],
)
def test_users(look: Callable[[dict[str, str]], Where], name: str, functions: set[int]) -> None:
    assert users(look({"bot.py": CODE})).get(name, set()) == functions
