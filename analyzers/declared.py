"""What the code itself says of types: annotations, aliases, type variables, isinstance."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from perfscan.analyzers.annotations import annotation_of
from perfscan.analyzers.facts import Block, Call, FileFacts, Value
from perfscan.analyzers.sharing import Shared
from perfscan.analyzers.things import Thing, Things, container_of, tuple_of, union

if TYPE_CHECKING:
    from perfscan.analyzers.names import Names

_VAGUE = ("typing.", "builtins.", "collections.abc.", "types.", "typing_extensions.")
_MAPPINGS = frozenset(
    {"dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "DefaultDict", "OrderedDict"}
)
_LEAVING = frozenset({"return", "raise", "continue", "break"})
_END = 1 << 30


class Declared:
    """The half of ``Names`` that reads declarations."""

    forms = frozenset(
        {
            "typing.Optional", "typing.Union", "typing.Annotated", "typing_extensions.Annotated",
        }
    )  # fmt: skip
    """What a type in brackets may follow."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._shared = Shared()
        self._checks: dict[int, dict[tuple[int, str], list[_Check]]] = {}

    def instances(self, file: int, annotation: Value, block: int) -> Things:
        """Return instances of the annotated type; vague types (Any, object) give nothing."""
        kind = annotation.kind
        if kind == "ref":
            if annotation.ref in {"str", "int", "float", "bool", "None", "dict", "list", "Any"}:
                return ()
            return self._instances_of(self._names.resolve(file, annotation.ref, block, _END))
        if kind == "boolean":
            return union(self.instances(file, item, block) for item in annotation.items)
        if kind == "list":
            items = self.instances(file, annotation.items[0], block)
            path = "dict" if annotation.ref in _MAPPINGS else ""
            return (container_of(items, path),) if items else ()
        if kind == "tuple":
            parts = [self.instances(file, item, block) for item in annotation.items]
            return (tuple_of(parts),) if any(parts) else ()
        if kind == "type":
            return self._names.resolve(file, annotation.items[0].ref, block, _END)
        return ()

    def _instances_of(self, things: Things) -> Things:
        found: list[Thing] = []
        for thing in things:
            if thing.kind == "class":
                found.append(Thing("instance", "", thing.file, thing.number))
            elif thing.kind == "external" and not thing.path.startswith(_VAGUE):
                found.append(self._names.external(f"{thing.path}()"))
        return tuple(found)

    def classes(self, file: int, value: Value, block: int) -> Things:
        """Return the classes that an expression names where a type is expected, quoted or not."""
        if not isinstance(value.const, str):
            return self._names.evaluate(file, value, block, _END)
        quoted = annotation_of(ast.Constant(value.const), self._shared)
        if quoted is None:
            return ()
        parts = quoted.items if quoted.kind == "boolean" else (quoted,)
        return union(
            self._names.resolve(file, part.ref, block, _END) for part in parts if part.kind == "ref"
        )

    def narrowed(self, file: int, name: str, block: int, order: int) -> Things:
        """Return what ``isinstance`` says of a name, below its ``if`` or after its ``assert``."""
        if file not in self._checks:
            self._checks[file] = _find_checks(self._names.files[file])
        checks = self._checks[file]
        if not checks:
            return ()
        blocks = self._names.files[file].blocks
        for check in checks.get((blocks[block].function, name), ()):
            if check.call.number < order and _is_inside(blocks, block, check.block):
                kind = check.call.args[1]
                kinds = kind.items if kind.kind == "tuple" else (kind,)
                return union(
                    self._instances_of(self.classes(file, item, check.block)) for item in kinds
                )
        return ()


class _Check(NamedTuple):
    """An ``isinstance`` and the block that only runs when it holds."""

    call: Call
    block: int


def _find_checks(facts: FileFacts) -> dict[tuple[int, str], list[_Check]]:
    """Index the checks of a file by function and name."""
    calls = [c for c in facts.calls if c.func == "isinstance" and len(c.args) == 2]
    if not calls:
        return {}
    holding = {
        jump.value.ref: jump.block for jump in facts.jumps if jump.kind == "assert" and jump.value
    }
    leaving = {jump.block for jump in facts.jumps if jump.kind in _LEAVING}
    for block in facts.blocks:
        if block.kind in {"if", "while"} and block.value is not None:
            for test in block.value.items if block.value.ref == "And" else (block.value,):
                holding[test.ref] = block.number
            if block.value.ref == "Not" and block.number in leaving:
                holding[block.value.items[0].ref] = block.parent
    found: dict[tuple[int, str], list[_Check]] = {}
    for call in calls:
        home = holding.get(f"@{call.number}")
        if home is not None:
            key = (facts.blocks[call.block].function, call.args[0].ref)
            found.setdefault(key, []).append(_Check(call, home))
    return found


def _is_inside(blocks: Sequence[Block], block: int, outer: int) -> bool:
    while block > outer:  # blocks are numbered from the outside in
        block = blocks[block].parent
    return block == outer
