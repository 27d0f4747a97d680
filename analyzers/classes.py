"""Scanned classes: their bases, what they inherit, and what overrides them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from perfscan.analyzers.facts import FileFacts, Value
from perfscan.analyzers.scopes import FileScopes
from perfscan.analyzers.things import Memo, Thing, Things, union

ClassId = tuple[int, int]
"""File and class."""

Evaluate = Callable[[int, Value, int, int], Things]
"""(file, value, block, order) to what the value may mean."""

_PLAIN = ("builtins.", "typing.", "abc.", "enum.", "typing_extensions.")
_END = 1 << 30


class Classes:
    """Answers questions about inheritance; bases are evaluated by the given function."""

    def __init__(
        self, files: Sequence[FileFacts], scopes: Sequence[FileScopes], evaluate: Evaluate
    ) -> None:
        self._files = files
        self._scopes = scopes
        self._evaluate = evaluate
        self._memo = Memo()
        self._children: dict[ClassId, list[ClassId]] | None = None

    def lineage(self, file: int, cls: int) -> tuple[ClassId, ...]:
        """Return the class and its scanned bases, nearest first."""
        bases = self._bases(file, cls)
        return ((file, cls), *[(t.file, t.number) for t in bases if t.kind == "class"])

    def external_bases(self, file: int, cls: int) -> list[str]:
        """Return the paths of the library classes that a scanned class derives from."""
        return [
            thing.path
            for thing in self._bases(file, cls)
            if thing.kind == "external" and not thing.path.startswith(_PLAIN)
        ]

    def method(self, file: int, cls: int, name: str) -> Things:
        """Return the method ``name`` of a scanned class or its scanned bases."""
        for home, number in self.lineage(file, cls):
            found = self._scopes[home].methods.get(number, {}).get(name)
            if found is not None:
                return (Thing("function", "", home, found),)
        return ()

    def overrides(self, file: int, cls: int, name: str) -> Things:
        """Return the methods of subclasses, for a base that only declares the interface."""
        return union(
            (Thing("function", "", home, method),)
            for home, number in self._below().get((file, cls), ())
            if (method := self._scopes[home].methods.get(number, {}).get(name)) is not None
        )

    def _bases(self, file: int, cls: int) -> Things:
        return self._memo.once((file, cls), lambda: self._find_bases(file, cls))

    def _find_bases(self, file: int, cls: int) -> Things:
        facts = self._files[file].classes[cls]
        found: dict[Thing, None] = {}
        for base in facts.bases:
            for thing in self._evaluate(file, base, facts.outer, _END):
                found[thing] = None
                if thing.kind == "class" and (thing.file, thing.number) != (file, cls):
                    found.update(dict.fromkeys(self._bases(thing.file, thing.number)))
        return tuple(found)

    def _below(self) -> dict[ClassId, list[ClassId]]:
        if self._children is None:
            self._children = {}
            for file, facts in enumerate(self._files):
                for cls in facts.classes:
                    if cls.bases:
                        for base in self.lineage(file, cls.number)[1:]:
                            self._children.setdefault(base, []).append((file, cls.number))
        return self._children
