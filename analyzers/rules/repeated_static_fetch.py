"""PS501: asking again for what does not change."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, FileFacts, Value
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.keeping import bound_to, is_exceptional, remembers
from perfscan.analyzers.literals import Spot, source, url
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.project import FunctionId
from perfscan.analyzers.refetch import Use, repeated
from perfscan.analyzers.registry import Hit, rule

_LASTING = re.compile(
    r"/(categories|types|config(uration)?|settings|symbols|markets|instruments|exchange_?info"
    r"|currencies|countries|regions|languages|assets|contracts|abi|schema|metadata|menu|sides"
    r"|services|products|genres|tags|templates|faq|departments|agents|sections)/?$",
    re.IGNORECASE,
)
"""How addresses of tables end that change with a release or a day, not with a message."""


@rule("PS501", "repeated-static-fetch", Severity.MEDIUM, on=FileFacts)
def repeated_static_fetch(file: FileFacts, where: Where) -> Iterator[Hit]:
    """Report remote answers that are fetched again although the bot has them or could keep them.

    What it does:
        Finds calls for market lists, instrument tables, token decimals and the like, and GETs of
        fixed addresses such as `/categories`, inside endless loops, handlers and loops over data.
        Also finds helpers that fetch the same thing twice while one event is handled: the same
        function with the same argument (`update.effective_user.id` too), from two places.

    Why it costs a bot:
        Each repetition is a whole round trip on the way to the answer, and counts against the rate
        limit. A market list is megabytes; it changes once a day.

    Example:
        import requests

        def token_report(mint):
            return requests.get(f"https://api.example.org/{mint}", timeout=5).json()

        def is_risky(mint):
            return token_report(mint)["score"] > 60

        def handle(mint):
            if is_risky(mint):
                return "risky"
            return token_report(mint)["name"]

        def main(stream):
            while True:
                print(handle(stream.receive()))

    Use instead:
        import requests

        def token_report(mint):
            return requests.get(f"https://api.example.org/{mint}", timeout=5).json()

        def handle(mint):
            report = token_report(mint)
            return "risky" if report["score"] > 60 else report["name"]

        def main(stream):
            while True:
                print(handle(stream.receive()))

    When it is fine:
        Behind a check (`if self.markets is None`), behind a cache, for answers that change from
        one moment to the next (prices, balances, the state of an order), and at start-up.
    """
    words = where.knowledge.last_words("metadata")
    for call in file.calls:
        last = call.func.rpartition(".")[2]
        if (last in words and "metadata" in where.roles(call)) or (
            last == "get" and _asks_for_a_list(call, where)
        ):
            yield from _metadata(call, where)
    reported: set[FunctionId] = set()
    for function in file.functions:
        if where.hot(function.block) is None:
            continue
        for first, second in repeated(where, function):
            if second.getter not in reported and _meets_here(first, second):
                reported.add(second.getter)
                yield _twice(first, second, where)


def _asks_for_a_list(call: Call, where: Where) -> bool:
    """Tell whether a GET asks a written-down address for something that hardly ever changes."""
    effect = where.effect(call)
    if effect is None or effect.cost != "network":
        return False
    given = where.argument(call, 0, "url")
    path = url(given, where, call.block).partition("?")[0]
    if path.startswith("*/") and given is not None and _has_fixed_base(given, call, where):
        path = path[1:]
    return "*" not in path and _LASTING.search(path) is not None


def _has_fixed_base(given: Value, call: Call, where: Where) -> bool:
    """Tell whether an address begins with an attribute or a global: ``self.base + "/faq"``."""
    spot = source(Spot(given, where, call.block))
    if spot is None or not spot.value.items:
        return False
    base, _, rest = spot.value.items[0].ref.partition(".")
    return (base in {"self", "cls"} and bool(rest)) or base.isupper()


def _meets_here(first: Use, second: Use) -> bool:
    """Tell whether the two ways part in this function and not in one that it calls."""
    return first.path[0] != second.path[0]


def _metadata(call: Call, where: Where) -> Iterator[Hit]:
    heat = where.hot(call.block)
    loops = where.data_loops(call.block)
    if (heat is None and not loops) or next(where.around(call.block, "if", "except"), None):
        return
    if where.confidence(call) is Confidence.POSSIBLE or _asks_about_more(call, where):
        return
    if remembers(call, where) or (heat is not None and _is_conditional(heat, where)):
        return
    label = heat.label if heat is not None else f"loop at line {loops[0].place[0]}"
    effect = where.effect(call)
    name = effect.readable if effect else call.func
    from_memory = effect is not None and effect.library == "ccxt" and "load" in name
    reload = where.argument(call, 0, "reload")
    yield Hit(
        call.place,
        call.block,
        message=f"{name}() asks for the same table in each run of the {label}",
        fix="Ask once when the bot starts, keep the answer, refresh it at intervals of hours.",
        # ccxt answers from memory unless it is told to reload.
        severity=Severity.LOW if from_memory and reload is None else None,
        confidence=where.confidence(call),
        trace=tuple(where.step(site) for site in heat.via) if heat else (),
    )


def _is_conditional(heat: Heat, where: Where) -> bool:
    """Tell whether a caller on the way keeps the answer, or asks only under some condition."""
    for file, index in heat.via:
        view = where.sibling(file)
        caller = view.file.calls[index]
        if next(view.around(caller.block, "if", "except"), None) is not None:
            return True
        if any("." in target for target in bound_to(caller, view)):
            return True
    return is_exceptional(heat, where)


def _asks_about_more(call: Call, where: Where) -> bool:
    """Tell whether the arguments change from turn to turn, as for another token each time."""
    varying = {name for loop in where.loops(call.block) for name in loop.targets}
    function = where.function(call.block)
    if function is not None:
        varying.update(param.name for param in function.params)
    given = (*call.args, *dict(call.keywords).values())
    return any((varying - {"self", "cls"}).intersection(value.names) for value in given)


def _twice(first: Use, second: Use, where: Where) -> Hit:
    file, index = second.leaf
    call = where.program.files[file].calls[index]
    getter = where.program.function(second.getter)
    name = getter.qualname if getter is not None else call.func
    before = where.step(first.leaf)
    what = ", ".join(second.arguments)
    return Hit(
        call.place,
        call.block,
        message=(
            f"{name}() is asked again for the same {what}; "
            f"{before.symbol.rpartition(':')[2]} has fetched it at line {before.line}"
        ),
        fix="Fetch once and pass the result on, or cache it under that key for some minutes.",
        confidence=Confidence.PROBABLE,
        trace=tuple(where.step(site) for site in second.path),
        file=file,
    )
