"""Database round trips: which calls make one, which loops repeat it, which helpers hide it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from perfscan.analyzers.amounts import amount, is_handful, is_part
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Function, Value
from perfscan.analyzers.keeping import is_cached, remembers
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.project import FunctionId, SiteId
from perfscan.analyzers.sql_literals import RUNNERS, statements
from perfscan.analyzers.survey import survey
from perfscan.analyzers.turns import varies

Sort = Literal["read", "write"]

_READS = frozenset(
    {
        "fetch", "fetchrow", "fetchval", "fetch_one", "fetch_all", "fetch_val", "scalar", "scalars",
        "one", "one_or_none", "first", "last", "all", "count", "exists", "get", "get_or_none",
        "get_by_id", "refresh", "refresh_from_db", "find_one", "aggregate", "count_documents",
        "distinct", "query", "fetch_related",
    }
)  # fmt: skip
_WRITES = frozenset(
    {
        "insert_one", "update_one", "replace_one", "delete_one", "find_one_and_update", "save",
        "create", "delete", "update", "merge", "get_or_create", "update_or_create",
        "delete_instance", "delete_by_id",
    }
)  # fmt: skip
_EITHER = frozenset({"execute", "execute_sql", "exec_driver_sql"})
_QUERIES = _READS | _WRITES | _EITHER | RUNNERS
_BATCHES = frozenset({"executemany", "execute_many", "execute_values", "execute_batch"})
_EMBEDDED = frozenset({"sqlite3", "aiosqlite"})
_OTHER_ADVICE = frozenset({"redis", "elasticsearch", "influxdb-client", "clickhouse"})
"""Stores with batches of another kind than a statement for many rows."""

_CURSORS = frozenset({"execute", "fetch", "fetchrow", "fetchval", "fetch_one", "fetch_all"})
_SHORT = 12
"""Statements of a function that only hands on; a longer one decides first."""

_IN_PARTS = re.compile(r"chunk|batch|page|slice|offset|bulk", re.IGNORECASE)
_STRUCTURE = re.compile(
    r"(^|_)(table|tbl|column|col|index|schema|partition|constraint|sequence|collection)(_?names?)?$",
    re.IGNORECASE,
)
"""Parts of a database: no statement goes over several of them, and there are few."""

_MIGRATION = re.compile(r"(^|/)(migrations?|alembic|versions|db_migration)/")
_BRANCHES = ("if", "else", "except", "case", *("for", "while", "comp"))


class Query(NamedTuple):
    """A call that waits for one answer of a database."""

    call: Call
    sort: Sort
    confidence: Confidence
    embedded: bool
    """No server answers, only the library and its file."""


class Helper(NamedTuple):
    """A function that makes one round trip with what it is given, whenever it is called."""

    site: SiteId
    sort: Sort
    confidence: Confidence
    embedded: bool
    commits: SiteId | None
    """Its own commit."""


def query(call: Call, where: Where) -> Query | None:
    """Return what round trip the call makes, None when it makes none."""
    last = call.func.rpartition(".")[2]
    if last not in _QUERIES:
        return None
    effect = where.effect(call)
    known = effect is not None and effect.cost == "database"
    statement = statements(where).get(call.number) if last in RUNNERS else None
    if statement is not None:
        if statement.kind in {"definition", "other"} or not statement.named:
            return None
        sort: Sort = "read" if statement.kind == "select" else "write"
    elif not known or last not in _READS | _WRITES | _EITHER:
        return None
    else:
        sort = "write" if last in _WRITES else "read"
    if effect is None:
        sure = where.site(call).things == () and last in _CURSORS
        return Query(call, sort, Confidence.PROBABLE, _is_embedded(where)) if sure else None
    if not known or effect.library in _OTHER_ADVICE:
        return None
    embedded = effect.library in _EMBEDDED
    return Query(call, sort, where.confidence(call), embedded)


def _is_embedded(where: Where) -> bool:
    """Tell whether the file imports a driver of an embedded database and no other."""
    modules = {entry.module.partition(".")[0] for entry in where.file.imports}
    return bool(modules & _EMBEDDED) and not modules & {"psycopg", "psycopg2", "asyncpg", "pymysql"}


def is_write(call: Call, where: Where) -> bool:
    """Tell whether a call changes rows, or adds an object to a session."""
    last = call.func.rpartition(".")[2]
    if last in {"add", "add_all"}:
        return any("sqlalchemy" in path.lower() for path in where.paths(call))
    found = query(call, where)
    return found is not None and (found.sort == "write" or call.number not in statements(where))


def is_batch(call: Call) -> bool:
    """Tell whether a call sends many rows at once."""
    return call.func.rpartition(".")[2] in _BATCHES


# Loops over rows.


def row_loop(call: Call, where: Where) -> Block | None:
    """Return the loop over data whose item goes into the call; parts of fixed size are no items."""
    for loop in where.data_loops(call.block):
        if loop.kind == "while" or (where.index, loop.number) in where.hot_regions.loops:
            return None
        if varies(call, loop, where):
            return loop if is_over_rows(loop, where) else None
    return None


def is_over_rows(loop: Block, where: Where) -> bool:
    """Tell whether a loop goes over many single items."""
    if loop.value is None or loop.is_async or is_handful(loop, where):
        return False
    made = where.call_of(loop.value)
    if made is not None and made.func == "range" and len(made.args) == 3:
        return False
    words = " ".join((*loop.targets, loop.value.ref, made.func if made else ""))
    if _IN_PARTS.search(words) or is_part(loop.value, loop.parent, where):
        return False
    if any(_STRUCTURE.search(name) for name in loop.targets):
        return False
    return amount(loop.value, loop.parent, where) != "few"


def weight(
    usual: Severity, found: Query | Helper, block: int, call: Call, where: Where
) -> Severity:
    """Return what a repeated round trip costs: little without a server, nothing in migrations.

    At most medium where the bot's loops do not come, and over a query with a limit.
    """
    if _MIGRATION.search(where.file.path):
        return Severity.INFO
    if found.embedded:
        return Severity.LOW
    if where.starting(call) or where.is_cold(block) or _is_limited(block, where):
        return min(usual, Severity.MEDIUM)
    return usual


def _is_limited(block: int, where: Where) -> bool:
    """Tell whether a loop around goes over a query with a written limit: ``.limit(200)``."""
    for loop in where.loops(block):
        made = where.call_of(loop.value)
        while made is not None:
            receiver, _, method = made.func.rpartition(".")
            if method == "limit" and made.args and isinstance(made.args[0].const, int):
                return True
            made = where.call_of(Value("ref", receiver))
    return False


# Helpers.


def helper(call: Call, where: Where) -> Helper | None:
    """Return the one query that the scanned function behind a call makes each time.

    A function that only hands on what it is given to such a function counts as well.
    """
    if not call.args and not call.keywords:
        return None
    table = _helpers(where)
    for target in where.targets(call):
        found = table.get(target) or _one_further(target, where, table)
        if found is not None:
            return found
    return None


def _one_further(
    target: FunctionId, where: Where, table: Mapping[FunctionId, Helper]
) -> Helper | None:
    function = where.program.function(target)
    if function is None or function.statements > _SHORT or is_cached(target, where):
        return None
    view = where.sibling(target[0])
    for site in where.program.sites_of(target):
        for inner in site.targets:
            found = table.get(inner)
            if found is not None and _is_plain(site.call, view):
                return found if _given(site.call, function, view) else None
    return None


def _together(parts: Sequence[Mapping[FunctionId, Helper]]) -> dict[FunctionId, Helper]:
    return {function: found for part in parts for function, found in part.items()}


@survey(_together)
def _helpers(where: Where) -> dict[FunctionId, Helper]:
    """Return the functions of one file that always make a query with what they are given."""
    found: dict[FunctionId, Helper] = {}
    for call in where.file.calls:
        if call.func.rpartition(".")[2] not in _QUERIES:
            continue
        function = where.function(call.block)
        if function is None or (where.index, function.number) in found:
            continue
        asked = query(call, where) if _is_plain(call, where) else None
        if asked is None or not _given(call, function, where):
            continue
        identity = (where.index, function.number)
        if not is_cached(identity, where) and not remembers(call, where):
            at = (where.index, call.number)
            commit = commit_in(function, where)
            own = (where.index, commit.number) if commit is not None else None
            found[identity] = Helper(at, asked.sort, asked.confidence, asked.embedded, own)
    return found


def _is_plain(call: Call, where: Where) -> bool:
    """Tell whether a call runs once whenever its function does."""
    return next(where.around(call.block, *_BRANCHES), None) is None


def _given(call: Call, function: Function, where: Where) -> bool:
    """Tell whether something that the function is given goes into the call."""
    own = {param.name for param in function.params} - {"self", "cls"}
    used, before = set(call.names), -1
    assigns = [a for a in where.file.assigns if where.block(a.block).function == function.number]
    while len(used) > before:
        before = len(used)
        for assign in assigns:
            if assign.target in used and assign.order <= call.number:
                used.update(assign.value.names)
    if _IN_PARTS.search(" ".join(own & used)):
        return False
    return bool(own & used)


def commit_in(function: Function, where: Where) -> Call | None:
    """Return the commit that the function makes each time."""
    return where.once(_plain_commits).get(function.number)


def _plain_commits(where: Where) -> dict[int, Call]:
    found: dict[int, Call] = {}
    for call in where.file.calls:
        if is_commit(call, where) and _is_plain(call, where):
            found.setdefault(where.block(call.block).function, call)
    return found


def is_commit(call: Call, where: Where) -> bool:
    """Tell whether a call commits a transaction."""
    if not call.func.endswith(".commit"):
        return False
    effect = where.effect(call)
    return effect is not None and effect.cost == "database"
