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
_PROTOCOLS = frozenset({"typing.Protocol", "typing_extensions.Protocol"})
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
        self._lineages: dict[ClassId, tuple[ClassId, ...]] = {}

    def lineage(self, file: int, cls: int) -> tuple[ClassId, ...]:
        """Return the class and its scanned bases, in the order in which Python looks."""
        known = self._lineages.get((file, cls))
        if known is None:
            bases = [(t.file, t.number) for t in self._bases(file, cls) if t.kind == "class"]
            known = ((file, cls), *bases)
            if self._memo.idle:  # bases that are being worked out may be incomplete
                self._lineages[file, cls] = known
        return known

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

    def is_protocol(self, file: int, cls: int) -> bool:
        """Tell whether a class only declares an interface."""
        return any(thing.path.removesuffix(".[]") in _PROTOCOLS for thing in self._bases(file, cls))

    def overrides(self, file: int, cls: int, name: str) -> Things:
        """Return the methods of subclasses, for a base that only declares the interface."""
        return union(
            (Thing("function", "", home, method),)
            for home, number in self.below(file, cls)
            if (method := self._scopes[home].methods.get(number, {}).get(name)) is not None
        )

    def below(self, file: int, cls: int) -> list[ClassId]:
        """Return the scanned classes that derive from a class."""
        if self._children is None:
            self._children = self._find_children()
        return self._children.get((file, cls), [])

    def _find_children(self) -> dict[ClassId, list[ClassId]]:
        children: dict[ClassId, list[ClassId]] = {}
        for file, facts in enumerate(self._files):
            for cls in facts.classes:
                if cls.bases:
                    for base in self.lineage(file, cls.number)[1:]:
                        children.setdefault(base, []).append((file, cls.number))
        return children

    def _bases(self, file: int, cls: int) -> Things:
        return self._memo.once((file, cls), lambda: self._find_bases(file, cls))

    def _find_bases(self, file: int, cls: int) -> Things:
        facts = self._files[file].classes[cls]
        found: list[Thing] = []
        for base in facts.bases:
            for thing in self._evaluate(file, base, facts.outer, _END):
                if thing.kind == "class" and (thing.file, thing.number) != (file, cls):
                    found += (thing, *self._bases(thing.file, thing.number))
                elif thing.kind == "external":
                    found.append(thing)
        # A base that several branches share comes after all of them: its last mention counts.
        return tuple(dict.fromkeys(reversed(found)))[::-1]
