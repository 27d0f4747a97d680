"""SQL text in, facts about each statement out; what cannot be parsed says nothing."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal, NamedTuple

PART = "perfscan_part"
"""Stands in SQL text for what is filled in at run time."""

Tree = Any
"""A syntax tree of sqlglot, which gave its base class another name on the way to version 30."""

Kind = Literal["select", "insert", "update", "delete", "definition", "other"]

_BEGINS = re.compile(
    r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*|\(\s*)*(?:select|insert|replace|update|delete|with|create|alter"
    r"|drop|pragma|truncate)\s",
    re.IGNORECASE | re.DOTALL,
)
_DEFINES = re.compile(r"\bcreate\s+(\w+\s+){0,2}(table|index)\b|\balter\s+table\b", re.IGNORECASE)
_PARAMETER = re.compile(r"%\(\w+\)s|%s")
_LINE_COMMENT = re.compile(r"--[^\n]*")
_LONGEST = 50_000
"""Longer texts are dumps, not statements that somebody wrote."""


class Statement(NamedTuple):
    """One statement in summary; names are in lower case."""

    kind: Kind
    table: str
    """The only table that is read or written, without its schema; "" when there are several."""
    star: bool = False
    """Every column is selected."""
    limited: bool = False
    """At most so many rows, or one row by aggregation."""
    composed: bool = False
    """Some clause is put together at run time, so what is missing here may stand there."""
    filtered: bool = False
    equal: tuple[str, ...] = ()
    """Columns that must equal a value; only where all conditions hold together."""
    ranges: tuple[str, ...] = ()
    """Columns compared by ``<``, ``>`` and BETWEEN."""
    order: tuple[str, ...] = ()
    """Plain columns of ORDER BY."""
    named: bool = True
    """The tables are written down; false when their names are filled in at run time."""


class Keys(NamedTuple):
    """A column list that an index, a key or a unique constraint covers, in order."""

    table: str
    columns: tuple[str, ...]
    unique: bool


class Definition(NamedTuple):
    """What DDL says of one table."""

    table: str
    creates: bool
    """A CREATE TABLE, so that all columns of the table are known."""
    columns: tuple[str, ...]
    keys: tuple[Keys, ...]
    line: int
    """Within the text, from 0."""


def looks_like_sql(text: str) -> bool:
    """Tell whether a text begins as a statement does."""
    return len(text) <= _LONGEST and _BEGINS.match(text) is not None


def defines(text: str) -> bool:
    """Tell whether a text creates tables or indexes, so that ``definitions`` is worth asking."""
    return _DEFINES.search(text) is not None


@lru_cache(maxsize=4096)
def statement(text: str, dialect: str = "") -> Statement | None:
    """Return the summary of the single statement in ``text``, None when it cannot be parsed."""
    if not looks_like_sql(text):
        return None
    tree = _parse(text, dialect)
    return _summary(tree) if tree is not None else None


def definitions(text: str, dialect: str = "") -> Iterator[Definition]:
    """Yield what each CREATE TABLE, CREATE INDEX and ALTER TABLE of a script says."""
    line = 0
    for piece in _LINE_COMMENT.sub("", text).split(";"):
        start = line + piece[: len(piece) - len(piece.lstrip())].count("\n")
        line += piece.count("\n")
        if len(piece) > _LONGEST or not defines(piece):
            continue
        tree = _parse(piece, dialect)
        found = _definition(tree, start) if tree is not None else None
        if found is not None:
            yield found


def _parse(text: str, dialect: str) -> Tree | None:
    """Return the syntax tree, in the dialect of the driver or else in the common one."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    # It warns of every statement that it only half understands; those are none of our business.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    normal = _PARAMETER.sub("?", text).replace("%%", "%").strip().rstrip(";")
    for read in dict.fromkeys((dialect, "")):
        try:
            trees = [tree for tree in sqlglot.parse(normal, read=read) if tree is not None]
        # The last five escape from its tokenizer and its dialects on malformed text.
        except (SqlglotError, LookupError, ValueError, TypeError, AttributeError, RecursionError):
            continue
        return trees[0] if len(trees) == 1 else None
    return None


def _summary(tree: Tree) -> Statement:
    from sqlglot import exp

    kinds: tuple[tuple[type[Tree], Kind], ...] = (
        (exp.Select, "select"), (exp.SetOperation, "select"), (exp.Insert, "insert"),
        (exp.Update, "update"), (exp.Delete, "delete"),
    )  # fmt: skip
    schema = (exp.Create, exp.Alter, exp.Drop, exp.Pragma, exp.TruncateTable)
    usual: Kind = "definition" if isinstance(tree, schema) else "other"
    kind = next((kind for form, kind in kinds if isinstance(tree, form)), usual)
    tables = list(dict.fromkeys(_table_name(table) for table in tree.find_all(exp.Table)))
    where = tree.args.get("where")
    nested = tree.find(exp.Join, exp.Subquery, exp.CTE, exp.SetOperation) is not None
    single = len(tables) == 1 and not nested
    equal, ranges = _conditions(where.this) if single and where else ((), ())
    return Statement(
        kind,
        tables[0] if single else "",
        star=isinstance(tree, exp.Select) and any(_is_star(item) for item in tree.expressions),
        limited=_is_limited(tree),
        composed=any(_is_clause(column) for column in tree.find_all(exp.Column))
        or any(PART in table.alias for table in tree.find_all(exp.Table)),
        filtered=where is not None,
        equal=equal,
        ranges=ranges,
        order=_order(tree) if single else (),
        named=bool(tables) and not any(PART in table for table in tables),
    )


