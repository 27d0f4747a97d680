"""Who binds a name where: the bindings of one file, by scope."""

from __future__ import annotations

from typing import NamedTuple

from perfscan.analyzers.facts import Assign, FileFacts, Import, Jump


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


Bindings = dict[int, dict[str, list[Binding]]]


class FileScopes:
    """The names of one file: bindings per scope block, and attribute assignments per class."""

    def __init__(self, facts: FileFacts) -> None:
        self.facts = facts
        self.table: Bindings = {}
        self.stars: list[Import] = []
        self.attributes: dict[int, dict[str, list[Assign]]] = {}
        """By class: what methods assign to ``self.<path>``."""
        self.methods: dict[int, dict[str, int]] = {}
        """By class: functions by name; the last definition wins."""
        self.function_of_block = {f.block: f.number for f in facts.functions}
        self.class_of_block = {c.block: c.number for c in facts.classes}
        self.jumps: dict[int, list[Jump]] = {}
        """By function: its returns, yields and the like."""
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
                    Binding("function", function.number, function.outer, function.place[0]),
                )
            for position, param in enumerate(function.params):
                bound = Binding(
                    "param", function.number, function.block, function.place[0], position
                )
                self._add(function.block, param.name, bound)
            if function.owner >= 0:
                self.methods.setdefault(function.owner, {})[function.name] = function.number
        for cls in facts.classes:
            self._add(cls.outer, cls.name, Binding("class", cls.number, cls.outer, cls.place[0]))
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
        for index, assign in enumerate(self.facts.assigns):
            base, _, path = assign.target.partition(".")
            if not path:
                bound = Binding("assign", index, assign.block, assign.place[0])
                self._add(assign.block, base, bound)
                continue
            owner = selves.get((self.facts.blocks[assign.block].function, base), -1)
            if owner >= 0:
                table = self.attributes.setdefault(owner, {})
                table.setdefault(path, []).append(assign)

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


def _is_static(decorators: tuple[object, ...]) -> bool:
    return any(getattr(item, "ref", "") == "staticmethod" for item in decorators)
