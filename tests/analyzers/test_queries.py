from __future__ import annotations

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.queries import helper, is_commit, is_write, query, row_loop

Look = Callable[[dict[str, str]], Where]
HEAD = """
import aiosqlite, psycopg, sqlite3
from sqlalchemy.orm import Session
server = psycopg.connect("x")
local = sqlite3.connect("x")
"""


def last(where: Where) -> Call:
    return where.file.calls[-1]


@pytest.mark.parametrize(
    ("code", "sort", "embedded"),
    [
        ("server.execute('SELECT a FROM t')", "read", False),
        ("server.execute('DELETE FROM t')", "write", False),
        ("server.execute(unknown)", "read", False),
        ("local.execute('INSERT INTO t VALUES (1)')", "write", True),
        ("unknown.execute('SELECT a FROM t')", "read", False),
    ],
)
def test_round_trips(look: Look, code: str, sort: str, embedded: bool) -> None:
    head = HEAD if "unknown.ex" not in code else "import asyncpg\n"
    where = look({"bot.py": f"{head}{code}\n"})
    found = query(last(where), where)
    assert found is not None
    assert (found.sort, found.embedded) == (sort, embedded)


@pytest.mark.parametrize(
    "code",
    [
        "server.execute('CREATE TABLE t (a INT)')",
        "server.execute(f'SELECT a FROM {unknown}')",
        "server.cursor()",
        "server.commit()",
        "unknown.execute(sql)",
        "unknown.get('SELECT a FROM t')",
        "{}.get('a')",
    ],
)
def test_other_calls(look: Look, code: str) -> None:
    where = look({"bot.py": f"{HEAD}{code}\n"})
    assert query(last(where), where) is None


def test_what_writes_and_what_commits(look: Look) -> None:
    source = (
        f"{HEAD}def f(session: Session, row):\n    session.add(row)\n    server.commit()\n"
        "    local.execute('SELECT 1 FROM t')\n    basket.add(row)\n    basket.commit()\n"
    )
    where = look({"bot.py": source})
    _, _, add, commit, select, other_add, other_commit = where.file.calls
    assert [is_write(call, where) for call in (add, select, other_add)] == [True, False, False]
    assert [is_commit(call, where) for call in (commit, other_commit)] == [True, False]


@pytest.mark.parametrize(
    ("header", "argument", "found"),
    [
        ("for row in rows", "row", True),
        ("for row in rows", "other", False),
        ("while rows", "rows", False),
        ("for row in ('a', 'b')", "row", False),
        ("for chunk in chunks(rows)", "chunk", False),
        ("for start in range(0, 100, 10)", "start", False),
        ("for table in tables", "table", False),
    ],
)
def test_loops_over_rows(look: Look, header: str, argument: str, found: bool) -> None:
    source = f"def f(rows, other):\n    {header}:\n        server.execute(Q, {argument})\n"
    where = look({"bot.py": HEAD + source})
    assert (row_loop(last(where), where) is not None) == found


def test_helpers_across_files(look: Look) -> None:
    store = f"""{HEAD}
def price(symbol):
    return server.execute("SELECT a FROM t WHERE s = %s", (symbol,)).fetchone()
def save(row):
    local.execute("INSERT INTO t VALUES (?)", (row,))
    local.commit()
def doubled(symbol):
    return price(symbol) * 2
def sometimes(symbol):
    if symbol:
        return price(symbol)
def always_the_same(symbol):
    return server.execute("SELECT a FROM t").fetchone()
"""
    names = ("price", "save", "doubled", "sometimes", "always_the_same")
    bot = "import store\n" + "".join(f"store.{name}(x)\n" for name in names)
    where = look({"bot.py": bot, "store.py": store})
    price, save, doubled, sometimes, same = [helper(call, where) for call in where.file.calls]
    assert price is not None
    assert (price.sort, price.commits) == ("read", None)
    assert save is not None
    assert (save.sort, save.commits is not None) == ("write", True)
    assert doubled == price
    assert (sometimes, same) == (None, None)
