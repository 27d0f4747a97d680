import ast
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfscan.analyzers import facts as module
from perfscan.analyzers.extraction import extract
from perfscan.analyzers.facts import FileFacts, line_of, packed, place_of

SOURCE = """
import os.path
from a import b
class A(B):
    x: int = f(1)
    async def run(self, *rest, key=None):
        async with session() as s:
            await s.get(self.urls[0], **{"timeout": None})
        return [u for u in rest if u in seen] or f(lambda: os.path.sep, rest.x)
"""


@given(
    line=st.integers(1, 10**9),
    column=st.integers(0, 65_535),
    height=st.integers(0, 16_383),
    end=st.integers(0, 65_535),
)
def test_a_place_survives_packing(line: int, column: int, height: int, end: int) -> None:
    place = (line, column, line + height, end)
    assert place_of(packed(*place)) == place
    assert line_of(packed(*place)) == line


def test_what_is_too_wide_is_cut_off() -> None:
    assert place_of(packed(3, 70_000, 20_000, 80_000)) == (3, 65_535, 3 + 16_383, 65_535)


@pytest.mark.parametrize("earlier", [(1, 9, 9, 9), (2, 0, 9, 9), (2, 1, 2, 9)])
def test_places_sort_by_where_they_begin(earlier: tuple[int, int, int, int]) -> None:
    assert packed(*earlier) < packed(2, 1, 3, 0)


def facts_of(source: str) -> FileFacts:
    return extract(ast.parse(source), "bot.py", source.count("\n"))


@pytest.mark.parametrize("source", ["", SOURCE], ids=["empty", "something of everything"])
def test_facts_survive_pickling(source: str) -> None:
    facts = facts_of(source)._replace(comments=True)
    again = pickle.loads(pickle.dumps(facts))
    assert again == facts
    for name in FileFacts._fields:
        table = getattr(again, name)
        if isinstance(table, tuple):
            assert [type(row) for row in table] == [type(row) for row in getattr(facts, name)]


def test_every_table_is_pickled() -> None:
    tables = {name for name, hint in FileFacts.__annotations__.items() if "tuple" in str(hint)}
    assert set(module._ROWS) == tables
    assert all(getattr(facts_of(SOURCE), name) for name in tables)
