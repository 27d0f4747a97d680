"""The results of an earlier scan, so stored that a small change need not load them all.

What is stored belongs together by the name of the scan; entries of different scans never mix.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from perfscan.analyzers.cache import Cache
from perfscan.analyzers.inputs import digest_of
from perfscan.analyzers.tables import Tables
from perfscan.analyzers.texts import TextFile
from perfscan.analyzers.tracing import Source, Sources


class Result(NamedTuple):
    """What a file, or a rule that is asked once, came to in one phase."""

    part: Any
    sources: Sources


class PastLostError(Exception):
    """A part of an earlier scan is gone: the cache has made room for something else."""


class _Index(NamedTuple):
    """What is always needed of an earlier scan."""

    name: bytes
    paths: tuple[str, ...]
    digests: tuple[bytes, ...]
    texts: tuple[TextFile, ...]
    made_from: tuple[dict[int, tuple[int, ...]], ...]
    """By phase and file: the units whose results were made from the file."""
    parts: tuple[tuple[bytes, ...], ...]
    """By phase and unit: its part in short."""
    tables: tuple[tuple[str, ...], ...]
    """By phase: the names of the tables that its parts make."""


class Past:
    """An earlier scan of the same folders with the same options."""

    def __init__(self, cache: Cache, key: bytes, index: _Index) -> None:
        self._cache = cache
        self._key = key
        self._index = index
        self._loaded: dict[bytes, Any] = {}
        self.paths = index.paths
        """The files that could be read."""
        self.digests = index.digests
        self.texts = index.texts

    def made_from(self, phase: int, source: Source) -> Iterable[int]:
        """Return the units whose results in a phase were made from ``source``."""
        if isinstance(source, int):
            return self._index.made_from[phase].get(source, ())
        rows: Mapping[Source, tuple[int, ...]] = self._load(b"rows%d" % phase)
        return rows.get(source, ())

    def is_as_before(self, phase: int, unit: int, part: Any) -> bool:
        """Tell whether a part is what it was; no for one that is only written differently."""
        return self._index.parts[phase][unit] == _in_short(part)

    def parts(self, phase: int) -> Sequence[Any]:
        """Return the parts of all units."""
        return [pickle.loads(part) for part in self._load(b"parts%d" % phase)]

    def table(self, name: str) -> dict[Any, Any]:
        """Return one of the tables that were made of the parts."""
        found: dict[Any, Any] = self._load(b"table" + name.encode())
        return found

    def tables(self, phase: int) -> Mapping[str, Callable[[], dict[Any, Any]]]:
        """Return how to load each of the tables that were made in a phase."""
        return {name: partial(self.table, name) for name in self._index.tables[phase]}

    def results(self, phase: int) -> list[Result]:
        """Return all that is known of a phase."""
        parts = self.parts(phase)
        sources: list[set[Source]] = [set() for _ in parts]
        for index in (self._index.made_from[phase], self._load(b"rows%d" % phase)):
            for source, units in index.items():
                for unit in units:
                    sources[unit].add(source)
        return [Result(p, frozenset(s)) for p, s in zip(parts, sources, strict=True)]

    def _load(self, what: bytes) -> Any:
        if what not in self._loaded:
            found = self._cache.get(_entry(self._key, self._index.name, what))
            if found is None:
                raise PastLostError
            self._loaded[what] = found
        return self._loaded[what]


def recall(cache: Cache, key: bytes) -> Past | None:
    """Return the scan that is kept under a key."""
    index = cache.get(key)
    return Past(cache, key, index) if index is not None else None


def keep(
    cache: Cache,
    key: bytes,
    paths: Sequence[str],
    digests: Sequence[bytes],
    texts: Sequence[TextFile],
    results: Sequence[Sequence[Result]],
    tables_of: Sequence[Callable[[Sequence[Any]], Tables]],
) -> None:
    """Keep the results of a scan under a key, in place of those that were kept there."""
    packed = [[_packed(result.part) for result in row] for row in results]
    indexes = [_inverted(row) for row in results]
    tables = [
        {name: dict(rows) for name, rows in made([r.part for r in row]).items()}
        for made, row in zip(tables_of, results, strict=False)  # the last phase makes none
    ]
    index = _Index(
        digest_of(repr((list(paths), list(digests), list(texts))).encode("utf-8", "surrogatepass")),
        tuple(paths),
        tuple(digests),
        tuple(texts),
        tuple([files for files, _ in indexes]),
        tuple([tuple([digest_of(part) for part in row]) for row in packed]),
        tuple([tuple(made) for made in tables]),
    )
    entries: list[tuple[bytes, Any]] = [(key, index)]
    for phase, row in enumerate(packed):
        entries.append((_entry(key, index.name, b"parts%d" % phase), row))
        entries.append((_entry(key, index.name, b"rows%d" % phase), indexes[phase][1]))
    for made in tables:
        for name, rows in made.items():
            entries.append((_entry(key, index.name, b"table" + name.encode()), rows))
    cache.replace_all(key, entries)


def _inverted(
    results: Sequence[Result],
) -> tuple[dict[int, tuple[int, ...]], dict[Source, tuple[int, ...]]]:
    """Return which units were made from which files, and from which rows."""
    units: dict[Source, list[int]] = defaultdict(list)
    for unit, result in enumerate(results):
        for source in result.sources:
            units[source].append(unit)
    files: dict[int, tuple[int, ...]] = {}
    rows: dict[Source, tuple[int, ...]] = {}
    for source, found in units.items():
        if isinstance(source, int):
            files[source] = tuple(found)
        else:
            rows[source] = tuple(found)
    return files, rows


def _entry(key: bytes, name: bytes, what: bytes) -> bytes:
    return key + name + what


def _packed(part: Any) -> bytes:
    return pickle.dumps(part, pickle.HIGHEST_PROTOCOL)


def _in_short(part: Any) -> bytes:
    return digest_of(_packed(part))
