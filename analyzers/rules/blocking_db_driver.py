"""PS105: a synchronous database driver on the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import EffectCall, Hit, rule


@rule("PS105", "blocking-db-driver", Severity.HIGH, on=EffectCall)
def blocking_db_driver(call: Call, where: Where) -> Iterator[Hit]:
    """Report a synchronous database call that runs on the event loop.

    What it does:
        Follows connections, cursors and sessions of synchronous drivers (sqlite3, psycopg2,
        pymysql, pymongo, redis, SQLAlchemy) and reports the calls that wait for the database in
        coroutines.

    Why it costs a bot:
        A query waits for the server or the disk, and a commit for the disk's cache to be written;
        all that time no message is received and no other coroutine runs.

    Example:
        import sqlite3

        connection = sqlite3.connect("bot.db")

        async def save(row):
            connection.execute("INSERT INTO trades VALUES (?)", row)

    Use instead:
        import aiosqlite

        async def save(connection: aiosqlite.Connection, row):
            await connection.execute("INSERT INTO trades VALUES (?)", row)

    When it is fine:
        In a worker thread, inside `AsyncSession.run_sync`, and once while the bot starts.
    """
    effect = where.effect(call)
    if effect is None or effect.is_async or effect.cost != "database":
        return
    if not where.on_loop(call.block):
        return
    instead = f"Use {effect.replacement}" if effect.replacement else "Use an asynchronous driver"
    yield Hit(
        call.place,
        call.block,
        message=f"{effect.readable}() blocks the event loop in {where.name(call.block)}",
        fix=f"{instead}; as a stopgap, await asyncio.to_thread(...) around the work.",
        severity=where.weight(call, Severity.HIGH),
        confidence=where.confidence(call),
    )
