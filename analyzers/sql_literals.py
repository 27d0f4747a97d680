"""Where SQL text reaches a database: which call runs which statement, put together or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Call
from perfscan.analyzers.literals import Spot, source
from perfscan.analyzers.sql import PART, Statement, looks_like_sql, statement

RUNNERS = frozenset(
    {
        "execute", "executemany", "executescript", "execute_sql", "exec_driver_sql", "execute_many",
        "execute_fetchall", "execute_values", "execute_batch", "executemany_values", "fetch",
        "fetchrow", "fetchval", "fetchall", "fetchone", "fetch_all", "fetch_one", "fetch_val",
        "iterate", "read_sql", "read_sql_query", "query", "raw", "scalar", "scalars", "run",
        "run_query", "execute_query", "cursor",
    }
)  # fmt: skip
"""Methods that take SQL text, whatever the driver; the text itself is the better evidence."""

_WRAPPERS = frozenset({"text", "dedent", "SQL", "cleandoc", "str", "DDL"})
_DIALECTS = {
    "sqlite3": "sqlite",
    "aiosqlite": "sqlite",
    "psycopg": "postgres",
    "psycopg2": "postgres",
    "asyncpg": "postgres",
    "aiopg": "postgres",
    "pymysql": "mysql",
    "aiomysql": "mysql",
    "asyncmy": "mysql",
    "MySQLdb": "mysql",
    "mysql": "mysql",
    "clickhouse_driver": "clickhouse",
    "clickhouse_connect": "clickhouse",
    "duckdb": "duckdb",
}
"""By the module that a file imports."""

_FILLED_IN = re.compile(r"%(\(\w+\))?[srd]")
_DEPTH = 5
_END = 1 << 30


class Script(NamedTuple):
    """SQL text that a call hands to a database."""

    call: int
    text: str
    dialect: str


def statements(where: Where) -> dict[int, Statement]:
    """Return, by call, the statements that a file runs and that can be read."""
    return where.once(_statements)


def _statements(where: Where) -> dict[int, Statement]:
    found: dict[int, Statement] = {}
    for script in scripts(where):
        summary = statement(script.text, script.dialect)
        if summary is not None:
            found.setdefault(script.call, summary)
    return found


def scripts(where: Where) -> tuple[Script, ...]:
    """Return the SQL texts that a file hands to databases, in order."""
    return where.once(_scripts)


def _scripts(where: Where) -> tuple[Script, ...]:
    dialect = dialect_of(where)
    return tuple(
        [
            Script(call.number, text, dialect)
            for call in where.file.calls
            if call.func.rpartition(".")[2] in RUNNERS and (call.args or call.keywords)
            for text in _texts_of_call(call, where)
        ]
    )


def dialect_of(where: Where) -> str:
    """Return the dialect when the file imports drivers of one database only."""
    modules = [entry.module.partition(".")[0] for entry in where.file.imports]
    known = {_DIALECTS[module] for module in modules if module in _DIALECTS}
    return known.pop() if len(known) == 1 else ""


def _texts_of_call(call: Call, where: Where) -> Iterator[str]:
    named = [value for name, value in call.keywords if name in {"sql", "query", "statement"}]
    for value in (*call.args[:2], *named):
        found = [
            text
            for text in texts(Spot(value, where, call.block), call.number)
            if looks_like_sql(text)
        ]
        if found:
            yield from found
            return


def texts(spot: Spot, order: int = _END, depth: int = 0) -> Iterator[str]:
    """Yield what a string may be, ``PART`` in place of what is not known; several for a loop."""
    value, where = spot.value, spot.where
    if depth > _DEPTH:
        return
    call = where.call_of(value)
    if call is not None and call.args and call.func.rpartition(".")[2] in _WRAPPERS:
        yield from texts(Spot(call.args[0], where, call.block), call.number, depth + 1)
    elif value.kind in {"list", "tuple", "conditional"}:
        for item in value.items:
            yield from texts(Spot(item, where, spot.block), order, depth + 1)
    elif value.kind == "element":
        yield from texts(Spot(value.items[0], where, spot.block), order, depth + 1)
    elif value.kind == "ref":
        yield from _named(spot, order, depth)
    else:
        text = _literal(spot, order, depth)
        if text:
            yield text


def _literal(spot: Spot, order: int, depth: int) -> str:
    """Return the text of a constant, f-string or sum, "" when nothing of it is known."""
    value = spot.value
    if value.kind == "const":
        return value.const if isinstance(value.const, str) else ""
    if value.kind == "binary" and value.ref == "Mod":
        return _FILLED_IN.sub(PART, _piece(spot._replace(value=value.items[0]), order, depth))
    if value.kind == "fstring" or (value.kind == "binary" and value.ref == "Add"):
        pieces = [_piece(spot._replace(value=item), order, depth) for item in value.items]
        return "".join(piece or PART for piece in pieces) if any(pieces) else ""
    return ""


def _piece(spot: Spot, order: int, depth: int) -> str:
    return next(texts(spot, order, depth + 1), "")


def _named(spot: Spot, order: int, depth: int) -> Iterator[str]:
    """Yield what a name stands for: what the function put into it so far, else its one binding."""
    local = _bound_here(spot, order)
    if local:
        first = local[0]
        start = Spot(first.value, spot.where, first.block)
        for text in texts(start, first.order, depth + 1):
            yield text + "".join(f" {PART}" for _ in local[1:])
        return
    found = source(spot)
    if found is not None and found.value != spot.value:
        yield from texts(found, _END, depth + 1)


def _bound_here(spot: Spot, order: int) -> list[Assign]:
    """Return the last binding of a local name before ``order``, and what was added to it since."""
    where, name = spot.where, spot.value.ref
    function = where.function(spot.block)
    if function is None or "." in name:
        return []
    table = where.program.names.scopes[where.index].table.get(function.block, {})
    assigns = [where.file.assigns[b.number] for b in table.get(name, ()) if b.kind == "assign"]
    found: list[Assign] = []
    for assign in assigns:
        if assign.order > order:
            continue
        if assign.op in {"=", "for", ":="}:
            found = [assign]
        elif found and assign.op == "Add=":
            found.append(assign)
        else:
            return []
    return found
