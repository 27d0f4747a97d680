from __future__ import annotations

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.database_schema import Table
from perfscan.analyzers.index_demands import Demand, begins_one, is_met, unmet
from perfscan.analyzers.sql import Keys

Look = Callable[[dict[str, str]], Where]


def table(*keys: tuple[tuple[str, ...], bool]) -> Table:
    return Table(None, frozenset("abc"), tuple(Keys("t", columns, u) for columns, u in keys))


@pytest.mark.parametrize(
    ("equal", "then", "columns", "unique", "met"),
    [
        ("a", "", "a", False, True),
        ("a", "", "ab", False, True),
        ("a", "", "ba", False, False),
        ("ab", "", "ba", False, True),
        ("ab", "c", "ab", False, True),
        ("abc", "", "ab", False, True),
        ("ab", "", "a", False, False),
        ("ab", "", "a", True, True),
        ("a", "c", "a", False, True),
        ("", "c", "c", False, True),
        ("", "c", "ac", False, False),
    ],
)
def test_which_index_meets_which_demand(
    equal: str, then: str, columns: str, unique: bool, met: bool
) -> None:
    demand = Demand("t", tuple(equal), tuple(then))
    assert is_met(demand, table((tuple(columns), unique))) == met


def test_an_index_may_begin_with_one_of_them() -> None:
    demand = Demand("t", ("a", "b"), ())
    assert begins_one(demand, table((("a", "c"), False)))
    assert not begins_one(demand, table((("c", "a"), False)))


def test_the_first_statement_speaks_for_all(look: Look) -> None:
    schema = "S = 'CREATE TABLE t (a INT, b INT)'\n"
    first = "db.execute('SELECT 1 FROM t WHERE a = 1 AND b = 2')\n"
    where = look(
        {"a.py": schema + first, "b.py": "db.execute('DELETE FROM t WHERE b=? AND a=?')\n"}
    )
    (call,) = where.file.calls
    found = unmet(call, where)
    assert found is not None
    assert (found.demand, found.times) == (Demand("t", ("a", "b"), ()), 2)
    other = Where(where.program, 1)
    assert unmet(other.file.calls[0], other) is None
