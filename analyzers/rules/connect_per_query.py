"""PS903: a database connection for every query."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.keeping import (
    callers,
    fate,
    is_cached,
    is_exceptional,
    remembers,
    used_for_long,
    way_to,
)
from perfscan.analyzers.model import Severity, TraceStep
from perfscan.analyzers.registry import Hit, LibraryCall, rule
from perfscan.analyzers.turns import varies

_ROLES = frozenset({"database_connect", "database_pool"})
_SEVERITIES = {"sqlite3": Severity.LOW, "aiosqlite": Severity.MEDIUM}
"""No server: sqlite3 opens a file; aiosqlite starts a thread for each connection."""

_START_UP = frozenset(
    {"__init__", "__aenter__", "__enter__", "main", "lifespan", "startup", "setup"}
)


@rule("PS903", "connect-per-query", Severity.HIGH, on=LibraryCall)
def connect_per_query(call: Call, where: Where) -> Iterator[Hit]:
    """Report database connections that are opened again for each event, turn or item.

    What it does:
        Finds `connect()` of the known drivers, and engines and pools that are built, in handlers,
        in loops and in functions that those call, when the connection is not kept.

    Why it costs a bot:
        A new connection to a server is a TCP and TLS handshake, a login and a new server process:
        10 to 100 ms, often more than the query that it is opened for. Under load the server runs
        out of connections.

    Example:
        import psycopg2
        from flask import Flask

        app = Flask(__name__)

        @app.route("/prices")
        def prices():
            connection = psycopg2.connect("dbname=market")
            cursor = connection.cursor()
            cursor.execute("SELECT symbol, price FROM prices LIMIT 100")
            return cursor.fetchall()

    Use instead:
        from flask import Flask
        from psycopg2.pool import ThreadedConnectionPool

        app = Flask(__name__)
        pool = ThreadedConnectionPool(2, 10, "dbname=market")

        @app.route("/prices")
        def prices():
            connection = pool.getconn()
            try:
                cursor = connection.cursor()
                cursor.execute("SELECT symbol, price FROM prices LIMIT 100")
                return cursor.fetchall()
            finally:
                pool.putconn(connection)

    When it is fine:
        Once when the program starts, in scripts, after a failure, and for a connection that serves
        a long loop.
    """
    verb = call.func.rpartition(".")[2]
    if not verb.startswith(("connect", "Connect", "create_")) or not where.roles(call) & _ROLES:
        return
    function = where.function(call.block)
    if function is None or where.starting(call) or _guarded(call, where):
        return
    if is_cached(where.function_id(call.block), where) or remembers(call, where):
        return
    found = _repeated(call, where)
    if found is None:
        return
    label, trace = found
    effect = where.effect(call)
    library = effect.library if effect is not None else ""
    pool = "database_pool" in where.roles(call)
    what = "a new connection pool" if pool else "a new connection"
    yield Hit(
        call.place,
        call.block,
        message=f"{function.name}() opens {what} for each run of the {label}",
        fix=_advice(library, pool),
        severity=_SEVERITIES.get(library),
        confidence=where.confidence(call),
        trace=trace,
    )


def _advice(library: str, pool: bool) -> str:
    if pool:
        return "Build it once when the program starts and share it."
    if library in _SEVERITIES:
        return "Open one connection when the program starts and keep it."
    return "Take connections from a pool that is built once when the program starts."


def _guarded(call: Call, where: Where) -> bool:
    """Tell whether it is opened only when there is none yet, or after a failure."""
    return next(where.around(call.block, "if", "except"), None) is not None


def _repeated(call: Call, where: Where) -> tuple[str, tuple[TraceStep, ...]] | None:
    """Return what opens the connection again and again, in words, and the way there."""
    becomes = fate(call, where)
    if becomes == "kept" or (becomes == "local" and _serves_long(call, where)):
        return None
    if becomes == "local":
        return _repeats(call, where)
    for view, caller in callers(where.function_id(call.block), where):
        if fate(caller, view) == "local" and not view.starting(caller):
            found = _repeats(caller, view)
            if found is not None and not _serves_long(caller, view):
                label, steps = found
                opened = where.step((where.index, call.number))
                return label, (*(steps or (view.step((view.index, caller.number)),)), opened)
    return None


def _repeats(call: Call, where: Where) -> tuple[str, tuple[TraceStep, ...]] | None:
    function = where.function(call.block)
    if function is not None and function.name in _START_UP:
        return None
    loops = [loop for loop in where.data_loops(call.block) if loop.kind != "while"]
    if loops and not where.starting(call) and not varies(call, loops[0], where):
        return f"loop at line {loops[0].place[0]}", ()
    heat = where.hot(call.block)
    if heat is not None and not is_exceptional(heat, where):
        return heat.label, way_to(call, where, heat)
    for view, caller in callers(where.function_id(call.block), where):
        around = [loop for loop in view.data_loops(caller.block) if loop.kind != "while"]
        once = view.starting(caller) or _guarded(caller, view)
        if around and not once and not varies(caller, around[0], view):
            label = f"loop at {view.file.path}:{around[0].place[0]}"
            steps = (view.step((view.index, caller.number)), where.step((where.index, call.number)))
            return label, steps
    return None


def _serves_long(call: Call, where: Where) -> bool:
    """Tell whether the connection is used by work without an end, not by one turn of it."""
    for block in where.file.blocks[call.block :]:
        if block.kind == "with" and block.value and block.value.ref == f"@{call.number}":
            return used_for_long(block.number, where)
    endless = where.hot_regions.loops
    around = [b.number for b in where.loops(call.block) if (where.index, b.number) in endless]
    if around:
        return any((where.index, block) in endless for block in where.below(around[0]) - {*around})
    return used_for_long(call.block, where)
