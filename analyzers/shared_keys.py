"""Loops over many of a kind, and the keys that several of them have in common."""

from __future__ import annotations

import re
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Value

_MANY = re.compile(
    r"(^|_)(position|order|trade|holding|bet|alert|signal|fill|subscription|monitor|deal|transfer"
    r"|watch|notification|reminder|swap|transaction)(s|es|_list|_rows)?$",
    re.IGNORECASE,
)
"""What there are many of for one market, user or token."""

_SHARED = re.compile(
    r"(^|_)(market|symbol|ticker|token|mint|pair|coin|asset|currency|instrument|condition|stock"
    r"|pool|base|quote|product|contract|event|chain|exchange|asin|url|wallet|user|trader|account)"
    r"(_?(id|name|address|slug|key|symbol))?$",
    re.IGNORECASE,
)
"""What many of those have in common."""


class Item(NamedTuple):
    """One of many, in the code that deals with it."""

    names: tuple[str, ...]
    own: dict[str, Value]
    """What that code binds."""
    block: int


def crowd_name(loop: Block, where: Where) -> str:
    """Return what a loop runs over, as the code calls it."""
    value = loop.value
    made = where.call_of(value)
    if made is not None and made.func.endswith((".values", ".items", ".copy")):
        return made.func.rpartition(".")[0]
    if made is not None and made.args and made.func in {"list", "tuple", "sorted", "enumerate"}:
        value = made.args[0]
        made = where.call_of(value)
    if made is not None:
        return made.func.lstrip("@?0123456789.")
    return value.ref if value is not None else ""


def is_crowd(loop: Block, where: Where) -> bool:
    """Tell by its names whether a loop runs over what there are many of for one market."""
    names = (*loop.targets, crowd_name(loop, where).rpartition(".")[2])
    return any(_MANY.search(name) for name in names)


def shared_keys(call: Call, item: Item) -> list[Value]:
    """Return the arguments that come from the item, if others may share every one of them."""
    found: list[Value] = []
    for value in (*call.args, *[value for _, value in call.keywords]):
        origin = item.own.get(value.ref, value) if value.kind == "ref" else value
        mentioned = {*value.names, *origin.names}
        if item.own.keys().isdisjoint(mentioned) and not _mentions(origin, item):
            continue  # the same in every turn
        if not _of_item(origin, item) or not _SHARED.search(last(origin)):
            return []
        found.append(origin)
    receiver = call.func.partition(".")[0]
    return [] if receiver in item.names or receiver in item.own else found


def _mentions(value: Value, item: Item) -> bool:
    return not set(item.names).isdisjoint((*value.names, value.ref))


def made_in(block: int, where: Where) -> dict[str, Value]:
    """Return the names that a body binds, each with its value."""
    inside = where.below(block)
    return {
        assign.target: assign.value
        for assign in where.file.assigns
        if assign.block in inside and "." not in assign.target
    }


def _of_item(value: Value, item: Item) -> bool:
    """Tell whether a value is an attribute or entry of the item: ``position["market"]``."""
    base, _, rest = value.ref.partition(".")
    return value.kind == "ref" and base in item.names and bool(rest) and rest.count(".") == 0


def last(key: Value) -> str:
    """Return the name under which the item holds the key."""
    name = key.ref.rpartition(".")[2]
    entry = key.items[0].const if name == "[]" and key.items else None
    return entry if isinstance(entry, str) else name


def is_looked_up(key: Value, item: Item, where: Where) -> bool:
    """Tell whether the body looks the key up somewhere first: ``if market not in prices``."""
    inside = where.below(item.block)
    if any(
        comparison.block in inside
        and comparison.op in {"In", "NotIn"}
        and comparison.right.ref.rpartition(".")[2] != "[]"
        and _speaks_of(comparison.left, key, item)
        for comparison in where.file.comparisons
    ):
        return True
    return any(
        other.func.endswith((".get", ".setdefault")) and _speaks_of(other.args[0], key, item)
        for other in where.calls_in(item.block)
        if other.args
    )


def _speaks_of(value: Value, key: Value, item: Item) -> bool:
    """Tell whether an expression is the key, or made from it."""
    if _same(item.own.get(value.ref, value), key):
        return True
    return any(_speaks_of(part, key, item) for part in value.items)


def _same(one: Value, other: Value) -> bool:
    return (one.kind, one.ref, one.items) == (other.kind, other.ref, other.items)
