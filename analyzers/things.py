"""What a name may mean: libraries, scanned functions and classes, instances, containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

_MAX_THINGS = 6
_MAX_DEPTH = 40


class Thing(NamedTuple):
    """What a name may mean.

    kind: ``external`` (path: ``requests.Session().get``), ``module`` (path: dotted parts),
    ``function``, ``class``, ``instance`` (of a scanned class; file and number point to it),
    ``container`` (items; path ``dict`` when iterating gives keys), ``tuple`` (items are ``slot``s,
    each with the things at that position), ``generator`` (a call of a scanned one; items),
    ``accessor`` (a method of a container), ``super``. What a library made may hold items, too.
    """

    kind: str
    path: str = ""
    file: int = -1
    number: int = -1
    items: tuple[Thing, ...] = ()


Things = tuple[Thing, ...]


def tuple_of(parts: Iterable[Things]) -> Thing:
    """Return a tuple that holds ``parts`` in this order."""
    return Thing("tuple", "", -1, -1, tuple([Thing("slot", "", -1, -1, part) for part in parts]))


def container_of(items: Things, path: str = "") -> Thing:
    """Return a container that holds ``items``."""
    return Thing("container", path, -1, -1, items)


def held_by(thing: Thing) -> Things:
    """Return what a subscript of ``thing`` may give."""
    if thing.kind == "tuple":
        return union(slot.items for slot in thing.items)
    return thing.items


def part_of(thing: Thing, position: int) -> Things:
    """Return what unpacking ``thing`` binds to the name at ``position``."""
    if thing.kind == "tuple":
        known = -len(thing.items) <= position < len(thing.items)
        return thing.items[position].items if known else ()
    return () if thing.path == "dict" else thing.items


def iterated(thing: Thing) -> Things:
    """Return what iterating over ``thing`` gives."""
    return () if thing.path == "dict" else held_by(thing)


def union(groups: Iterable[Things]) -> Things:
    """Return the things of all groups, once each, in order; at most a handful."""
    found: dict[Thing, None] = {}
    for group in groups:
        for thing in group:
            found[thing] = None
    return tuple(found)[:_MAX_THINGS]


class Memo:
    """Answers that are worked out once; a question inside its own answer gets nothing."""

    def __init__(self) -> None:
        self._answers: dict[tuple[object, ...], Things] = {}
        self._depth = 0

    def once(self, key: tuple[object, ...], compute: Callable[[], Things]) -> Things:
        """Return the answer to ``key``; too deep a recursion gives nothing and is not kept."""
        known = self._answers.get(key)
        if known is not None:
            return known
        if self._depth >= _MAX_DEPTH:
            return ()
        self._answers[key] = ()
        self._depth += 1
        try:
            self._answers[key] = answer = compute()
        finally:
            self._depth -= 1
        return answer

    @property
    def idle(self) -> bool:
        """No question is being answered right now."""
        return self._depth == 0

    def forget_nothings(self) -> None:
        """Drop the answers that came to nothing, because more has become known."""
        self._answers = {key: things for key, things in self._answers.items() if things}
