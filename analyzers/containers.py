"""Containers that outlive a call, where they grow, and whether anything ever shrinks them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Call, FileFacts, Place, Value
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.sites import SiteId
from perfscan.analyzers.survey import survey

Kind = Literal["list", "set", "dict"]

_MADE_BY: dict[str, Kind] = {
    "builtins.list": "list",
    "builtins.set": "set",
    "builtins.dict": "dict",
    "collections.deque": "list",
    "collections.defaultdict": "dict",
    "collections.OrderedDict": "dict",
    "collections.Counter": "dict",
}
_LITERALS: dict[str, Kind] = {"list": "list", "set": "set", "dict": "dict"}
_FAR = 4
_NESTED = 3
_ATTRIBUTE = -1
"""Stands for the file where attributes are meant, which any file may shrink."""


_PASSING = frozenset({"__next__", "__anext__", "__exit__", "__aexit__"})
"""An object with such a method serves one iteration or one ``with`` block."""

_STARTING = re.compile(r"_*(main|run|start|setup|init|create|build|make|serve|launch|cli)")

_GROWING = {"append", "appendleft", "extend", "insert", "add", "setdefault", "update"}
_SHRINKING = {
    "pop", "popleft", "popitem", "remove", "discard", "clear", "difference_update",
    "intersection_update", "expire", "evict",
}  # fmt: skip
_READING = {
    "len", "print", "str", "repr", "list", "tuple", "set", "dict", "frozenset", "sorted", "sum",
    "max", "min", "any", "all", "enumerate", "iter", "zip", "map", "filter", "reversed", "bool",
    "isinstance", "id", "dumps", "dump", "debug", "info", "warning", "error", "join", "copy",
    "deepcopy", "DataFrame", "array", "send_message", "format", "next", "range", "type", "get",
}  # fmt: skip
"""Calls that look at a container and leave it as it is; any other may shrink it."""

ClassId = tuple[int, int]
"""File and class."""


@dataclass(frozen=True, slots=True)
class Container:
    """A list, set or dictionary that lives longer than the code that adds to it."""

    kind: Kind
    name: str
    """As written where it is used: ``seen``, ``self.seen``."""
    owner: int
    """The class for an attribute, -1 else."""
    function: int
    """The function that it is local to, -1 else."""
    place: Place
    bounded_items: bool = False
    """Its values are bounded themselves: ``defaultdict(lambda: deque(maxlen=10))``."""
    on_demand: bool = False
    """Reading makes entries: ``defaultdict(asyncio.Lock)``."""


@dataclass(frozen=True, slots=True)
class Growth:
    """One statement that adds to a container."""

    container: Container
    place: Place
    block: int
    verb: str
    """``append``, ``add``, ``[]=`` and so on; ``[]`` where reading makes an entry."""
    key: Value | None
    """What is added to a list or set; the key for a dictionary."""
    value: Value | None = None
    """What a dictionary holds under the key."""


def growths(where: Where) -> tuple[Growth, ...]:
    """Return, for each container of a file that nothing ever shrinks, the places where it grows."""
    return where.once(_growths)


def _growths(where: Where) -> tuple[Growth, ...]:
    additions = _additions(where)
    return tuple(
        growth
        for container in _containers(where)
        if not _shrinks(container, where)
        for growth in _growths_of(container, additions, where)
    )


def is_far(heat: Heat) -> bool:
    """Tell whether the code is many helpers away from a handler: too far to run each time."""
    return heat.kind not in {"loop", "receive"} and len(heat.via) > _FAR


def is_short_lived(growth: Growth, heat: Heat, where: Where) -> bool:
    """Tell whether the object that holds the container comes and goes while the bot runs.

    Objects live as long as the bot when start-up code makes them, or when an endless loop of
    their own runs in them; of others it is not known.
    """
    owner = growth.container.owner
    if owner < 0:
        return False
    cls = where.file.classes[owner]
    methods = where.program.names.scopes[where.index].methods.get(owner, {})
    if _PASSING.intersection(methods):
        return True
    sites = constructions(where).get((where.index, owner), ())
    if sites:
        return not all(builds_once(site, where) for site in sites)
    inside = where.class_of(heat.block) if heat.file == where.index and heat.block >= 0 else None
    driven = inside is not None and inside.number == cls.number
    return not driven and (heat.block >= 0 or bool(heat.via))


def builds_once(site: SiteId, where: Where, depth: int = 0) -> bool:
    """Tell whether start-up code makes the object, or an object that lives as long as the bot."""
    view = where.sibling(site[0])
    call = view.file.calls[site[1]]
    if view.hot(call.block) is not None or view.loops(call.block):
        return False
    function = view.function(call.block)
    if function is None or view.starting(call):
        return True
    if function.name == "__init__" and depth < _NESTED:
        above = constructions(where).get((site[0], function.owner), ())
        return all(builds_once(outer, where, depth + 1) for outer in above)
    return _STARTING.match(function.name) is not None


def _by_class(
    parts: Sequence[Sequence[tuple[ClassId, SiteId]]],
) -> Mapping[ClassId, Sequence[SiteId]]:
    found: dict[ClassId, list[SiteId]] = {}
    for part in parts:
        for cls, site in part:
            found.setdefault(cls, []).append(site)
    return found


@survey(_by_class)
def constructions(where: Where) -> tuple[tuple[ClassId, SiteId], ...]:
    """Return the calls that make an instance of a scanned class."""
    return tuple(
        [
            ((thing.file, thing.number), (where.index, call.number))
            for call in where.file.calls
            for thing in where.site(call).things
            if thing.kind == "class"
        ]
    )


def _containers(where: Where) -> Iterator[Container]:
    file = where.file
    found: dict[tuple[str, int, int], Container] = {}
    for assign in file.assigns:
        kind = _kind(assign, where) if assign.op in {"=", ":"} else None
        if kind is None:
            continue
        block = file.blocks[assign.block]
        scope = file.blocks[block.scope]
        if assign.target.startswith("self.") and assign.target.count(".") == 1:
            cls = where.class_of(assign.block)
            owner, function, name = (cls.number if cls else -1), -1, assign.target
            if cls is None:
                continue
        elif "." in assign.target:
            continue
        elif scope.kind == "class":
            owner = next(c.number for c in file.classes if c.block == scope.number)
            function, name = -1, f"self.{assign.target}"
        else:
            owner, function, name = -1, block.function, assign.target
        key = (name, owner, function)
        bounded, made = _has_bounded_items(assign, where), where.call_of(assign.value)
        on_demand = made is not None and where.path(made) == "collections.defaultdict"
        container = Container(kind, name, owner, function, assign.place, bounded, on_demand)
        found.setdefault(key, container)
    yield from found.values()


def _kind(assign: Assign, where: Where) -> Kind | None:
    value = assign.value
    if value.kind in _LITERALS:
        return _LITERALS[value.kind] if not value.items else None
    call = where.call_of(value)
    if call is None:
        return None
    path = where.path(call)
    if path == "dataclasses.field":
        factory = dict(call.keywords).get("default_factory")
        return _MADE_BY.get(f"builtins.{factory.ref}") if factory else None
    if path == "collections.deque" and where.argument(call, 1, "maxlen") is not None:
        return None
    return _MADE_BY.get(path)


def _has_bounded_items(assign: Assign, where: Where) -> bool:
    made = where.call_of(assign.value)
    factory = where.argument(made, 0) if made is not None else None
    if factory is None:
        return False
    calls = where.calls_in(factory.block) if factory.kind == "lambda" else [where.call_of(factory)]
    return any(call is not None and "maxlen" in dict(call.keywords) for call in calls)


def _additions(where: Where) -> dict[str, list[Call | Assign]]:
    """Return what may add to a container, by what is written in front: ``self.seen``."""
    found: dict[str, list[Call | Assign]] = {}
    for call in where.file.calls:
        receiver, _, verb = call.func.rpartition(".")
        if verb in _GROWING and call.args:
            found.setdefault(receiver, []).append(call)
    for assign in where.file.assigns:
        if assign.op == "=" and assign.target.endswith(".[]"):
            found.setdefault(assign.target, []).append(assign)
    return found


def _growths_of(
    container: Container, additions: dict[str, list[Call | Assign]], where: Where
) -> Iterator[Growth]:
    items = f"{container.name}.[]"
    found = [*additions.get(container.name, ()), *additions.get(items, ())]
    for addition in sorted(found, key=lambda one: (isinstance(one, Assign), one.place)):
        if not _is_here(container, addition.block, where):
            continue
        if isinstance(addition, Call):
            yield from _growth_by_call(container, addition)
        elif container.kind == "dict":
            key, value = addition.key, addition.value
            yield Growth(container, addition.place, addition.block, "[]=", key, value)
    for read in where.file.subscripts if container.on_demand else ():
        if read.ref == container.name and _is_here(container, read.block, where):
            yield Growth(container, read.place, read.block, "[]", read.key)


def _growth_by_call(container: Container, call: Call) -> Iterator[Growth]:
    receiver, _, verb = call.func.rpartition(".")
    bounded = container.bounded_items and receiver != container.name
    if bounded or (container.kind == "dict" and verb == "update"):
        return
    value = call.args[1] if verb == "setdefault" and len(call.args) > 1 else None
    yield Growth(container, call.place, call.block, verb, call.args[0], value)


def _is_here(container: Container, block: int, where: Where) -> bool:
    """Tell whether the name in ``block`` means this container."""
    function = where.file.blocks[block].function
    if container.owner >= 0:
        cls = where.class_of(block)
        return cls is not None and cls.number == container.owner
    if container.function >= 0:
        return function == container.function
    if function < 0:
        return False
    facts = where.file.functions[function]
    bound = where.program.names.scopes[where.index].table.get(facts.block, {})
    return container.name not in bound or container.name in facts.shared


def _shrinks(container: Container, where: Where) -> bool:
    bare = container.name.removeprefix("self.")
    shrunk = _shrunk_names(where)
    if container.function < 0 and (_ATTRIBUTE, bare) in shrunk:
        return True
    if container.owner < 0 and any((file, bare) in shrunk for file in _users(bare, where)):
        return True
    return _is_replaced(container, where)


def _users(name: str, where: Where) -> list[int]:
    """Return this file and those that import ``name`` by itself."""
    return [where.index, *_importers(where).get(name, ())]


def _by_name(parts: Sequence[Sequence[str]]) -> Mapping[str, Sequence[int]]:
    found: dict[str, list[int]] = {}
    for number, part in enumerate(parts):
        for name in part:
            found.setdefault(name, []).append(number)
    return found


@survey(_by_name)
def _importers(where: Where) -> tuple[str, ...]:
    return tuple(sorted({entry.name for entry in where.file.imports}))


def _is_replaced(container: Container, where: Where) -> bool:
    """Tell whether the name is bound again after its first binding."""
    times = 0
    for assign in where.file.assigns:
        if assign.op in {":", "del"} or assign.target != container.name:
            continue
        function = where.function(assign.block)
        if container.owner >= 0:
            cls = where.class_of(assign.block)
            if cls is None or cls.number != container.owner:
                continue
            if function is not None and function.name in {"__init__", "__post_init__"}:
                continue
            if _kind(assign, where) is None or times or _set_up_elsewhere(container, where):
                return True
            times += 1
        elif container.function >= 0:
            if where.file.blocks[assign.block].function == container.function:
                times += 1
        elif function is None or container.name not in function.shared:
            continue
        elif not _is_start(assign, where):
            return True
    return container.function >= 0 and times > 1


def _is_start(assign: Assign, where: Where) -> bool:
    """Tell whether a global gets its first content: once, while the program starts."""
    early = where.start_up.runs_early(where.function_id(assign.block))
    return early and where.hot(assign.block) is None


def _set_up_elsewhere(container: Container, where: Where) -> bool:
    """Tell whether ``__init__`` (or the class body) makes the container: later is a reset."""
    for assign in where.file.assigns:
        function = where.function(assign.block)
        if function is None and f"self.{assign.target}" == container.name:
            return True
        if assign.target == container.name and function and function.name == "__init__":
            return True
    return False


def _by_owner(parts: Sequence[Sequence[str]]) -> Collection[tuple[int, str]]:
    """Return the shrunk names as (file, bare name) and (_ATTRIBUTE, its name)."""
    found: set[tuple[int, str]] = set()
    for number, part in enumerate(parts):
        for reference in part:
            owner, _, name = reference.rpartition(".")
            found.add((_ATTRIBUTE if owner else number, name))
    return found


@survey(_by_owner)
def _shrunk_names(where: Where) -> tuple[str, ...]:
    """Return the names of containers that something shrinks."""
    references = _shrunk_references(where.file)
    return tuple(sorted({reference.removesuffix(".[]") for reference in references}))


def _shrunk_references(facts: FileFacts) -> Iterator[str]:
    compared: set[str] | None = None
    for call in facts.calls:
        receiver, _, verb = call.func.rpartition(".")
        if verb in _SHRINKING:
            yield receiver
        if verb in _READING or verb in _GROWING:
            if verb == "len" and call.args:
                compared = _compared(facts) if compared is None else compared
                if f"@{call.number}" in compared:
                    yield call.args[0].ref
        elif call.args or call.keywords:
            yield from _handed_on(call)
    for assign in facts.assigns:
        if assign.op == "del" or assign.op in {"Sub=", "BitAnd="}:
            yield assign.target.removesuffix(".[]")
        elif assign.op == "=" and assign.value.kind == "ref" and assign.value.ref[:1] != "@":
            yield assign.value.ref  # another name for it, or a part of itself: x = x[-100:]


def _compared(facts: FileFacts) -> set[str]:
    """Return the references that conditions look at."""
    return {
        item
        for block in facts.blocks
        if block.kind in {"if", "while", "case"} and block.value is not None
        for item in _references(block.value)
    }


def _handed_on(call: Call) -> Iterator[str]:
    for value in (*call.args, *[value for _, value in call.keywords]):
        if value.kind == "ref" and value.ref[0] not in "@$":
            owner, _, verb = value.ref.rpartition(".")
            yield owner if verb in _SHRINKING else value.ref  # task.add_done_callback(s.discard)


def _references(value: Value) -> Iterator[str]:
    yield value.ref
    for item in value.items:
        yield from _references(item)
