"""PS907: queries by several columns without an index over them."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.index_demands import Demand, begins_one, unmet
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.sql_literals import RUNNERS


@rule("PS907", "missing-composite-index", Severity.MEDIUM, on=Call, calls=RUNNERS)
def missing_composite_index(call: Call, where: Where) -> Iterator[Hit]:
    """Report tables whose schema lacks the composite index that the repository's queries ask for.

    What it does:
        Compares the WHERE and ORDER BY of the SQL that the code runs with the tables and indexes
        that the repository itself declares. Reports a table that is searched by several columns
        when no index begins with any of them, at the first query that asks like this; low where
        nothing runs the query again and again. When an index begins with one of the columns, it is
        only a possible finding.

    Why it costs a bot:
        Candles and trades are asked for by symbol, time frame and time. Without an index over
        these columns the database reads and sorts the whole table each time, which takes longer
        with every row that the bot adds.

    Example:
        import psycopg

        SCHEMA = "CREATE TABLE candles (symbol TEXT, timeframe TEXT, time TIMESTAMPTZ, close REAL)"

        def candles(connection: psycopg.Connection, symbol, timeframe):
            return connection.execute(
                "SELECT close FROM candles WHERE symbol = %s AND timeframe = %s ORDER BY time",
                (symbol, timeframe),
            ).fetchall()

    Use instead:
        import psycopg

        SCHEMA = '''
        CREATE TABLE candles (symbol TEXT, timeframe TEXT, time TIMESTAMPTZ, close REAL);
        CREATE INDEX candles_by_time ON candles (symbol, timeframe, time);
        '''

        def candles(connection: psycopg.Connection, symbol, timeframe):
            return connection.execute(
                "SELECT close FROM candles WHERE symbol = %s AND timeframe = %s ORDER BY time",
                (symbol, timeframe),
            ).fetchall()

    When it is fine:
        For tables that stay small.
    """
    missed = unmet(call, where)
    if missed is None or len(missed.demand.columns) < 2:
        return
    demand, heat = missed.demand, where.hot(call.block)
    also = f" ({missed.times} queries do)" if missed.times > 1 else ""
    columns = ", ".join(demand.columns)
    assert missed.table.created is not None
    yield Hit(
        call.place,
        call.block,
        message=f"table {demand.table} is searched by {_spoken(demand)}{also}, without an index"
        " over these columns",
        fix=f"Add CREATE INDEX ON {demand.table} ({columns}) to the schema.",
        severity=None if heat is not None else Severity.LOW,
        confidence=(
            Confidence.POSSIBLE if begins_one(demand, missed.table) else Confidence.PROBABLE
        ),
        trace=(missed.table.created,),
    )


def _spoken(demand: Demand) -> str:
    words = " and ".join(demand.equal)
    return f"{words}, then {demand.then[0]}" if demand.then else words
