"""PS902: a transaction committed for every row."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.model import Severity
from perfscan.analyzers.queries import (
    Query,
    helper,
    is_batch,
    is_commit,
    is_over_rows,
    is_write,
    query,
    row_loop,
    weight,
)
from perfscan.analyzers.registry import Hit, rule

_WAITS = frozenset({"network", "sleep", "subprocess"})


@rule("PS902", "commit-per-row", Severity.HIGH, on=Call, fixable="unsafe")
def commit_per_row(call: Call, where: Where) -> Iterator[Hit]:
    """Report loops over rows that commit after each of them.

    What it does:
        Finds `commit()` in the body of a loop over data that also writes a row in each turn, and
        loops that call a function which writes one row and commits it.

    Why it costs a bot:
        A commit returns when the data has reached the disk (or the replicas): milliseconds each,
        however small the row. A thousand rows in one transaction cost one such wait instead of a
        thousand.

    Example:
        import sqlite3

        def save(connection: sqlite3.Connection, trades):
            for trade in trades:
                connection.execute("INSERT INTO trades VALUES (?, ?)", trade)
                connection.commit()

    Use instead:
        import sqlite3

        def save(connection: sqlite3.Connection, trades):
            connection.executemany("INSERT INTO trades VALUES (?, ?)", trades)
            connection.commit()

    When it is fine:
        After every so many rows, for batches, and when a turn waits for the network: a transaction
        must not stay open that long.
    """
    if not where.loops(call.block):
        return
    if is_commit(call, where):
        yield from _direct(call, where)
    else:
        yield from _through_helper(call, where)


def _direct(call: Call, where: Where) -> Iterator[Hit]:
    loop = next(iter(where.data_loops(call.block)), None)
    if loop is None or not _goes_over_rows(loop, where) or _is_conditional(call, loop, where):
        return
    inside = where.calls_in(loop.number)
    if any(is_batch(other) for other in inside) or _waits(inside, where):
        return
    writes = [other for other in inside if is_write(other, where)]
    own = [other for other in writes if _loop_of(other, where) == loop]
    if not own or len(own) < len(writes):
        return  # an inner loop writes the rows: this one goes over batches
    found = next((asked for other in own if (asked := query(other, where))), None)
    effect = where.effect(call)
    embedded = effect is not None and effect.library in {"sqlite3", "aiosqlite"}
    asked = found or Query(call, "write", where.confidence(call), embedded)
    severity = weight(Severity.HIGH, asked._replace(embedded=False), call.block, call, where)
    yield Hit(
        call.place,
        call.block,
        message=f"{where.name(call.block)} commits after each row of the loop"
        f" at line {loop.place[0]}",
        fix="Commit once, after the loop, or after every few hundred rows.",
        severity=severity,
        confidence=where.confidence(call),
    )


def _through_helper(call: Call, where: Where) -> Iterator[Hit]:
    found = helper(call, where)
    if found is None or found.commits is None or found.sort != "write":
        return
    loop = row_loop(call, where)
    if loop is None or _is_conditional(call, loop, where):
        return
    others = [other for other in where.calls_in(loop.number) if other.number != call.number]
    if _waits(others, where):
        return
    name = call.func.rpartition(".")[2]
    yield Hit(
        call.place,
        call.block,
        message=f"{name}() writes one row and commits it, for each item of the loop"
        f" at line {loop.place[0]}",
        fix=f"Give {name}() all rows: one executemany(), then one commit.",
        severity=weight(Severity.HIGH, found._replace(embedded=False), call.block, call, where),
        confidence=found.confidence,
        trace=(where.step((where.index, call.number)), where.step(found.commits)),
    )


def _goes_over_rows(loop: Block, where: Where) -> bool:
    endless = (where.index, loop.number) in where.hot_regions.loops
    return loop.kind == "for" and not endless and is_over_rows(loop, where)


def _is_conditional(call: Call, loop: Block, where: Where) -> bool:
    """Tell whether the loop commits now and then only, or to save what a failure left."""
    for block in where.around(call.block):
        if block.number == loop.number:
            return False
        if block.kind in {"if", "else", "except", "finally", "case"}:
            return True
    return False


def _waits(calls: list[Call], where: Where) -> bool:
    """Tell whether a turn waits for something slower than the database."""
    for call in calls:
        effect = where.effect(call)
        if effect is not None and effect.cost in _WAITS:
            return True
        for target in where.targets(call):
            below = where.program.blocking.get(target)
            if target in where.program.awaited_io or (below and below.effect.cost in _WAITS):
                return True
    return False


def _loop_of(call: Call, where: Where) -> Block | None:
    return next(iter(where.loops(call.block)), None)
