from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfscan.analyzers.sql import PART, Keys, definitions, looks_like_sql, statement


@pytest.mark.parametrize(
    ("text", "kind", "table"),
    [
        ("SELECT a FROM Prices", "select", "prices"),
        ("-- newest\n  select a from public.prices", "select", "prices"),
        ("INSERT INTO prices (a) VALUES (?) ON CONFLICT DO NOTHING", "insert", "prices"),
        ("UPDATE prices SET a = %s WHERE b = %(b)s", "update", "prices"),
        ("DELETE FROM prices WHERE a < $1;", "delete", "prices"),
        ("DROP TABLE prices", "definition", "prices"),
        ("PRAGMA journal_mode=WAL", "definition", ""),
        ("SELECT a FROM prices JOIN trades ON prices.id = trades.id", "select", ""),
        ("SELECT 1", "select", ""),
    ],
)
def test_kind_and_table(text: str, kind: str, table: str) -> None:
    found = statement(text)
    assert found is not None
    assert (found.kind, found.table) == (kind, table)


@pytest.mark.parametrize(
    "text",
    ["", "hello", "selected items", "SELECT", "SELECT a FROM", "SELECT (((", "SELECT 1; SELECT 2"],
)
def test_other_text_says_nothing(text: str) -> None:
    assert statement(text) is None


@pytest.mark.parametrize("dialect", ["", "sqlite", "postgres", "mysql"])
def test_parameters_of_every_driver(dialect: str) -> None:
    for mark in ("?", "%s", "%(a)s", ":a"):
        found = statement(f"SELECT x FROM t WHERE a = {mark} AND b > {mark} ORDER BY c", dialect)
        assert found is not None
        assert (found.equal, found.ranges, found.order) == (("a",), ("b",), ("c",))


@pytest.mark.parametrize(
    ("condition", "equal", "ranges"),
    [
        ("a = 1 AND (b = 2 AND c IN (3, 4))", ("a", "b", "c"), ()),
        ("a = 1 OR b = 2", (), ()),
        ("a = 1 AND (b = 2 OR c = 3)", (), ()),
        ("a BETWEEN 1 AND 2 AND a = 3", ("a",), ()),
        ("5 < a", (), ("a",)),
        ("lower(a) = 'x'", (), ()),
        ("a = b", (), ()),
        ("a IS NULL", (), ()),
    ],
)
def test_conditions(condition: str, equal: tuple[str, ...], ranges: tuple[str, ...]) -> None:
    found = statement(f"SELECT x FROM t WHERE {condition}")
    assert found is not None
    assert (found.equal, found.ranges) == (equal, ranges)


@pytest.mark.parametrize(
    ("text", "star", "limited"),
    [
        ("SELECT * FROM t", True, False),
        ("SELECT t.* FROM t", True, False),
        ("SELECT * FROM t LIMIT 5", True, True),
        ("SELECT COUNT(*) FROM t", False, True),
        ("SELECT MAX(a), MIN(b) FROM t", False, True),
        ("SELECT a, COUNT(*) FROM t GROUP BY a", False, False),
    ],
)
def test_how_much_is_selected(text: str, star: bool, limited: bool) -> None:
    found = statement(text)
    assert found is not None
    assert (found.star, found.limited) == (star, limited)


@pytest.mark.parametrize(
    ("text", "composed", "named"),
    [
        (f"SELECT a FROM t WHERE b = {PART}", False, True),
        (f"SELECT a FROM t WHERE b IN ({PART}) LIMIT {PART}", False, True),
        (f"SELECT a FROM t WHERE b = '{PART}'", False, True),
        (f"SELECT a FROM t WHERE b = 1 AND {PART}", True, True),
        (f"SELECT a FROM t WHERE {PART} = 1", True, True),
        (f"SELECT a FROM t {PART}", True, True),
        (f"SELECT {PART} FROM t", True, True),
        (f"SELECT a FROM {PART} WHERE b = 1", False, False),
    ],
)
def test_what_is_filled_in(text: str, composed: bool, named: bool) -> None:
    found = statement(text)
    assert found is not None
    assert (found.composed, found.named) == (composed, named)


def test_a_script_is_read_table_by_table() -> None:
    script = """-- prices; and trades
CREATE TABLE IF NOT EXISTS prices (
    symbol TEXT, time INTEGER, id INTEGER PRIMARY KEY, hash TEXT UNIQUE,
    UNIQUE (symbol, time), CONSTRAINT once UNIQUE (time)
);
INSERT INTO prices VALUES ('CREATE TABLE x (a INT)', 1, 2, '3');
CREATE UNIQUE INDEX newest ON prices (time DESC, symbol);
CREATE INDEX later ON prices (symbol, lower(hash));
"""
    table, newest, later = definitions(script, "sqlite")
    assert table.creates
    assert table.line == 1
    assert table.columns == ("symbol", "time", "id", "hash")
    assert {key.columns for key in table.keys} == {
        ("id",),
        ("hash",),
        ("symbol", "time"),
        ("time",),
    }
    assert newest.keys == (Keys("prices", ("time", "symbol"), True),)
    assert later.keys == (Keys("prices", ("symbol",), False),)


def test_keys_that_are_added_later() -> None:
    (added,) = definitions("ALTER TABLE prices ADD INDEX fast (symbol, time)", "mysql")
    assert (added.creates, added.keys) == (False, (Keys("prices", ("symbol", "time"), False),))
    (unique,) = definitions("ALTER TABLE prices ADD CONSTRAINT one UNIQUE (symbol)", "postgres")
    assert unique.keys == (Keys("prices", ("symbol",), True),)


@given(st.text(max_size=80), st.sampled_from(["", "sqlite", "postgres", "mysql"]))
def test_no_text_is_too_odd(text: str, dialect: str) -> None:
    statement(f"SELECT {text}", dialect)
    list(definitions(f"CREATE TABLE {text}", dialect))


def test_dumps_are_not_statements() -> None:
    assert not looks_like_sql("INSERT INTO t VALUES " + "(1)," * 20_000)
