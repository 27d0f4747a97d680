"""PS503: a cache on a method, which keeps every instance alive."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.containers import builds_once, constructions
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Class, Function
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_UNBOUND = frozenset({"staticmethod", "classmethod"})
_ONE_EACH = ("enum.", "typing.NamedTuple", "pydantic_settings.")
"""Bases whose instances are few and live as long as the program."""


@rule("PS503", "cached-method", Severity.LOW, on=Function)
def cached_method(function: Function, where: Where) -> Iterator[Hit]:
    """Report caches on methods, which hold on to every object that the method was called on.

    What it does:
        Looks for `functools.lru_cache`, `cache` and their likes on a method whose first argument is
        the instance. Medium when the cache has no limit and a running bot makes such objects.

    Why it costs a bot:
        `self` is part of the key. The cache lives as long as the class and keeps each instance and
        all that hangs on it, long after its connection, order or chat is gone; and all instances
        share one cache, so they push out each other's results.

    Example:
        from functools import cache

        class Order:
            def __init__(self, row):
                self.row = row

            @cache
            def fees(self, rate):
                return self.row["amount"] * rate

        def handle_message(message):
            return Order(message).fees(0.1)

    Use instead:
        from functools import cache

        @cache
        def fees(amount, rate):
            return amount * rate

        class Order:
            def __init__(self, row):
                self.row = row

            def fees(self, rate):
                return fees(self.row["amount"], rate)

        def handle_message(message):
            return Order(message).fees(0.1)

    When it is fine:
        On objects that exist once and as long as the bot, on enumerations, on static and class
        methods.
    """
    if function.owner < 0 or not function.decorators or not function.params:
        return
    cache = _cache(function, where)
    if cache is None or _exists_once(where.file.classes[function.owner], where):
        return
    name, unbounded = cache
    cls = where.file.classes[function.owner]
    sites = constructions(where).get((where.index, cls.number), ())
    often = unbounded and any(where.sibling(file).hot(_block(where, file, n)) for file, n in sites)
    plain = len(function.params) == 1
    yield Hit(
        function.place,
        function.block,
        message=(
            f"{name} on {function.qualname}() keeps "
            f"{'every' if unbounded else 'the latest'} {cls.name} it was called on in memory"
        ),
        fix=(
            "Use functools.cached_property, which keeps the value on the object."
            if plain
            else "Cache a function of plain values, or make the cache in __init__."
        ),
        severity=Severity.MEDIUM if often else Severity.LOW,
        confidence=Confidence.DEFINITE if sites else Confidence.PROBABLE,
    )


def _block(where: Where, file: int, number: int) -> int:
    return where.program.files[file].calls[number].block


def _cache(function: Function, where: Where) -> tuple[str, bool] | None:
    """Return the decorator that keeps ``self``, and whether it keeps without limit."""
    if any(item.ref.rpartition(".")[2] in _UNBOUND for item in function.decorators):
        return None
    for decorator in function.decorators:
        call = where.call_of(decorator)
        path = where.path(call) if call else where.value_path(decorator, function.outer)
        if "cache_with_self" in where.knowledge.roles(path):
            return path.rpartition(".")[2], path.endswith(".cache") or _is_endless(call, where)
    return None


def _is_endless(call: Call | None, where: Where) -> bool:
    size = where.argument(call, 0, "maxsize") if call is not None else None
    return size is not None and size.kind == "const" and size.const is None


def _exists_once(cls: Class, where: Where) -> bool:
    """Tell whether there are few such objects, all made when the program starts."""
    for file, number in where.program.names.classes.lineage(where.index, cls.number):
        facts = where.program.files[file].classes[number]
        view = where.sibling(file)
        for value in (*facts.bases, *facts.decorators):
            if value.ref.rpartition(".")[2].lower() == "singleton":
                return True
            if view.value_path(value, facts.outer).startswith(_ONE_EACH):
                return True
    sites = constructions(where).get((where.index, cls.number), ())
    return bool(sites) and all(builds_once(site, where) for site in sites)
