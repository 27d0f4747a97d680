"""What an answer was made from: the files that were read and the table rows that were asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeVar, overload

_Item = TypeVar("_Item")
_Row = TypeVar("_Row")
_Value = TypeVar("_Value")

Source = int | tuple[str, object]
"""A file by its index, or a row of a named table (row ``ALL``: the table as a whole)."""

ALL = "*"
WHOLE = "whole"
"""The only row of an answer that is no table."""

TEXTS: Source = ("texts", ALL)
"""The files beside the Python sources."""

Sources = frozenset[Source]


class Trace:
    """Collects the sources of the answer that is being worked out; answers nest."""

    def __init__(self) -> None:
        self.sources: set[Source] = set()
        self._shared: dict[Sources, Sources] = {}

    def begin(self) -> set[Source]:
        """Start collecting for an inner answer; the result goes to ``end``."""
        outer, self.sources = self.sources, set()
        return outer

    def end(self, outer: set[Source]) -> Sources:
        """Return the sources of the inner answer, which are sources of the outer one, too."""
        found = frozenset(self.sources)
        outer |= found
        self.sources = outer
        return self._shared.setdefault(found, found)


class TracedFiles(Sequence[_Item]):
    """Something of every file, loaded when it is first asked for; each access is traced."""

    def __init__(self, size: int, load: Callable[[int], _Item], trace: Trace) -> None:
        self._size = size
        self._load = load
        self._trace = trace
        self._loaded: dict[int, _Item] = {}

    @overload
    def __getitem__(self, index: int) -> _Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[_Item]: ...
    def __getitem__(self, index: int | slice) -> _Item | Sequence[_Item]:
        self._trace.sources.add(index)  # type: ignore[arg-type]  # a slice is refused below
        item = self._loaded.get(index)  # type: ignore[arg-type]
        if item is None:
            if isinstance(index, slice) or not 0 <= index < self._size:
                raise IndexError(index)
            item = self._loaded[index] = self._load(index)
        return item

    def __iter__(self) -> Iterator[_Item]:
        return (self[index] for index in range(self._size))

    def __len__(self) -> int:
        return self._size

    def clear(self) -> None:
        """Let go of what was loaded."""
        self._loaded.clear()


class TracedTable(Mapping[_Row, _Value]):
    """A table about the whole program; each row that is asked for is traced."""

    def __init__(self, name: str, load: Callable[[], dict[_Row, _Value]], trace: Trace) -> None:
        self.name = name
        self._load = load
        self._trace = trace

    @cached_property
    def rows(self) -> dict[_Row, _Value]:
        """The table itself, for those who need no trace of what they look at."""
        return self._load()

    def __getitem__(self, row: _Row) -> _Value:
        self._trace.sources.add((self.name, row))
        return self.rows[row]

    def __contains__(self, row: object) -> bool:
        self._trace.sources.add((self.name, row))
        return row in self.rows

    def __iter__(self) -> Iterator[_Row]:
        self._trace.sources.add((self.name, ALL))
        return iter(self.rows)

    def __len__(self) -> int:
        self._trace.sources.add((self.name, ALL))
        return len(self.rows)
