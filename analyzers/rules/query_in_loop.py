"""PS901: one query for each item of a loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.model import Severity, TraceStep
from perfscan.analyzers.queries import Helper, Query, Sort, helper, query, row_loop, weight
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.turns import ends_early, varies

_OF_OBJECTS = frozenset({"save", "delete", "delete_instance", "refresh_from_db", "fetch_related"})
"""Methods that models have; everything else is asked of a connection."""

_BEGINNINGS = frozenset({"select", "update", "insert", "delete", "replace"})
"""Methods of a model with which a statement about its table begins."""


@rule("PS901", "query-in-loop", Severity.HIGH, on=Call)
def query_in_loop(call: Call, where: Where) -> Iterator[Hit]:
    """Report queries that a loop sends one by one, one for each of its items.

    What it does:
        Follows cursors, connections, sessions and models of the known drivers and mappers, and
        reports a query in the body of a loop over data when the item goes into it; also when a
        function that the loop calls makes the query. Queries of sqlite3, which has no server, weigh
        low.

    Why it costs a bot:
        Each query is a round trip to the server. A hundred positions are a hundred waits of a
        millisecond or more where one statement would bring or store all rows; the time grows with
        the data, and the connection is taken all along.

    Example:
        import psycopg

        def prices(connection: psycopg.Connection, symbols):
            found = {}
            for symbol in symbols:
                row = connection.execute("SELECT price FROM prices WHERE symbol = %s", (symbol,))
                found[symbol] = row.fetchone()
            return found

    Use instead:
        import psycopg

        def prices(connection: psycopg.Connection, symbols):
            rows = connection.execute(
                "SELECT symbol, price FROM prices WHERE symbol = ANY(%s)", (list(symbols),)
            )
            return dict(rows.fetchall())

    When it is fine:
        Over a handful of items, in batches, in migrations, and where the answer to one query
        decides whether the next one is asked at all.
    """
    if not where.loops(call.block):
        return
    direct = query(call, where)
    found = direct or helper(call, where)
    if found is None or (isinstance(found, Helper) and found.commits is not None):
        return  # PS902 speaks of helpers that commit
    loop = row_loop(call, where)
    if loop is None or _is_meant(call, loop, found.sort, where):
        return
    asks = f"{call.func.rpartition('.')[2]}() {'runs' if direct else 'makes'} a query"
    yield Hit(
        call.place,
        call.block,
        message=f"{asks} for each {_item(call, loop)} of a loop in {where.name(call.block)}",
        fix=_advice(found.sort),
        severity=weight(Severity.HIGH, found, call.block, call, where),
        confidence=found.confidence,
        trace=_way(call, found, where),
    )


def _advice(sort: Sort) -> str:
    if sort == "write":
        return "Collect the rows and send them with one executemany() or multi-row statement."
    return "Ask for all items with one query (IN, ANY or a join) before the loop."


def _way(call: Call, found: Query | Helper, where: Where) -> tuple[TraceStep, ...]:
    if isinstance(found, Query):
        return ()
    return (where.step((where.index, call.number)), where.step(found.site))


def _is_meant(call: Call, loop: Block, sort: Sort, where: Where) -> bool:
    """Tell whether the loop looks for something, waits on purpose, or repairs a failure."""
    if next(where.around(call.block, "except"), None) is not None:
        return True
    if sort == "read" and loop.kind != "comp" and ends_early(loop, where):
        return True
    first = _first(call, where)
    root = first.func.partition(".")[0]
    if root in loop.targets and call.func.rpartition(".")[2] not in _OF_OBJECTS:
        return True  # another database or table in every turn
    begins = first is not call and first.func in {f"{root}.{verb}" for verb in _BEGINNINGS}
    if begins and not varies(call, loop, where, apart_from=root):
        return True  # the item only chooses the table
    return any("sleep" in where.roles(inner) for inner in where.calls_in(loop.number))


def _first(call: Call, where: Where) -> Call:
    """Return the call that a chain begins with: ``Trade.select`` of ``Trade.select().get``."""
    while call.func.startswith("@"):
        call = where.file.calls[int(call.func[1:].partition(".")[0])]
    return call


def _item(call: Call, loop: Block) -> str:
    """Return what the loop calls its item: of several names one that the call mentions."""
    used = [name for name in loop.targets if name in call.names]
    return next(iter((*used, *loop.targets)), "item")
