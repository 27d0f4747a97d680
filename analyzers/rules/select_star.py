"""PS904: more rows or columns fetched than are needed."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.database_schema import table_named
from perfscan.analyzers.facts import Call
from perfscan.analyzers.keeping import bound_to
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.sql import Statement
from perfscan.analyzers.sql_literals import RUNNERS, statements

_WHOLE = frozenset({"fetchall", "fetch_all", "fetch", "all", "execute_fetchall"})
_AT_ONCE = frozenset({"fetch", "fetch_all", "read_sql", "read_sql_query", "execute_fetchall"})
_CATALOGUES = ("information_schema", "pg_", "sqlite_", "sys")
_IN_PARTS = frozenset({"fetchone", "fetchmany", "first", "one", "scalar"})
_LISTS = frozenset({"list", "tuple", "len"})


@rule("PS904", "select-star", Severity.LOW, on=Call, calls=RUNNERS | {"len"})
def select_star(call: Call, where: Where) -> Iterator[Hit]:
    """Report queries that fetch all columns of all rows at once, or rows only to count them.

    What it does:
        Reads the SQL that the code runs. Reports `SELECT *` without LIMIT when the whole result is
        fetched (`fetchall()`, `fetch()`, `read_sql()`), and `len()` of a fetched result. With a
        WHERE clause it is only a remark.

    Why it costs a bot:
        A table of candles or trades grows for as long as the bot runs. Every such query transfers
        and holds all of it, columns that nobody reads included, so memory and latency grow without
        bound.

    Example:
        import sqlite3

        connection = sqlite3.connect("bot.db")

        def history():
            return connection.execute("SELECT * FROM trades").fetchall()

    Use instead:
        import sqlite3

        connection = sqlite3.connect("bot.db")

        def history():
            return connection.execute(
                "SELECT time, price FROM trades ORDER BY time DESC LIMIT 1000"
            ).fetchall()

    When it is fine:
        For small tables: settings, symbols, users of a private bot.
    """
    if call.func == "len":
        yield from _counted(call, where)
        return
    statement = statements(where).get(call.number)
    if statement is None or not _is_unbounded(statement) or not _is_fetched_whole(call, where):
        return
    if statement.filtered and _finds_one(statement, where):
        return
    rows = "the matching rows" if statement.filtered else "all rows"
    yield Hit(
        call.place,
        call.block,
        message=f"SELECT * without LIMIT fetches all columns of {rows} of {statement.table}",
        fix="Name the columns that are used, and read by LIMIT, by a range or in chunks.",
        severity=Severity.INFO if statement.filtered else None,
        confidence=Confidence.PROBABLE,
    )


def _is_unbounded(statement: Statement) -> bool:
    return (
        statement.kind == "select"
        and statement.star
        and bool(statement.table)
        and statement.named
        and not (statement.limited or statement.composed)
        and not statement.table.startswith(_CATALOGUES)
    )


def _finds_one(statement: Statement, where: Where) -> bool:
    """Tell whether the conditions name one row: a key of the table, or what looks like one."""
    table = table_named(statement.table, where)
    equal = set(statement.equal)
    keys = table.keys if table is not None else ()
    return "id" in equal or any(key.unique and equal.issuperset(key.columns) for key in keys)


def _is_fetched_whole(call: Call, where: Where) -> bool:
    """Tell whether the result is taken as one list: at once, by a chain, or from the cursor."""
    if call.func.rpartition(".")[2] in _AT_ONCE:
        return True
    if call.owner >= 0 and where.file.calls[call.owner].func in _LISTS:
        return True
    holders = {f"@{call.number}", *bound_to(call, where)}
    function = where.block(call.block).function
    cursor = call.func.rpartition(".")[0]
    for later in where.file.calls[call.number + 1 :]:
        if where.block(later.block).function != function:
            continue
        receiver, _, verb = later.func.rpartition(".")
        if receiver == cursor and later.args and verb in RUNNERS:
            return False  # the next query of the cursor
        if receiver == cursor or receiver in holders:
            if verb in _WHOLE:
                return True
            if verb in _IN_PARTS:
                return False
    return False


def _counted(call: Call, where: Where) -> Iterator[Hit]:
    fetched = where.call_of(call.args[0]) if call.args else None
    if fetched is None or fetched.func.rpartition(".")[2] not in _WHOLE:
        return
    effect = where.effect(fetched)
    if effect is None or effect.cost != "database":
        return
    yield Hit(
        call.place,
        call.block,
        message=f"len() of {effect.readable}() in {where.name(call.block)} fetches rows"
        " only to count them",
        fix="Let the database count: SELECT COUNT(*), or count() of the query.",
        confidence=where.confidence(fetched),
    )
