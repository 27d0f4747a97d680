"""PS508: a remote call made directly although the program has a cache in front of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.answer_caches import Accessor, accessors_of, in_front_of, stores
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Function, Value
from perfscan.analyzers.keeping import bound_to
from perfscan.analyzers.model import Confidence, Severity, TraceStep
from perfscan.analyzers.network_reads import is_ordered
from perfscan.analyzers.project import FunctionId
from perfscan.analyzers.registry import Hit, rule

_RENEWING = re.compile(
    r"refresh|reload|renew|updat|forc|invalidat|warm|fresh|init|load|sync|preload|verif|confirm"
    r"|reconcil|recover|login|test|check_connection|__",
    re.IGNORECASE,
)
"""Functions that go past the cache because they are to bring it up to date."""


@rule("PS508", "bypassed-cache", Severity.MEDIUM, on=Call)
def bypassed_cache(call: Call, where: Where) -> Iterator[Hit]:
    """Report remote reads that go past a cache which the program has for them.

    What it does:
        Finds functions that keep the answers of a remote call (a decorator, or a dictionary that
        they look into first) and other code, in loops and handlers, that makes the same call
        without them: the same scanned function, or the same method of a client. Also a branch of
        such a function that asks again and throws the fresh answer away.

    Why it costs a bot:
        The cache is there, was paid for, and does not help: each direct call is a round trip more
        and counts against the rate limit, and the hit rate that the bot reports says nothing.

    Example:
        import time
        import requests

        class Orders:
            def __init__(self):
                self.known = {}

            def fetch_orders(self, symbol):
                return requests.get(f"https://api.example.org/{symbol}", timeout=5).json()

            def orders(self, symbol):
                if symbol in self.known:
                    return self.known[symbol]
                self.known[symbol] = self.fetch_orders(symbol)
                return self.known[symbol]

            def track(self, symbol):
                while True:
                    print(self.fetch_orders(symbol))
                    time.sleep(5)

    Use instead:
        import time
        import requests

        class Orders:
            def __init__(self):
                self.known = {}

            def fetch_orders(self, symbol):
                return requests.get(f"https://api.example.org/{symbol}", timeout=5).json()

            def orders(self, symbol):
                if symbol in self.known:
                    return self.known[symbol]
                self.known[symbol] = self.fetch_orders(symbol)
                return self.known[symbol]

            def track(self, symbol):
                while True:
                    print(self.orders(symbol))
                    time.sleep(5)

    When it is fine:
        Where the answer has to be of this moment (before an order is placed), and in code that
        brings the cache up to date.
    """
    verb = call.func.rpartition(".")[2]
    function = where.function(call.block)
    if function is None or call.use == "statement" or is_ordered(verb):
        return
    if _RENEWING.search(function.name):
        return
    accessor = in_front_of(call, where)
    if accessor is None or where.hot(call.block) is None:
        return
    if any("." in target for target in bound_to(call, where)):
        return  # it is kept here, in another place
    here = (where.index, function.number)
    if accessor.function == here:
        if _goes_past_own(call, function, where):
            yield _past_own(call, function, where)
        return
    if accessors_of(function, where) or _serves_only(here, accessor, where):
        return
    path = where.program.files[accessor.function[0]].path
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{verb}() asks the server although {accessor.name}() ({path}:{accessor.line}) keeps "
            "its answers"
        ),
        fix=f"Ask {accessor.name}() here, with a shorter time to live where that is too old.",
        confidence=Confidence.PROBABLE,
        trace=(TraceStep(path, accessor.line, where.symbol(*_start(accessor, where))),),
    )


def _goes_past_own(call: Call, function: Function, where: Where) -> bool:
    """Tell whether a function with a cache asks for the same thing elsewhere, and forgets it."""
    if stores(call, function, where) or next(where.around(call.block, "except"), None):
        return False
    tests = [block.value for block in where.around(call.block, "if") if block.value is not None]
    if not tests or any(_RENEWING.search(word) for test in tests for word in _said(test)):
        return False
    blocks = where.file.blocks
    return any(
        other.number != call.number
        and (other.func, other.args, other.keywords) == (call.func, call.args, call.keywords)
        and blocks[other.block].function == function.number
        and stores(other, function, where)
        for other in where.file.calls
    )


def _said(value: Value) -> Iterator[str]:
    """Yield the words of a condition: names, attributes, texts."""
    yield from (value.ref, str(value.const))
    for item in value.items:
        yield from _said(item)


def _past_own(call: Call, function: Function, where: Where) -> Hit:
    verb = call.func.rpartition(".")[2]
    return Hit(
        call.place,
        call.block,
        message=(
            f"{verb}() asks the server past the cache that {function.qualname}() keeps, "
            "and the fresh answer is not kept either"
        ),
        fix="Put this answer into the cache, and look there first with a shorter time to live.",
        confidence=Confidence.PROBABLE,
    )


def _start(accessor: Accessor, where: Where) -> tuple[int, int]:
    facts = where.program.function(accessor.function)
    return accessor.function[0], facts.block if facts is not None else 0


def _serves_only(function: FunctionId, accessor: Accessor, where: Where) -> bool:
    """Tell whether only the cache calls a function: then it is a part of the way to the server."""
    program = where.program
    callers = [program.function_of(site) for site in program.callers.get(function, ())]
    return bool(callers) and all(caller == accessor.function for caller in callers)
