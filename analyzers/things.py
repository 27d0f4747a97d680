"""What a name may mean: libraries, scanned functions and classes, instances, containers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from perfscan.analyzers.tracing import Source, Sources, Trace

MAX_THINGS = 6
_MAX_DEPTH = 40
_LEVELS = 3
"""How often callers are asked for what they pass, and what is passed to them: twice."""


class Thing(NamedTuple):
    """What a name may mean.

    kind: ``external`` (path: ``requests.Session().get``), ``module`` (path: below the root),
    ``function``, ``class``, ``instance`` (of a scanned class; file and number point to it),
    ``container`` (items; path ``dict`` when iterating gives keys), ``tuple`` (items are ``slot``s,
    each with the things at that position), ``generator`` (a call of a scanned one; items),
    ``accessor`` (a method of a container), ``super``, ``parameter`` (of a function). What a library
    made may hold items, too.
    """

    kind: str
    path: str = ""
    file: int = -1
    number: int = -1
    items: tuple[Thing, ...] = ()


Things = tuple[Thing, ...]


def module_at(parts: Sequence[str]) -> Thing:
    """Return a scanned module; names of folders may hold dots."""
    return Thing("module", "/".join(parts))


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
    return tuple(found)[:MAX_THINGS]


_Known = tuple[Things, int, Sources]
"""The answer, how deep it goes, and what it was made from."""


_NOWHERE = 1 << 30
_TOO_DEEP = 0
"""Depths at which a circle may be entered: none was met, and none will do."""


class Memo:
    """Answers that are worked out once, each a function of the files alone.

    A question inside its own answer gets nothing, and so does one that is asked too deep. Where
    such a circle was entered its answer is whole; what was found out on the way round depends on
    that place, and is forgotten with it. So no answer depends on what was asked before it, and
    files can be linked in any order and by anybody.

    What callers pass is followed through a few functions only (``higher``). So the largest circles,
    of functions that pass things on to each other, are none: their answers can be kept.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._known: dict[tuple[object, ...], _Known] = {}
        self._by_level: list[dict[tuple[object, ...], _Known]] = [{} for _ in range(_LEVELS)]
        """Answers for which callers were asked, by the number of further callers to ask."""
        self._level = _LEVELS - 1
        self._levelled = False
        self._passing: dict[tuple[object, ...], tuple[Things, Sources, int]] = {}
        """Answers found on the way round a circle, with the depth at which it was entered."""
        self._running: dict[tuple[object, ...], int] = {}
        """The questions that are being answered, with their depth."""
        self._asked: dict[tuple[object, ...], tuple[Things, Sources]] = {}
        """Answers that ran too deep, to questions that were asked from outside."""
        self._depth = 0
        self._deepest = 0
        self._entry = _NOWHERE
        """The least depth of a circle's entry that the answer in work has come to."""

    def once(self, key: tuple[object, ...], compute: Callable[[], Things]) -> Things:
        """Return the answer to ``key``."""
        known = self._known.get(key)
        if known is None:
            known = self._by_level[self._level].get(key)
            if known is not None:
                self._levelled = True
        if known is not None and self._depth + known[1] <= _MAX_DEPTH:
            things, height, sources = known
            self._trace.sources |= sources
            if self._depth + height > self._deepest:
                self._deepest = self._depth + height
            return things
        key = (self._level, *key)
        if not self._depth and key in self._asked:
            things, sources = self._asked[key]
            self._trace.sources |= sources
            return things
        if key in self._passing:
            things, sources, entry = self._passing[key]
            self._trace.sources |= sources
            self._entry = min(self._entry, entry)
            return things
        if key in self._running or self._depth >= _MAX_DEPTH:
            self._entry = min(self._entry, self._running.get(key, _TOO_DEEP))
            return ()
        return self._work_out(key, compute)

    def _work_out(self, key: tuple[object, ...], compute: Callable[[], Things]) -> Things:
        around = (self._entry, self._deepest, self._trace.begin(), self._levelled)
        before = len(self._passing)
        self._entry, self._levelled = _NOWHERE, False
        self._depth += 1
        self._deepest = self._running[key] = self._depth
        try:
            things = compute()
        finally:
            depth = self._running.pop(key)
            self._depth -= 1
            sources = self._trace.end(around[2])
            entry, deepest, levelled = self._entry, self._deepest, self._levelled
            whole = entry >= depth
            self._entry = around[0] if whole else min(entry, around[0])
            self._deepest = max(deepest, around[1])
            self._levelled = levelled or around[3]
        if whole:
            while len(self._passing) > before:
                self._passing.popitem()
            table = self._by_level[self._level] if levelled else self._known
            table[key[1:]] = (things, deepest - self._depth, sources)
        elif self._depth:
            self._passing[key] = (things, sources, entry)
        else:
            self._asked[key] = (things, sources)
            self._passing.clear()
        return things

    def higher(self, compute: Callable[[], Things]) -> Things:
        """Answer a question about callers: nothing when they have been asked often enough."""
        self._levelled = True
        if self._level == 0:
            return ()
        self._level -= 1
        try:
            return compute()
        finally:
            self._level += 1

    def forget(self, missed: Collection[Source]) -> None:
        """Drop the answers that had to do without a source that is known by now."""
        for known in (self._known, *self._by_level):
            stale = [key for key, entry in known.items() if not entry[2].isdisjoint(missed)]
            for key in stale:
                del known[key]
        self._asked = {k: v for k, v in self._asked.items() if v[1].isdisjoint(missed)}
