"""PS906: one database connection, or none kept, behind handlers that run side by side."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.keeping import bound_to
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, LibraryCall, rule
from perfscan.analyzers.survey import survey

_POOLS = {
    "psycopg2": "psycopg2.pool.ThreadedConnectionPool",
    "psycopg": "psycopg_pool.ConnectionPool or AsyncConnectionPool",
    "asyncpg": "asyncpg.create_pool()",
    "aiomysql": "aiomysql.create_pool()",
    "pymysql": "sqlalchemy.create_engine() with a pool",
    "mysql-connector-python": "mysql.connector.pooling.MySQLConnectionPool",
    "mysqlclient": "sqlalchemy.create_engine() with a pool",
}
"""By driver. Embedded databases need none."""

_USES = frozenset({"cursor", "execute", "fetch", "fetchrow", "fetchval", "executemany", "commit"})


@rule("PS906", "needs-pool", Severity.MEDIUM, on=LibraryCall)
def needs_pool(call: Call, where: Where) -> Iterator[Hit]:
    """Report servers whose handlers share one database connection, or an engine without a pool.

    What it does:
        Finds a connection of a network driver that is kept in a module or an object and used by
        handlers that run side by side (routes, messages), and `create_engine(...,
        poolclass=NullPool)` in a program with handlers.

    Why it costs a bot:
        A connection does one query at a time, so requests that could run side by side queue up
        behind it (asyncpg raises instead). An engine without a pool connects and logs in for each
        request.

    Example:
        import psycopg2
        from flask import Flask

        app = Flask(__name__)
        connection = psycopg2.connect("dbname=market")

        @app.route("/prices")
        def prices():
            cursor = connection.cursor()
            cursor.execute("SELECT symbol, price FROM prices LIMIT 100")
            return cursor.fetchall()

    Use instead:
        from flask import Flask
        from sqlalchemy import create_engine, text

        app = Flask(__name__)
        engine = create_engine("postgresql://market", pool_size=10, max_overflow=20)

        @app.route("/prices")
        def prices():
            with engine.connect() as connection:
                query = text("SELECT symbol, price FROM prices LIMIT 100")
                return connection.execute(query).all()

    When it is fine:
        In a bot that handles one thing after another, and behind an external pooler such as
        PgBouncer.
    """
    roles = where.roles(call) if call.func.endswith(("onnect", "engine")) else frozenset()
    if "database_pool" in roles:
        yield from _without_pool(call, where)
    elif "database_connect" in roles:
        yield from _shared(call, where)


def _without_pool(call: Call, where: Where) -> Iterator[Hit]:
    pool = dict(call.keywords).get("poolclass")
    if pool is None or pool.ref.rpartition(".")[2] != "NullPool" or not _has_handlers(where):
        return
    if next(where.around(call.block, "if", "else"), None) is not None:
        return  # somebody can choose
    yield Hit(
        call.place,
        call.block,
        message="NullPool makes this engine open a connection for each use,"
        " in a program whose handlers query it again and again",
        fix="Leave out poolclass, and set pool_size and max_overflow to what the handlers need.",
        confidence=where.confidence(call),
    )


def _shared(call: Call, where: Where) -> Iterator[Hit]:
    effect = where.effect(call)
    pool = _POOLS.get(effect.library) if effect is not None else None
    if effect is None or pool is None:
        return
    function = where.function(call.block)
    kept = [
        target
        for target in bound_to(call, where)
        if function is None or "." in target or target in function.shared
    ]
    user = next((use for target in kept for use in _uses(target, call, where)), None)
    if user is None:
        return
    used, heat = user
    name = used.func.rpartition(".")[0]
    yield Hit(
        call.place,
        call.block,
        message=f"{name} is one connection for all runs of the {heat.label}, which wait for it"
        " one after another",
        fix=f"Build a pool once ({pool}) and take a connection from it in each run.",
        confidence=where.confidence(call),
        trace=(where.step((where.index, used.number)),),
    )


def _uses(target: str, call: Call, where: Where) -> Iterator[tuple[Call, Heat]]:
    """Yield the uses of a kept connection in handlers that may run side by side."""
    owner = where.class_of(call.block)
    for use in where.file.calls:
        receiver, _, verb = use.func.rpartition(".")
        if receiver != target or verb not in _USES or where.class_of(use.block) != owner:
            continue
        heat = where.hot(use.block)
        if heat is not None and heat.kind == "handler" and _side_by_side(use, where):
            yield use, heat


def _side_by_side(use: Call, where: Where) -> bool:
    """Tell whether threads run the code, or a coroutine that lets others run while it waits."""
    return use.awaited or where.in_thread(use.block)


@survey(any)
def _has_handlers(where: Where) -> bool:
    """Tell whether anything in a file is registered to be run for each request or message."""
    return any(
        (heat := where.hot(function.block)) is not None and heat.kind == "handler"
        for function in where.file.functions
    )
