"""PS905: a table searched by a column that has no index."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.index_demands import unmet
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.sql_literals import RUNNERS


@rule("PS905", "missing-index-hint", Severity.INFO, on=Call, calls=RUNNERS)
def missing_index_hint(call: Call, where: Where) -> Iterator[Hit]:
    """Point at a column that a query searches and that no index of the repository begins with.

    What it does:
        Reads the tables and indexes that the repository declares (CREATE statements in strings and
        *.sql files, Alembic migrations, SQLAlchemy models) and the SQL that its code runs. Says
        when a table that is created here is searched by one column, or ordered by it with a limit,
        without an index for it. Only a hint (`--all` shows it), unless a loop or handler runs the
        query again and again.

    Why it costs a bot:
        Without an index the database reads the whole table for each of these queries, so they
        become slower every day that the bot stores something.

    Example:
        import sqlite3

        connection = sqlite3.connect("bot.db")
        connection.execute("CREATE TABLE trades (id INTEGER PRIMARY KEY, wallet TEXT)")

        def on_message(message):
            return connection.execute(
                "SELECT id FROM trades WHERE wallet = ?", (message.wallet,)
            ).fetchall()

    Use instead:
        import sqlite3

        connection = sqlite3.connect("bot.db")
        connection.execute("CREATE TABLE trades (id INTEGER PRIMARY KEY, wallet TEXT)")
        connection.execute("CREATE INDEX trades_wallet ON trades (wallet)")

        def on_message(message):
            return connection.execute(
                "SELECT id FROM trades WHERE wallet = ?", (message.wallet,)
            ).fetchall()

    When it is fine:
        For tables that stay small, and columns with very few different values.
    """
    missed = unmet(call, where)
    if missed is None or len(missed.demand.columns) > 1:
        return
    demand = missed.demand
    column = demand.columns[0]
    heat = where.hot(call.block)
    often = f" for each run of the {heat.label}" if heat is not None else ""
    assert missed.table.created is not None
    yield Hit(
        call.place,
        call.block,
        message=f"table {demand.table} is searched by {column}{often}, which no index begins with",
        fix=f"Add CREATE INDEX ON {demand.table} ({column}) to the schema, if the table grows.",
        confidence=Confidence.PROBABLE if heat is not None else Confidence.POSSIBLE,
        trace=(missed.table.created,),
    )
