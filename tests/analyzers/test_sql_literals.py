from __future__ import annotations

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.sql import PART
from perfscan.analyzers.sql_literals import dialect_of, scripts, statements

Look = Callable[[dict[str, str]], Where]


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ("db.execute('SELECT 1')", ["SELECT 1"]),
        ("db.execute('SELECT a ' 'FROM t')", ["SELECT a FROM t"]),
        ("db.execute(f'SELECT a FROM t WHERE b = {x}')", [f"SELECT a FROM t WHERE b = {PART}"]),
        ("db.execute('SELECT a FROM ' + x)", [f"SELECT a FROM {PART}"]),
        ("db.execute('SELECT a FROM %s' % x)", [f"SELECT a FROM {PART}"]),
        ("db.execute(text('SELECT 1'))", ["SELECT 1"]),
        ("db.execute(QUERY)", ["SELECT a FROM prices"]),
        ("db.execute(f'DELETE FROM {TABLE}')", ["DELETE FROM prices"]),
        ("q = 'SELECT 1'\n    q = 'SELECT 2'\n    db.execute(q)", ["SELECT 2"]),
        ("q = 'SELECT 1'\n    q += x\n    db.execute(q)", [f"SELECT 1 {PART}"]),
        ("for q in DDL:\n        db.execute(q)", ["DROP TABLE a", "DROP TABLE b"]),
        ("execute_values(db, 'INSERT INTO t VALUES %s', x)", ["INSERT INTO t VALUES %s"]),
        ("db.execute(x)", []),
        ("db.execute('hello')", []),
        ("db.send('SELECT 1')", []),
    ],
)
def test_texts_that_reach_a_database(look: Look, code: str, texts: list[str]) -> None:
    source = f"""
TABLE = 'prices'
QUERY = f'SELECT a FROM {{TABLE}}'
DDL = ['DROP TABLE a', 'DROP TABLE b']
def f(db, x):
    {code}
"""
    where = look({"bot.py": source})
    assert [script.text for script in scripts(where)] == texts


def test_constants_of_other_files(look: Look) -> None:
    bot = "from store.queries import PRICES\ndef f(db):\n    db.execute(PRICES)\n"
    where = look({"bot.py": bot, "store/queries.py": "PRICES = 'SELECT a FROM prices'\n"})
    assert [found.table for found in statements(where).values()] == ["prices"]


@pytest.mark.parametrize(
    ("imports", "dialect"),
    [
        ("import sqlite3", "sqlite"),
        ("from psycopg2 import connect", "postgres"),
        ("import sqlite3, asyncpg", ""),
        ("import sqlalchemy", ""),
    ],
)
def test_the_driver_tells_the_dialect(look: Look, imports: str, dialect: str) -> None:
    assert dialect_of(look({"bot.py": imports})) == dialect
