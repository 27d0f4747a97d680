"""Who binds a name where: the bindings of one file, by scope."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from perfscan.analyzers.facts import Assign, Call, FileFacts, Import, Jump, Value


class Binding(NamedTuple):
    """One way in which a name gets its value.

    kind: assign, function, class, import or param; ``number`` points into that list of the file
    (for a param: the function), ``extra`` is the parameter's position.
    """

    kind: str
    number: int
    block: int
    line: int
    extra: int = -1


class Held(NamedTuple):
    """A value that is put into a container: ``x.append(value)``, ``x[key] = value``."""

    value: Value
    block: int
    order: int


Bindings = dict[int, dict[str, list[Binding]]]

_ADDING = {
    "append": 0, "appendleft": 0, "add": 0, "put": 0, "put_nowait": 0, "insert": 1, "setdefault": 1,
}  # fmt: skip
"""Methods that put something into a container, and the position of what they put there."""


class FileScopes:
    """The names of one file: bindings per scope block, and attribute assignments per class."""

    def __init__(self, facts: FileFacts) -> None:
        self.facts = facts
        self.table: Bindings = {}
        self.stars: list[Import] = []
        self.attributes: dict[int, dict[str, list[Assign]]] = {}
        """By class: what methods assign to ``self.<path>``."""
        self.held_by_attribute: dict[int, dict[str, list[Held]]] = {}
        """By class and attribute."""
        self.held_by_name: dict[str, list[Held]] = {}
        """By plain name, whichever scope binds it."""
        self.methods: dict[int, dict[str, int]] = {}
        """By class: functions by name; the last definition wins."""
        self.function_of_block = {f.block: f.number for f in facts.functions}
        self.class_of_block = {c.block: c.number for c in facts.classes}
        self.jumps: dict[int, list[Jump]] = {}
        """By function: its returns, yields and the like."""
        self.calls: dict[int, list[int]] = {}
        """By function: the numbers of the calls that stand in it."""
        for call in facts.calls:
            self.calls.setdefault(facts.blocks[call.block].function, []).append(call.number)
        for jump in facts.jumps:
            self.jumps.setdefault(facts.blocks[jump.block].function, []).append(jump)
        self._shared = {f.block: f.shared for f in facts.functions if f.shared}
        self._fill()

    def _fill(self) -> None:
        facts = self.facts
        for function in facts.functions:
            if function.name != "<lambda>":
                self._add(
                    function.outer,
                    function.name,
                    Binding("function", function.number, function.outer, function.line),
                )
            for position, param in enumerate(function.params):
                bound = Binding("param", function.number, function.block, function.line, position)
                self._add(function.block, param.name, bound)
            if function.owner >= 0 and not _is_setter(function.decorators):
                self.methods.setdefault(function.owner, {})[function.name] = function.number
        for cls in facts.classes:
            self._add(cls.outer, cls.name, Binding("class", cls.number, cls.outer, cls.line))
        for index, entry in enumerate(facts.imports):
            if entry.name == "*":
                self.stars.append(entry)
            elif entry.bound:
                self._add(
                    entry.block, entry.bound, Binding("import", index, entry.block, entry.line)
                )
        self._fill_assigns()

    def _fill_assigns(self) -> None:
        selves = self._selves()
        blocks = self.facts.blocks
        for index, assign in enumerate(self.facts.assigns):
            base, _, path = assign.target.partition(".")
            if not path:
                bound = Binding("assign", index, assign.block, assign.line)
                self._add(assign.block, base, bound)
                continue
            owner = selves.get((blocks[assign.block].function, base), -1)
            if path == "[]" or (owner >= 0 and path.endswith(".[]")):
                held = Held(assign.value, assign.block, assign.order)
                self._hold(owner, assign.target.removesuffix(".[]"), held)
            if owner >= 0:
                table = self.attributes.setdefault(owner, {})
                table.setdefault(path, []).append(assign)
        for call in self.facts.calls:
            receiver, _, method = call.func.rpartition(".")
            if receiver and method in _ADDING and _ADDING[method] < len(call.args):
                owner = selves.get((blocks[call.block].function, receiver.partition(".")[0]), -1)
                held = Held(call.args[_ADDING[method]], call.block, call.number)
                self._hold(owner, receiver, held)
            elif call.func == "setattr" and len(call.args) == 3:
                self._set_attribute(call, selves)

    def _hold(self, owner: int, receiver: str, held: Held) -> None:
        path = receiver.partition(".")[2]
        if owner >= 0 and path:
            self.held_by_attribute.setdefault(owner, {}).setdefault(path, []).append(held)
        elif not path and self._is_made_here(held.value):
            self.held_by_name.setdefault(receiver, []).append(held)

    def _is_made_here(self, value: Value) -> bool:
        """Tell by its looks whether a value is a fresh instance or a function of the file.

        Data that goes from dictionary to dictionary would lead resolution round in circles.
        """
        if not value.ref.startswith("@"):
            return value.ref in self._functions
        number = value.ref[1:]
        func = self.facts.calls[int(number)].func if number.isdigit() else ""
        if func.startswith("@") or func.rpartition(".")[2][:1].isupper():
            return True  # getattr(ccxt, name)(), requests.Session()
        return "." in func and func.partition(".")[0] in self._imported

    def _set_attribute(self, call: Call, selves: dict[tuple[int, str], int]) -> None:
        """Take ``setattr(self, "name", value)`` for an assignment."""
        target, name, value = call.args
        owner = selves.get((self.facts.blocks[call.block].function, target.ref), -1)
        if owner >= 0 and isinstance(name.const, str):
            path = f"{target.ref}.{name.const}"
            made = Assign(path, "=", value, None, call.block, call.span, call.number)
            self.attributes.setdefault(owner, {}).setdefault(name.const, []).append(made)

    def scope_of(self, block: int, name: str) -> int:
        """Return the scope block that binds ``name`` as seen from ``block``, -1 when none does."""
        blocks = self.facts.blocks
        scope, first = blocks[block].scope, True
        while scope >= 0:
            if (first or blocks[scope].kind != "class") and name in self.table.get(scope, ()):
                return scope
            first = False
            scope = blocks[blocks[scope].parent].scope if blocks[scope].parent >= 0 else -1
        return -1

    def within(self, function: int) -> list[int]:
        """Return a function and the functions nested in it, at any depth."""
        inner = {function: None}
        for other in self.facts.functions[function + 1 :]:  # parents come first
            if other.parent in inner:
                inner[other.number] = None
        return list(inner)

    def exports(self, name: str) -> bool:
        """Tell whether ``from module import *`` carries ``name``."""
        listed = self._listed
        return name in listed if listed else not name.startswith("_")

    @cached_property
    def _imported(self) -> frozenset[str]:
        return frozenset([entry.bound for entry in self.facts.imports])

    @cached_property
    def _functions(self) -> frozenset[str]:
        return frozenset([function.name for function in self.facts.functions])

    def names_function(self, value: Value, block: int) -> bool:
        """Tell by its looks whether a value may be a function: most arguments are none."""
        if value.kind == "lambda":
            return True
        if value.kind != "ref":
            return False
        base, _, rest = value.ref.partition(".")
        if base.startswith("@"):
            number = base[1:]
            return number.isdigit() and self.facts.calls[int(number)].func.endswith("partial")
        if rest and rest.rpartition(".")[2] in self._functions:
            return True
        scope = self.scope_of(block, base)
        kinds = {"import"} if rest else {"import", "function"}
        return scope >= 0 and any(b.kind in kinds for b in self.table[scope][base])

    @cached_property
    def handing(self) -> frozenset[int]:
        """The functions that call one of their parameters, or pass one on."""
        found: set[int] = set()
        params = [{param.name for param in f.params} for f in self.facts.functions]
        for number, calls in self.calls.items():
            for index in calls if number >= 0 else ():
                call = self.facts.calls[index]
                if call.func in params[number] or any(v.ref in params[number] for v in call.args):
                    found.add(number)
                    break
        return frozenset(found)

    @cached_property
    def _listed(self) -> frozenset[str]:
        """What ``__all__`` names, nothing when it is not written out."""
        found: set[str] = set()
        for assign in self.facts.assigns:
            if assign.target == "__all__":
                items = assign.value.items
                if not items or not all(isinstance(item.const, str) for item in items):
                    return frozenset()
                found.update(str(item.const) for item in items)
        return frozenset(found)

    def _selves(self) -> dict[tuple[int, str], int]:
        """Map (function, name of its ``self``) to the class; nested functions inherit it."""
        by_function: dict[int, dict[str, int]] = {}
        for function in self.facts.functions:  # parents come first
            if function.owner >= 0 and function.params and not _is_static(function.decorators):
                by_function[function.number] = {function.params[0].name: function.owner}
            elif function.parent in by_function:
                taken = {param.name for param in function.params}
                inherited = by_function[function.parent].items()
                by_function[function.number] = {k: v for k, v in inherited if k not in taken}
        return {
            (function, name): owner
            for function, names in by_function.items()
            for name, owner in names.items()
        }

    def _add(self, block: int, name: str, binding: Binding) -> None:
        scope = self.facts.blocks[block].scope
        if name in self._shared.get(scope, ()) and binding.kind != "param":
            scope = self._home_of_shared(scope, name)
        self.table.setdefault(scope, {}).setdefault(name, []).append(binding)

    def _home_of_shared(self, scope: int, name: str) -> int:
        """Return where a ``global`` or ``nonlocal`` name lives."""
        blocks = self.facts.blocks
        above = blocks[blocks[scope].parent].scope
        while above > 0:
            if name in self.table.get(above, {}) and blocks[above].kind == "function":
                return above
            above = blocks[blocks[above].parent].scope
        return 0


def _is_setter(decorators: tuple[Value, ...]) -> bool:
    return any(item.ref.endswith((".setter", ".deleter")) for item in decorators)


def _is_static(decorators: tuple[object, ...]) -> bool:
    return any(getattr(item, "ref", "") == "staticmethod" for item in decorators)
