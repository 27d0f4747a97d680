"""Tables and indexes as the repository itself declares them: DDL, migrations, models."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Call, Class, Value
from perfscan.analyzers.literals import Spot, source
from perfscan.analyzers.model import TraceStep
from perfscan.analyzers.project import Program
from perfscan.analyzers.sql import Definition, Keys, defines, definitions
from perfscan.analyzers.sql_literals import dialect_of, scripts
from perfscan.analyzers.survey import survey
from perfscan.analyzers.texts import is_sql

_LIBRARIES = ("sqlalchemy", "alembic", "sqlmodel", "flask_sqlalchemy")
_COLUMN = frozenset({"Column", "mapped_column"})
_KEYS = {
    "Index": (1, False),
    "UniqueConstraint": (0, True),
    "PrimaryKeyConstraint": (0, True),
}
"""Constructors to (position of the first column, unique)."""

_MIGRATIONS = frozenset(
    {"create_table", "create_index", "create_unique_constraint", "create_primary_key", "add_column"}
)
"""Operations of Alembic."""


class Table(NamedTuple):
    """What is declared of one table, from all places together."""

    created: TraceStep | None
    """Where it is created; None when only its indexes are declared here."""
    columns: frozenset[str]
    keys: tuple[Keys, ...]

    def has_index(self, columns: Collection[str], then: Collection[str] = ()) -> bool:
        """Tell whether an index begins with these columns in any order, then one of the others."""
        wanted, count = set(columns), len(set(columns))
        for key in self.keys:
            following = key.columns[count : count + 1]
            if set(key.columns[:count]) == wanted and (not then or set(following) & set(then)):
                return True
        return False


class _Declared(NamedTuple):
    """A definition and where it stands."""

    definition: Definition
    place: TraceStep


def table_named(name: str, where: Where) -> Table | None:
    """Return what the whole repository declares of a table, None when nothing does."""
    in_python = _tables(where).get(name)
    in_sql = where.program.once(_in_texts).get(name)
    if in_python is None or in_sql is None:
        return in_python or in_sql
    return Table(
        in_sql.created or in_python.created,
        in_sql.columns | in_python.columns,
        in_sql.keys + in_python.keys,
    )


def _by_name(parts: Iterable[Iterable[_Declared]]) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for part in parts:
        for definition, place in part:
            created, columns, keys = tables.get(definition.table, Table(None, frozenset(), ()))
            tables[definition.table] = Table(
                created or (place if definition.creates else None),
                columns.union(definition.columns),
                keys + tuple(key for key in definition.keys if key not in keys),
            )
    return tables


def _in_texts(program: Program) -> dict[str, Table]:
    scripts = [text for text in program.texts if is_sql(PurePosixPath(text.path))]
    return _by_name(
        [
            [
                _Declared(definition, TraceStep(script.path, definition.line + 1, ""))
                for definition in definitions(script.text)
            ]
            for script in scripts
        ]
    )


@survey(_by_name)
def _tables(where: Where) -> tuple[_Declared, ...]:
    """Return what one Python file declares: DDL that it runs or holds, models, migrations."""
    found: dict[_Declared, None] = {}
    for text, block, line in (*_run(where), *_held(where)):
        if defines(text):
            for definition in definitions(text, dialect_of(where)):
                found[_Declared(definition, _place(where, block, line))] = None
    found.update(dict.fromkeys(_named_indexes(where)))
    if any(entry.module.startswith(_LIBRARIES) for entry in where.file.imports):
        found.update(dict.fromkeys(_models(where)))
        found.update(dict.fromkeys(_operations(where)))
    return tuple(found)


def _run(where: Where) -> Iterator[tuple[str, int, int]]:
    for script in scripts(where):
        call = where.file.calls[script.call]
        yield script.text, call.block, call.place[0]


def _held(where: Where) -> Iterator[tuple[str, int, int]]:
    """Yield the texts that modules and classes hold under a name, whoever runs them."""
    for assign in where.file.assigns:
        if where.block(assign.block).function < 0:
            for value in (assign.value, *assign.value.items):
                if isinstance(value.const, str):
                    yield value.const, assign.block, assign.place[0]


def _place(where: Where, block: int, line: int) -> TraceStep:
    return TraceStep(where.file.path, line, where.symbol(where.index, block))


# Models of SQLAlchemy.


def _models(where: Where) -> Iterator[_Declared]:
    for cls in where.file.classes:
        name = _table_of_model(cls, where)
        if name:
            columns = {
                assign.target: call
                for assign in _body(cls, where)
                if (call := where.call_of(assign.value)) is not None and _last(call) in _COLUMN
            }
            keys = _column_keys(columns.items(), name)
            extra = [a.value for a in _body(cls, where) if a.target == "__table_args__"]
            keys += _constraints([item for value in extra for item in value.items], name, where)
            names = tuple(_column_name(call, target) for target, call in columns.items())
            place = _place(where, cls.block, cls.place[0])
            yield _Declared(Definition(name, bool(names), names, tuple(keys), 0), place)


def _table_of_model(cls: Class, where: Where) -> str:
    named = [a.value.const for a in _body(cls, where) if a.target == "__tablename__"]
    return named[0].lower() if named and isinstance(named[0], str) else ""


def _body(cls: Class, where: Where) -> list[Assign]:
    scopes = where.program.names.scopes[where.index].table.get(cls.block, {})
    bindings = [b for held in scopes.values() for b in held if b.kind == "assign"]
    return [where.file.assigns[b.number] for b in bindings]


def _column_name(call: Call, target: str) -> str:
    first = call.args[0].const if call.args else None
    return (first if isinstance(first, str) else target).lower()


def _column_keys(columns: Iterable[tuple[str, Call]], table: str) -> list[Keys]:
    """Return what the flags of columns say; several primary keys are one key together."""
    primary: list[str] = []
    found: list[Keys] = []
    for target, call in columns:
        name = _column_name(call, target)
        flags = {key for key, value in call.keywords if value.const is True}
        if "primary_key" in flags:
            primary.append(name)
        elif flags & {"unique", "index"}:
            found.append(Keys(table, (name,), "unique" in flags))
    return [Keys(table, tuple(primary), True), *found] if primary else found


def _constraints(values: Iterable[Value], table: str, where: Where) -> list[Keys]:
    """Return the keys of Index(...), UniqueConstraint(...) and the like among some values."""
    found: list[Keys] = []
    for value in values:
        call = where.call_of(value)
        if call is not None and _last(call) in _KEYS:
            first, unique = _KEYS[_last(call)]
            columns = _names(call.args[first:])
            unique = unique or dict(call.keywords).get("unique", Value("other")).const is True
            if columns:
                found.append(Keys(table, columns, unique))
    return found


def _names(values: Iterable[Value]) -> tuple[str, ...]:
    """Return column names that are given as text or as attributes of a model; others end them."""
    names: list[str] = []
    for value in values:
        text = value.const if isinstance(value.const, str) else value.ref.rpartition(".")[2]
        if not text.isidentifier():
            break
        names.append(text.lower())
    return tuple(names)


# Tables, operations of Alembic and those of a repository's own.


def _named_indexes(where: Where) -> Iterator[_Declared]:
    """Read ``anything_with_index(..., table="prices", columns=["symbol", "time"])``."""
    for call in where.file.calls:
        if call.keywords and "index" in call.func:
            named = dict(call.keywords)
            table = named.get("table") or named.get("table_name")
            columns = _names(named["columns"].items) if "columns" in named else ()
            name = _text(table, call, where) if columns else ""
            if name:
                definition = Definition(name, False, (), (Keys(name, columns, False),), 0)
                yield _Declared(definition, _place(where, call.block, call.place[0]))


def _operations(where: Where) -> Iterator[_Declared]:
    for call in where.file.calls:
        last = _last(call)
        if last == "Table" or last in _MIGRATIONS or last == "Index":
            definition = _operation(call, last, where)
            if definition is not None:
                yield _Declared(definition, _place(where, call.block, call.place[0]))


def _operation(call: Call, last: str, where: Where) -> Definition | None:
    if last in {"Table", "create_table", "add_column"}:
        return _created(call, last, where)
    if last == "Index":
        return _index_of_model(call, where)
    batch = _batch_table(call, where)
    table = batch or _text(where.argument(call, 1, "table_name"), call, where)
    listed = where.argument(call, 1 if batch else 2, "columns")
    if not table or listed is None:
        return None
    unique = last != "create_index" or dict(call.keywords).get("unique", listed).const is True
    columns = _names(listed.items)
    keys = (Keys(table, columns, unique),) if columns else ()
    return Definition(table, False, (), keys, 0)


def _created(call: Call, last: str, where: Where) -> Definition | None:
    table = _text(where.argument(call, 0, "table_name"), call, where) or _batch_table(call, where)
    made = [inner for value in call.args if (inner := where.call_of(value)) is not None]
    columns = [inner for inner in made if _last(inner) in _COLUMN]
    if not table or not columns:
        return None
    keys = _column_keys([("", column) for column in columns], table)
    keys += _constraints(call.args, table, where)
    names = tuple(_column_name(column, "") for column in columns)
    return Definition(table, last != "add_column", names, tuple(keys), 0)


def _index_of_model(call: Call, where: Where) -> Definition | None:
    """Read ``Index("name", Price.symbol, Price.time)`` beside the model."""
    models = {value.ref.rpartition(".")[0] for value in call.args[1:]}
    for cls in where.file.classes:
        if models == {cls.name}:
            table = _table_of_model(cls, where)
            return Definition(table, False, (), (Keys(table, _names(call.args[1:]), False),), 0)
    return None


def _batch_table(call: Call, where: Where) -> str:
    """Return the table of ``with op.batch_alter_table("prices") as batch`` around the call."""
    for block in where.around(call.block, "with"):
        entered = where.call_of(block.value)
        if entered is not None and _last(entered) == "batch_alter_table":
            return _text(where.argument(entered, 0, "table_name"), entered, where)
    return ""


def _text(value: Value | None, call: Call, where: Where) -> str:
    if value is None:
        return ""
    found = source(Spot(value, where, call.block))
    return found.value.const.lower() if found and isinstance(found.value.const, str) else ""


def _last(call: Call) -> str:
    return call.func.rpartition(".")[2]