def _table_name(table: Tree) -> str:
    return str(table.name).lower()


def _is_star(item: Tree) -> bool:
    from sqlglot import exp

    return isinstance(item, exp.Star) or (
        isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
    )


def _is_limited(tree: Tree) -> bool:
    from sqlglot import exp

    if tree.args.get("limit") or tree.args.get("fetch"):
        return True
    grouped = tree.args.get("group") is not None
    selected = tree.expressions if isinstance(tree, exp.Select) else []
    return bool(selected) and not grouped and all(item.find(exp.AggFunc) for item in selected)


def _is_clause(column: Tree) -> bool:
    """Tell whether a part that is filled in may be more than the value of a comparison."""
    from sqlglot import exp

    if PART not in column.name:
        return False
    values = (exp.Predicate, exp.Limit, exp.Offset, exp.Tuple, exp.Values, exp.Literal)
    parent = column.parent
    if isinstance(parent, exp.Predicate) and parent.this is column:
        return True
    return not isinstance(parent, values)


def _conditions(where: Tree) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns of equalities and of ranges, nothing when an OR stands between them."""
    from sqlglot import exp

    equal: dict[str, None] = {}
    ranges: dict[str, None] = {}
    parts = [where]
    while parts:
        condition = parts.pop().unnest()
        if isinstance(condition, exp.Or):
            return (), ()
        if isinstance(condition, exp.And):
            parts += [condition.expression, condition.this]
        column = _compared_column(condition)
        if not column:
            continue
        if isinstance(condition, exp.EQ | exp.In):
            equal[column] = None
        elif isinstance(condition, exp.GT | exp.GTE | exp.LT | exp.LTE | exp.Between):
            ranges[column] = None
    return tuple(equal), tuple(column for column in ranges if column not in equal)


def _compared_column(condition: Tree) -> str:
    """Return the column that a condition compares with something else than a column."""
    from sqlglot import exp

    left, right = condition.args.get("this"), condition.args.get("expression")
    for one, other in ((left, right), (right, left)):
        if isinstance(one, exp.Column) and PART not in one.name:
            joined = isinstance(other, exp.Column) and PART not in other.name
            return "" if joined else one.name.lower()
    return ""


def _order(tree: Tree) -> tuple[str, ...]:
    from sqlglot import exp

    order = tree.args.get("order")
    if order is None:
        return ()
    columns = [item.this for item in order.expressions]
    plain = all(isinstance(item, exp.Column) and PART not in item.name for item in columns)
    return tuple(item.name.lower() for item in columns) if plain else ()


def _definition(tree: Tree, line: int) -> Definition | None:
    from sqlglot import exp

    table = tree.find(exp.Table)
    name = _table_name(table) if table is not None else ""
    if not name or PART in name:
        return None
    if isinstance(tree, exp.Create) and isinstance(tree.this, exp.Index):
        keys = [Keys(name, _indexed(tree.this), bool(tree.args.get("unique")))]
        return Definition(name, False, (), tuple(key for key in keys if key.columns), line)
    if isinstance(tree, exp.Create) and tree.args.get("kind") == "TABLE":
        columns = [column.name.lower() for column in tree.find_all(exp.ColumnDef)]
        whole = bool(columns) and not any(PART in column for column in columns)
        return Definition(name, whole, tuple(columns), tuple(_keys(tree, name)), line)
    if isinstance(tree, exp.Alter):
        return Definition(name, False, (), tuple(_keys(tree, name)), line)
    return None


def _keys(tree: Tree, table: str) -> Iterator[Keys]:
    """Yield the keys that columns and constraints of a table declare."""
    from sqlglot import exp

    for column in tree.find_all(exp.ColumnDef):
        for constraint in column.find_all(
            exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint
        ):
            if constraint.this is None:
                yield Keys(table, (column.name.lower(),), True)
    for key in tree.find_all(exp.PrimaryKey, exp.UniqueColumnConstraint, exp.IndexColumnConstraint):
        inner = key.this if isinstance(key, exp.UniqueColumnConstraint) else key
        columns = _names(inner.expressions) if inner is not None else ()
        if columns:
            yield Keys(table, columns, not isinstance(key, exp.IndexColumnConstraint))


def _indexed(index: Tree) -> tuple[str, ...]:
    """Return the leading plain columns of an index; an expression ends them."""
    parameters = index.args.get("params")
    return _names(parameters.args.get("columns") or []) if parameters is not None else ()


def _names(items: list[Any]) -> tuple[str, ...]:
    from sqlglot import exp

    names: list[str] = []
    for item in items:
        inner = item.this if isinstance(item, exp.Ordered) else item
        if not isinstance(inner, exp.Column | exp.Identifier):
            break
        names.append(inner.name.lower())
    return tuple(names)
