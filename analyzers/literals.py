"""What the code writes down: the expression behind a name, the number, the start of an address."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urljoin

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Assign, Call, Value
from perfscan.analyzers.scopes import Binding
from perfscan.analyzers.sites import argument_of

_DEPTH = 4
_HOST = re.compile(r"(?:https?|wss?)://([^/:?#{}\s]+)", re.IGNORECASE)
_FORMATTED = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]")
_ENVIRONMENT = ("os.getenv", "os.environ.get", "getenv", "environ.get")


class Spot(NamedTuple):
    """An expression and where it stands."""

    value: Value
    where: Where
    block: int


def source(spot: Spot, depth: int = 0) -> Spot | None:
    """Follow a name to the one expression that it is bound to, in whatever file; None if many."""
    value = spot.value
    if value.kind != "ref" or (value.ref.startswith("@") and "." not in value.ref):
        return spot
    if depth > _DEPTH or value.ref.startswith(("@", "$")) or "[]" in value.ref:
        return None
    found = _bound(spot)
    return source(found, depth + 1) if found is not None else None


def number(value: Value | None, where: Where, block: int, depth: int = 0) -> float | None:
    """Return the number that an expression is, as far as it is written down."""
    if value is None or depth > _DEPTH:
        return None
    if value.kind == "const":
        is_number = isinstance(value.const, int | float) and not isinstance(value.const, bool)
        return float(value.const) if is_number and value.const is not None else None
    if value.kind == "binary":
        return _computed(value, where, block, depth)
    call = where.call_of(value)
    if call is not None:
        if call.func in {"int", "float"} and call.args:
            return number(call.args[0], where, block, depth + 1)
        if call.func in _ENVIRONMENT and len(call.args) > 1:
            return _parsed(call.args[1])
        return None
    found = source(Spot(value, where, block))
    if found is None or found.value is value:
        return None
    return number(found.value, found.where, found.block, depth + 1)


def _computed(value: Value, where: Where, block: int, depth: int) -> float | None:
    items = [number(item, where, block, depth + 1) for item in value.items]
    known = [item for item in items if item is not None]
    if len(known) < len(items) or len(known) < 2:
        return None
    result = known[0]
    for item in known[1:]:
        if value.ref == "Mult":
            result *= item
        elif value.ref == "Add":
            result += item
        elif value.ref == "Div" and item:
            result /= item
        else:
            return None
    return result


def _parsed(value: Value) -> float | None:
    try:
        return float(value.const) if value.const is not None else None
    except ValueError:
        return None


def address(value: Value | None, where: Where, block: int) -> str:
    """Return the beginning of a URL, as far as it is written down: ``https://api.x.org/v1``."""
    return url(value, where, block).partition("*")[0]


def url(value: Value | None, where: Where, block: int, depth: int = 0) -> str:
    """Return a URL with ``*`` for each part that is not written down; ``*`` for nothing known."""
    if value is None or depth > _DEPTH:
        return "*"
    if value.kind == "const":
        return str(value.const)
    if value.kind == "fstring" or (value.kind == "binary" and value.ref == "Add"):
        return "".join(url(item, where, block, depth + 1) for item in value.items)
    if value.kind == "binary" and value.ref == "Mod":
        return _FORMATTED.sub("*", url(value.items[0], where, block, depth + 1))
    call = where.call_of(value)
    if call is not None:
        return _built(call, where, depth)
    found = source(Spot(value, where, block))
    if found is not None and found.value is not value:
        return url(found.value, found.where, found.block, depth + 1)
    return _passed(value, where, block, depth)


def _built(call: Call, where: Where, depth: int) -> str:
    """Return what a call makes of the texts that it is given."""
    name = call.func.rpartition(".")[2]
    if call.func in _ENVIRONMENT and len(call.args) > 1:
        return url(call.args[1], where, call.block, depth + 1)
    if name in {"str", "URL"} and call.args:
        return url(call.args[0], where, call.block, depth + 1)
    if name == "urljoin" and len(call.args) > 1:
        base, more = [url(value, where, call.block, depth + 1) for value in call.args[:2]]
        return urljoin(base, more)
    return "*"


