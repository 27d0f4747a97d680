"""How many items a collection may hold: written down, the bot's own parts, or from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Value
from perfscan.analyzers.literals import Spot, source

Amount = Literal["few", "unknown", "many"]

_SEES_THROUGH = frozenset(
    {"enumerate", "sorted", "list", "tuple", "set", "reversed", "iter", "zip"}
)
_VIEWS = frozenset({"items", "values", "keys", "copy", "json", "get", "all", "splitlines"})
_GROWS = (".append", ".add", ".extend", ".update", ".insert")
_OUTSIDE = frozenset({"network", "database", "file", "socket"})
_DEPTH = 3
_HANDFUL = 10
"""At most so many written-down items are not a loop over data."""

_MANY = re.compile(
    r"(^|_)(urls|links|symbols|pairs|markets|tickers|coins|tokens|mints|pools|wallets|addresses"
    r"|accounts|users|members|guilds|chats|subscribers|followers|trades|orders|positions|fills"
    r"|transactions|txs|signatures|hashes|messages|events|updates|rows|records|items|documents|docs"
    r"|chunks|pages|files|paths|products|articles|posts|tweets|candles|ids|monitors)$",
    re.IGNORECASE,
)
"""Names of collections that grow with the market, the audience or time."""

_FEW = re.compile(
    r"(^|_)(handlers?|hooks?|plugins?|listeners?|callbacks?|providers?|backends?|exchanges?"
    r"|connectors?|workers?|feeds?|services?|components?|evaluators?|strategies|base_urls|api_urls"
    r"|endpoints?|hosts?|nodes?|servers?|replicas?|shards?|params|parameters|parameterless|adapters?"
    r"|drivers?|destinations?|owners?|platforms?|engines?|modules?|cogs?|stages?|objs|middlewares?"
    r"|extensions?|stores?|sources?|sinks?|clients?|bots?|configs?|settings)$",
    re.IGNORECASE,
)
"""Names of the bot's own parts and of what its configuration lists."""

_GROUPING = frozenset({"zip", "zip_longest"})
_PART = re.compile(r"(^|[._])(batch|chunk|page|group|slice|window)$")
_SETTINGS = re.compile(r"config|settings|environ|getenv|options", re.IGNORECASE)


def amount(items: Value, block: int, where: Where) -> Amount:
    """Return how many items ``items`` may hold, as far as something speaks for it."""
    written = _written_down(items, block, where)
    if written is not None:
        return "few" if written <= _HANDFUL else "many"
    if where.is_few(items) or _is_record(items, block, where):
        return "few"
    origins = list(_origins(items, block, where, 0))
    if any(_comes_from_outside(call, where) for call in origins):
        return "many"
    if any(_SETTINGS.search(call.func) for call in origins):
        return "few"
    name = _name(items, where)
    if _FEW.search(name):
        return "few"
    return "many" if _MANY.search(name) else "unknown"


def is_part(items: Value, block: int, where: Where) -> bool:
    """Tell whether the items are a part of fixed size: a slice, a chunk, ``range(n)``."""
    if _is_slice(items) or _PART.search(items.ref):
        return True
    made = where.call_of(items)
    if made is not None:
        if made.func == "range":
            return not any(inner.owner == made.number for inner in where.file.calls)
        last = made.func.rpartition(".")[2]
        if last in {"islice", "batched"} or (last in _GROUPING and _is_starred(made)):
            return True
    if any(items.ref in loop.targets for loop in where.around(block, "for")):
        return True
    function = where.block(block).function
    return any(
        assign.target == items.ref and _is_slice(assign.value)
        for assign in where.file.assigns
        if where.block(assign.block).function == function
    )


def _is_starred(call: Call) -> bool:
    """Tell whether a call is given the items of one list: ``zip(*[iter(rows)] * 100)``."""
    return len(call.args) == 1 and call.args[0].kind == "star"


