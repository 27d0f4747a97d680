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

Children = Callable[[ClassId, str], Sequence[ClassId]]
"""A class and the name of a method ("" for any) to the first classes that derive from the class
and have the method; none until the bases of all classes are known."""

_PLAIN = ("builtins.", "typing.", "abc.", "enum.", "typing_extensions.")
_PROTOCOLS = frozenset({"typing.Protocol", "typing_extensions.Protocol"})
_END = 1 << 30


class Classes:
    """Answers questions about inheritance; bases are evaluated by the given function."""

    def __init__(
        self,
        files: Sequence[FileFacts],
        scopes: Sequence[FileScopes],
        evaluate: Evaluate,
        memo: Memo,
    ) -> None:
        self._files = files
        self._scopes = scopes
        self._evaluate = evaluate
        self._memo = memo
        self.children: Children = lambda cls, method: ()

    def lineage(self, file: int, cls: int) -> tuple[ClassId, ...]:
        """Return the class and its scanned bases, in the order in which Python looks."""
        bases = [(t.file, t.number) for t in self._bases(file, cls) if t.kind == "class"]
        return ((file, cls), *bases)

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
            for home, number in self.children((file, cls), name)
            if (method := self._scopes[home].methods.get(number, {}).get(name)) is not None
        )

    def below(self, file: int, cls: int) -> Sequence[ClassId]:
        """Return the first scanned classes that derive from a class."""
        return self.children((file, cls), "")

    def _bases(self, file: int, cls: int) -> Things:
        return self._memo.once(("bases", file, cls), lambda: self._find_bases(file, cls))

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
