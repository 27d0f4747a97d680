"""PS502: a cache that never forgets."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.containers import growths, is_far, is_short_lived
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, FileFacts, Function, Param
from perfscan.analyzers.key_counts import FEW, is_few, is_few_by_name
from perfscan.analyzers.live_objects import kept_by
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.things import Thing


@rule("PS502", "unbounded-cache", Severity.HIGH, on=FileFacts)
def unbounded_cache(file: FileFacts, where: Where) -> Iterator[Hit]:
    """Report caches whose entries are never evicted in a bot that keeps running.

    What it does:
        Finds dictionaries that outlive a call and that handlers or endless loops fill under keys
        which come from data, when nothing removes entries, and functions under `functools.cache`
        or `lru_cache(maxsize=None)` that such code calls with changing arguments.

    Why it costs a bot:
        Every token, user message or transaction seen since the start stays in memory, and what was
        cached yesterday is served today: the bot grows until it is killed and answers with stale
        data until then.

    Example:
        REPORTS = {}

        def report(mint):
            if mint not in REPORTS:
                REPORTS[mint] = fetch(mint)
            return REPORTS[mint]

        def main(stream):
            while True:
                print(report(stream.receive()["mint"]))

    Use instead:
        from cachetools import TTLCache

        REPORTS = TTLCache(maxsize=1000, ttl=600)

        def report(mint):
            if mint not in REPORTS:
                REPORTS[mint] = fetch(mint)
            return REPORTS[mint]

        def main(stream):
            while True:
                print(report(stream.receive()["mint"]))

    When it is fine:
        Keys from a fixed set (symbols of the configuration, enum members), entries that are
        deleted, a size that is checked, and programs that exit.
    """
    if where.index not in where.hot_regions.files:
        return
    yield from _dictionaries(where)
    for function in file.functions:
        yield from _decorated(function, where)


def _dictionaries(where: Where) -> Iterator[Hit]:
    reported = set()
    for growth in growths(where):
        container = growth.container
        if container.kind != "dict" or growth.verb not in {"[]=", "setdefault"}:
            continue
        heat = where.hot(growth.block)
        if container in reported or heat is None or container.function >= 0:
            continue
        if kept_by(growth, where):
            continue  # PS1003 speaks of locks, tasks and sessions
        if is_few(growth.key, growth, where) or is_short_lived(growth, heat, where):
            continue
        reported.add(container)
        yield Hit(
            growth.place,
            growth.block,
            message=(
                f"{container.name} gains entries with each run of the {heat.label} "
                "and never loses any"
            ),
            fix="Use cachetools.TTLCache(maxsize=..., ttl=...), or delete what is done with.",
            confidence=(
                Confidence.POSSIBLE
                if is_few_by_name(growth, where) or is_far(heat)
                else Confidence.PROBABLE
            ),
            trace=tuple(where.step(site) for site in heat.via),
        )


def _decorated(function: Function, where: Where) -> Iterator[Hit]:
    decorator = _unbounded(function, where) if function.decorators else None
    inputs = [param for param in function.params if param.name not in {"self", "cls"}]
    if decorator is None or not inputs or where.hot(function.block) is None:
        return
    if function.parent >= 0:
        return  # goes with the call of the function around it
    if not _changes(function, where):
        return
    if all(_has_few_values(param, function, where) for param in inputs):
        return
    few = all(FEW.search(param.name) for param in inputs)
    yield Hit(
        function.place,
        function.block,
        message=f"{decorator} keeps every result of {function.name}() for ever",
        fix="Give lru_cache a maxsize, or use cachetools.TTLCache when results grow old.",
        confidence=Confidence.POSSIBLE if few else Confidence.DEFINITE,
    )


def _has_few_values(param: Param, function: Function, where: Where) -> bool:
    """Tell whether an annotation says that there are few: members of an enumeration, functions."""
    if param.annotation is None:
        return False
    if param.annotation.ref.rpartition(".")[2] in {"bool", "Callable", "type", "Type"}:
        return True
    return any(
        thing.kind == "class" and _is_enumeration(thing, where)
        for thing in where.things(param.annotation, function.outer)
    )


def _is_enumeration(cls: Thing, where: Where) -> bool:
    bases = where.program.files[cls.file].classes[cls.number].bases
    return any(base.ref.endswith(("Enum", "Flag")) for base in bases)


def _unbounded(function: Function, where: Where) -> str | None:
    for decorator in function.decorators:
        call = where.call_of(decorator)
        if call is not None:
            size = where.argument(call, 0, "maxsize")
            never = size is not None and size.kind == "const" and size.const is None
            if never and where.path(call) == "functools.lru_cache":
                return "lru_cache(maxsize=None)"
        elif where.value_path(decorator, function.outer) == "functools.cache":
            return "functools.cache"
    return None


def _changes(function: Function, where: Where) -> bool:
    """Tell whether some caller passes anything but constants."""
    for file, index in where.program.callers.get(where.function_id(function.block), ()):
        call: Call = where.program.files[file].calls[index]
        for value in (*call.args, *dict(call.keywords).values()):
            if value.kind != "const" and not value.ref.rpartition(".")[2].isupper():
                return True
    return False
