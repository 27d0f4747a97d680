"""Which names hold lists, sets, dictionaries or text, going by everything that binds them."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.containers import constructions
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Param, Value

_LITERALS = frozenset({"list", "set", "dict", "tuple"})
_MAKERS = {
    "list": "list", "sorted": "list", "set": "set", "frozenset": "set", "dict": "dict",
    "tuple": "tuple", "str": "str", "deque": "deque", "defaultdict": "dict", "Counter": "dict",
    "OrderedDict": "dict",
}  # fmt: skip
_LISTING = frozenset(
    {"split", "rsplit", "splitlines", "readlines", "listdir", "findall", "tolist", "most_common"}
)
"""Functions and methods that return a list, whatever they belong to."""

_ANNOTATIONS = {
    "List": "list", "Set": "set", "FrozenSet": "set", "frozenset": "set", "Dict": "dict",
    "Mapping": "dict", "MutableMapping": "dict", "DefaultDict": "dict", "defaultdict": "dict",
    "Tuple": "tuple", "Deque": "deque", "list": "list", "set": "set", "dict": "dict",
    "tuple": "tuple", "str": "str", "deque": "deque",
}  # fmt: skip


def sort_of(value: Value, where: Where) -> str:
    """Return what an expression makes: list, set, dict, tuple, deque, str, or "" if unknown."""
    if value.kind in _LITERALS:
        return value.kind
    if value.kind == "comp":
        return value.ref
    if value.kind == "fstring" or (value.kind == "const" and isinstance(value.const, str)):
        return "str"
    call = where.call_of(value)
    if call is None:
        return ""
    receiver, _, verb = call.func.rpartition(".")
    if not receiver and verb in _MAKERS:
        return _MAKERS[verb]
    if receiver and verb in _LISTING:
        return "list"
    if where.path(call) == "dataclasses.field":
        factory = dict(call.keywords).get("default_factory")
        return _MAKERS.get(factory.ref, "") if factory is not None else ""
    return (
        _MAKERS.get(verb, "")
        if receiver in {"collections", "builtins"}
        else _returned(value, where)
    )


def _returned(value: Value, where: Where) -> str:
    """Return what the annotation of a scanned function says of its result."""
    call = where.call_of(value)
    targets = where.targets(call) if call is not None else ()
    found = {
        sort_of_annotation(function.returns) if function is not None else ""
        for function in map(where.program.function, targets)
    }
    return found.pop() if len(found) == 1 else ""


def sort_of_annotation(annotation: Value | None) -> str:
    """Return what an annotation names."""
    if annotation is None:
        return ""
    return _ANNOTATIONS.get(annotation.ref.rpartition(".")[2], "")


def sort_of_name(ref: str, block: int, where: Where) -> str:
    """Return what a name or ``self.name`` holds when all its bindings agree, else ""."""
    found: set[str] = set()
    for binding in bindings(ref, block, where):
        if binding.annotation is not None:
            found.add(sort_of_annotation(binding.annotation))
        elif isinstance(binding, Assign) and binding.op in {"=", ":="}:
            if binding.value.kind != "const" or binding.value.const is not None:
                found.add(sort_of(binding.value, where))
        elif not isinstance(binding, Assign) or binding.op in {"for", "with", "except"}:
            found.add("")
    return found.pop() if len(found) == 1 else ""


def bindings(ref: str, block: int, where: Where) -> Iterator[Assign | Param]:
    """Yield the assignments and parameters that may give a name its value at ``block``."""
    scopes = where.program.names.scopes[where.index]
    base, _, rest = ref.partition(".")
    if rest:
        cls = where.class_of(block)
        if base == "self" and cls is not None and "." not in rest:
            yield from scopes.attributes.get(cls.number, {}).get(rest, ())
            for entry in scopes.table.get(cls.block, {}).get(rest, ()):
                if entry.kind == "assign":
                    yield where.file.assigns[entry.number]
        return
    blocks = where.file.blocks
    scope = blocks[block].scope
    while scope >= 0:
        found = scopes.table.get(scope, {}).get(base)
        if found and blocks[scope].kind != "class":
            for entry in found:
                if entry.kind == "assign":
                    yield where.file.assigns[entry.number]
                elif entry.kind == "param":
                    yield where.file.functions[entry.number].params[entry.extra]
            return
        scope = blocks[blocks[scope].parent].scope if blocks[scope].parent >= 0 else -1


def is_made_inside(ref: str, loop: int, where: Where) -> bool:
    """Tell whether each turn of a loop gives a name a new value, so that it starts small again."""
    inside = where.below(loop)
    return any(
        isinstance(binding, Assign)
        and binding.block in inside
        and binding.op in {"=", ":=", "for", "with"}
        for binding in bindings(ref, loop, where)
    )


def is_long(ref: str, block: int, where: Where) -> bool:
    """Tell whether a list is as long as some data: made from it, or added to in a loop."""
    for binding in bindings(ref, block, where):
        if isinstance(binding, Assign) and _holds_data(binding.value, where):
            return True
    adding = (f"{ref}.append", f"{ref}.extend", f"{ref}.insert")
    return any(
        call.func in adding and (where.data_loops(call.block) or where.hot(call.block))
        for call in where.file.calls
    )


def _holds_data(value: Value, where: Where) -> bool:
    if value.kind == "comp":
        iterable = where.block(value.block).value
        return iterable is not None and not where.is_few(iterable)
    call = where.call_of(value)
    if call is None:
        return False
    made = call.func.rpartition(".")[2] in {"list", "sorted", "listdir", "readlines"}
    return made and not any(where.is_few(item) for item in call.args[:1])


def is_few_written(ref: str, block: int, where: Where) -> bool:
    """Tell whether a list is written down in the code and nothing makes it longer."""
    if ref.rpartition(".")[2].isupper():
        return True
    bound = list(bindings(ref, block, where))
    written = all(
        isinstance(one, Assign) and one.value.kind == "list" and one.value.items for one in bound
    )
    return bool(bound) and written and not is_long(ref, block, where)


def outlives_turn(ref: str, block: int, where: Where) -> bool:
    """Tell whether a list may outlive one turn of the bot's loop, as far as that is known."""
    if where.is_cold(block):
        return False
    heat, blocks = where.hot(block), where.file.blocks
    if heat is None or (heat.block >= 0 and not heat.via):
        return True  # no loop or handler is known here, or this is the endless loop itself
    function = where.function(block)
    local = [
        bound in function.params
        if isinstance(bound, Param)
        else blocks[bound.block].function == function.number
        for bound in bindings(ref, block, where)
        if function is not None
    ]
    if ref.startswith("self."):
        return not _is_made_in_turns(block, where)
    return "." in ref or not any(local)


def _is_made_in_turns(block: int, where: Where) -> bool:
    """Tell whether the bot's loops and handlers make the object, and others than its own."""
    heat, cls = where.hot(block), where.class_of(block)
    if heat is None or cls is None or not heat.via:
        return False
    first = where.sibling(heat.via[0][0])
    driver = first.class_of(first.file.calls[heat.via[0][1]].block)
    if heat.via[0][0] == where.index and driver is not None and driver.number == cls.number:
        return False
    made = constructions(where).get((where.index, cls.number), ())
    views = [(where.sibling(file), number) for file, number in made]
    return any(view.hot(view.file.calls[number].block) is not None for view, number in views)