def _is_slice(value: Value) -> bool:
    return value.kind == "ref" and any(item.ref == ":" for item in value.items)


def is_handful(loop: Block, where: Where) -> bool:
    """Tell whether a loop goes over constants, and not over a long list of them."""
    if loop.value is None or not where.is_constant(loop):
        return False
    written = _written_down(loop.value, loop.parent, where)
    return written is None or written <= _HANDFUL


def _written_down(items: Value, block: int, where: Where) -> int | None:
    """Return how many items a literal has, or the one that a name stands for and nothing grows."""
    items = _inner(items, where)
    found = source(Spot(items, where, block))
    if found is None or not found.value.items or not found.where.is_few(found.value):
        return None
    grows = any(
        call.func.endswith(_GROWS) and call.func.rpartition(".")[0] == items.ref
        for call in where.file.calls
    )
    return None if grows else len(found.value.items)


def _is_record(items: Value, block: int, where: Where) -> bool:
    """Tell whether they are the fields of one record: ``table[key] = {"insert": [], ...}``."""
    name = _inner(items, where).ref
    function = where.block(block).function
    assigns = where.file.assigns
    tables = {name} | {
        assign.value.ref
        for assign in assigns
        if assign.target == name and where.block(assign.block).function == function
    }
    targets = {assign.target for assign in assigns}
    given: dict[str, list[Value]] = {}
    for assign in assigns:
        if assign.op != "del":
            given.setdefault(assign.target, []).append(assign.value)
    return any(
        table.endswith(".[]")
        and f"{table}.[]" not in targets
        and _are_records(given.get(table, []))
        for table in tables
    )


def _are_records(values: list[Value]) -> bool:
    return bool(values) and all(
        value.kind == "dict"
        and 0 < len(value.keys) <= _HANDFUL
        and all(key.kind == "const" for key in value.keys)
        for value in values
    )


def _inner(items: Value, where: Where) -> Value:
    """Return what ``enumerate(x)``, ``x.items()`` and the like go over."""
    for _ in range(_DEPTH):
        call = where.call_of(items)
        if call is None:
            return items
        receiver, _, method = call.func.rpartition(".")
        if call.func in _SEES_THROUGH and call.args:
            items = call.args[0]
        elif method in _VIEWS and receiver:
            items = Value("ref", receiver, None, (), call.names)
        else:
            return items
    return items


def _name(items: Value, where: Where) -> str:
    inner = _inner(items, where)
    if inner.kind == "comp" and inner.block >= 0:
        behind = where.block(inner.block).value
        inner = _inner(behind, where) if behind is not None else inner
    parts = [part for part in inner.ref.split(".") if part != "[]" and not part.startswith("@")]
    return parts[-1] if parts else ""


def _origins(items: Value, block: int, where: Where, depth: int) -> Iterator[Call]:
    """Yield the calls whose answer the items are, through the names in between."""
    base = items.ref.partition(".")[0]
    if base.startswith("@") and base[1:].isdigit():
        call = where.file.calls[int(base[1:])]
        yield call
        if depth < _DEPTH:
            receiver = Value("ref", call.func.rpartition(".")[0])
            yield from _origins(receiver, block, where, depth + 1)
            if call.func in _SEES_THROUGH and call.args:
                yield from _origins(call.args[0], block, where, depth + 1)
    elif items.kind == "ref" and base and depth < _DEPTH:
        here = where.block(block).function
        for assign in where.file.assigns:
            makes = assign.target == base and assign.op in {"=", "with"}
            if makes and where.block(assign.block).function == here:
                yield from _origins(assign.value, assign.block, where, depth + 1)


def _comes_from_outside(call: Call, where: Where) -> bool:
    effect = where.effect(call)
    if effect is not None:
        return effect.cost in _OUTSIDE
    program = where.program
    return any(t in program.awaited_io or t in program.blocking for t in where.targets(call))