def host(address: str) -> str:
    """Return the host of an address, "" when it is not written down."""
    match = _HOST.match(address)
    return match[1].lower() if match else ""


def _passed(value: Value, where: Where, block: int, depth: int) -> str:
    """Return the URL that all callers of the function pass for one of its parameters."""
    function = where.function(block)
    if function is None or value.kind != "ref":
        return "*"
    positions = [i for i, param in enumerate(function.params) if param.name == value.ref]
    sites = where.program.callers.get((where.index, function.number), ())
    if not positions or not sites:
        return "*"
    found: set[str] = set()
    for file, index in sites[:_DEPTH]:
        site = where.program.site((file, index))
        passed = argument_of(site.call, function, positions[0], value.ref)
        found.add(url(passed, where.sibling(file), site.call.block, depth + 1))
    if len(found) == 1:
        return found.pop()
    hosts = {host(text) for text in found}
    return f"https://{hosts.pop()}/*" if len(hosts) == 1 and hosts != {""} else "*"


# One step from a name to what it is bound to.


def _bound(spot: Spot) -> Spot | None:
    base, _, rest = spot.value.ref.partition(".")
    where = spot.where
    owner = where.class_of(spot.block)
    if rest and base in {"self", "cls"} and owner is not None:
        return _attribute(where, owner.number, rest)
    bindings = _bindings(where, base, spot.block)
    if len(bindings) != 1:
        return None
    binding = bindings[0]
    if rest and binding.kind == "class" and "." not in rest:
        return _attribute(where, binding.number, rest)
    if binding.kind == "import":
        return _imported(where, spot)
    if rest or binding.kind != "assign":
        return None
    return _assigned(where, where.file.assigns[binding.number])


def _bindings(where: Where, name: str, block: int) -> list[Binding]:
    blocks, table = where.file.blocks, where.program.names.scopes[where.index].table
    scope, first = blocks[block].scope, True
    while scope >= 0:
        if (first or blocks[scope].kind != "class") and name in table.get(scope, ()):
            return table[scope][name]
        first = False
        scope = blocks[blocks[scope].parent].scope if blocks[scope].parent >= 0 else -1
    return []


def _assigned(where: Where, assign: Assign) -> Spot | None:
    if assign.op != "=" and not (assign.op == ":" and assign.value.kind != "other"):
        return None
    return Spot(assign.value, where, assign.block)


def _attribute(where: Where, cls: int, name: str) -> Spot | None:
    scopes = where.program.names.scopes[where.index]
    assigns = list(scopes.attributes.get(cls, {}).get(name, ()))
    body = where.file.classes[cls].block
    held = scopes.table.get(body, {}).get(name, ())
    assigns += [where.file.assigns[b.number] for b in held if b.kind == "assign"]
    return _assigned(where, assigns[0]) if len(assigns) == 1 else None


def _imported(where: Where, spot: Spot) -> Spot | None:
    """Follow ``from settings import URL`` and ``settings.URL`` into the scanned module."""
    base, _, rest = spot.value.ref.partition(".")
    names = where.program.names
    bindings = _bindings(where, base, spot.block)
    entry = where.file.imports[bindings[0].number]
    module, name = entry.module, rest or entry.name
    if not rest and not entry.name:
        return None
    if rest and entry.name:
        things = names.resolve(where.index, base, spot.block, 1 << 30)
        module = next((thing.path for thing in things if thing.kind == "module"), "")
        return _global(where, names.modules.file(tuple(module.split("/"))), name)
    parts = (
        names.modules.relative(where.index, where.file.path, entry.level, module)
        if entry.level
        else names.modules.absolute(where.index, module)
    )
    return _global(where, names.modules.file(parts), name) if parts is not None else None


def _global(where: Where, file: int, name: str) -> Spot | None:
    if file < 0 or "." in name:
        return None
    bindings = where.program.names.scopes[file].table.get(0, {}).get(name, [])
    if len(bindings) != 1 or bindings[0].kind != "assign":
        return None
    view = where.sibling(file)
    return _assigned(view, view.file.assigns[bindings[0].number])
