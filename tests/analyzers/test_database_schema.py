from __future__ import annotations

import ast
from collections.abc import Callable

from perfscan.analyzers.context import Where
from perfscan.analyzers.database_schema import Table, table_named
from perfscan.analyzers.extraction import extract
from perfscan.analyzers.knowledge import load_knowledge
from perfscan.analyzers.linking import linked
from perfscan.analyzers.model import TraceStep
from perfscan.analyzers.sql import Keys
from perfscan.analyzers.texts import TextFile

Look = Callable[[dict[str, str]], Where]

MODELS = """
import sqlalchemy as sa
from sqlalchemy import Column, Index, Table, UniqueConstraint

class Price(Base):
    __tablename__ = "Prices"
    id = Column(Integer, primary_key=True)
    symbol = Column(String, index=True)
    time = mapped_column("ts", Integer)
    __table_args__ = (Index("a", "symbol", "ts"), UniqueConstraint("ts"), {"schema": "x"})

class Fill(Base):
    __tablename__ = "fills"
    venue = Column(String, primary_key=True)
    order = Column(String, primary_key=True)

Index("late", Price.ts, Price.symbol)
plain = Table("plain", metadata, Column("a", Integer, unique=True), Index("x", "a", "b"))
"""

MIGRATION = """
from alembic import op
import sqlalchemy as sa

def upgrade():
    op.create_table("moves", sa.Column("id"), sa.Column("at"), sa.PrimaryKeyConstraint("id"))
    op.create_index(op.f("ix"), "moves", ["at", "id"], unique=False)
    with op.batch_alter_table("elsewhere") as batch:
        batch.create_index("ix", ["a", "b"])
"""


def keys(table: Table | None) -> set[tuple[str, ...]]:
    assert table is not None
    return {key.columns for key in table.keys}


def test_models(look: Look) -> None:
    where = look({"models.py": MODELS})
    price = table_named("prices", where)
    assert keys(price) == {("id",), ("symbol",), ("symbol", "ts"), ("ts",), ("ts", "symbol")}
    assert price is not None
    assert price.columns == {"id", "symbol", "ts"}
    assert price.created == TraceStep("models.py", 5, "models:Price")
    assert keys(table_named("fills", where)) == {("venue", "order")}
    assert keys(table_named("plain", where)) == {("a",), ("a", "b")}


def test_migrations(look: Look) -> None:
    where = look({"0001.py": MIGRATION})
    assert keys(table_named("moves", where)) == {("id",), ("at", "id")}
    elsewhere = table_named("elsewhere", where)
    assert keys(elsewhere) == {("a", "b")}
    assert elsewhere is not None
    assert elsewhere.created is None


def test_ddl_that_runs_or_is_held(look: Look) -> None:
    source = """
SCHEMA = "CREATE TABLE held (a INT)"
def f(db):
    db.executescript("CREATE TABLE run (a INT); CREATE INDEX i ON held (a);")
"""
    where = look({"bot.py": source})
    assert keys(table_named("held", where)) == {("a",)}
    assert keys(table_named("run", where)) == set()
    assert table_named("other", where) is None


def test_indexes_that_helpers_of_the_repository_make(look: Look) -> None:
    where = look({"bot.py": "make_index('ix', table='prices', columns=['symbol', 'time'])\n"})
    assert keys(table_named("prices", where)) == {("symbol", "time")}


def test_sql_files_count_as_well() -> None:
    source = "db.execute('CREATE INDEX i ON prices (time)')\n"
    facts = extract(ast.parse(source), "bot.py", 1)
    script = TextFile("db/schema.sql", "\nCREATE TABLE prices (symbol TEXT, time INT);\n")
    where = Where(linked([facts], load_knowledge(), texts=[script]), 0)
    table = table_named("prices", where)
    assert table is not None
    assert table.created == TraceStep("db/schema.sql", 2, "")
    assert keys(table) == {("time",)}


def test_an_index_serves_what_it_begins_with() -> None:
    table = Table(None, frozenset("abc"), (Keys("t", ("a", "b", "c"), False),))
    assert table.has_index(["b", "a"])
    assert table.has_index(["a", "b"], then=["c"])
    assert not table.has_index(["b"])
    assert not table.has_index(["a"], then=["c"])
