"""Which indexes the statements of a repository would use, and which of them it declares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.database_schema import Table, table_named
from perfscan.analyzers.facts import Call
from perfscan.analyzers.sql import Statement
from perfscan.analyzers.sql_literals import statements
from perfscan.analyzers.survey import survey

_FILES = frozenset({"select", "update", "delete"})


class Demand(NamedTuple):
    """How a statement finds its rows: all of ``equal``, then a range or an order."""

    table: str
    equal: tuple[str, ...]
    then: tuple[str, ...]
    """The columns of ranges, else those of ORDER BY."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the index that serves it best."""
        return (*self.equal, *self.then)


class Demanded(NamedTuple):
    """A demand that the schema does not meet, told at the first statement that has it."""

    demand: Demand
    table: Table
    times: int


def unmet(call: Call, where: Where) -> Demanded | None:
    """Return what a statement misses when it is the first of the program to miss it."""
    statement = statements(where).get(call.number)
    wanted = _demand(statement) if statement is not None else None
    if wanted is None:
        return None
    table = table_named(wanted.table, where)
    if table is None or table.created is None or not table.columns.issuperset(wanted.columns):
        return None
    first, times = _demands(where).get(wanted, (None, 0))
    if first != (where.index, call.number) or is_met(wanted, table):
        return None
    return Demanded(wanted, table, times)


def _demand(statement: Statement) -> Demand | None:
    if statement.kind not in _FILES or not statement.table or statement.composed:
        return None
    order = statement.order[:1] if statement.equal or statement.limited else ()
    then = statement.ranges[:1] or tuple(c for c in order if c not in statement.equal)
    if not statement.equal and not then:
        return None
    return Demand(statement.table, tuple(sorted(statement.equal)), then)


def is_met(demand: Demand, table: Table) -> bool:
    """Tell whether a key finds the rows: unique within ``equal``, or beginning as it asks."""
    equal = set(demand.equal)
    if any(key.unique and equal.issuperset(key.columns) for key in table.keys):
        return True
    if not equal:
        return table.has_index(demand.then)
    return table.has_index(equal) or (len(equal) > 1 and _narrows(demand, table))


def _narrows(demand: Demand, table: Table) -> bool:
    """Tell whether an index uses two of the columns, which leaves few rows to look at."""
    wanted = set(demand.columns)
    return any(len(key.columns) > 1 and wanted.issuperset(key.columns[:2]) for key in table.keys)


def begins_one(demand: Demand, table: Table) -> bool:
    """Tell whether an index begins with one of the columns, so that not all rows are read."""
    return any(key.columns[0] in demand.columns for key in table.keys)


def _together(
    parts: Sequence[Iterable[tuple[Demand, tuple[int, int]]]],
) -> dict[Demand, tuple[tuple[int, int], int]]:
    found: dict[Demand, tuple[tuple[int, int], int]] = {}
    for part in parts:
        for demand, site in part:
            first, times = found.get(demand, (site, 0))
            found[demand] = (first, times + 1)
    return found


@survey(_together)
def _demands(where: Where) -> tuple[tuple[Demand, tuple[int, int]], ...]:
    """Return what the statements of one file ask for."""
    return tuple(
        [
            (wanted, (where.index, number))
            for number, statement in sorted(statements(where).items())
            if (wanted := _demand(statement)) is not None
        ]
    )
