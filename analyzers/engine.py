"""One scan: the stored result when nothing has changed, else the work of fresh.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from perfscan.analyzers.allocation import quick_allocation
from perfscan.analyzers.cache import Cache
from perfscan.analyzers.discover import Discovery, discover
from perfscan.analyzers.inputs import Record, Status, digest_of, own_digest, take_stock
from perfscan.analyzers.model import Analysis
from perfscan.analyzers.request import Progress, Request
from perfscan.analyzers.source_lines import SourceLines

if TYPE_CHECKING:
    from perfscan.analyzers.knowledge import Knowledge
    from perfscan.analyzers.registry import Thresholds


class _Tree(NamedTuple):
    """What an earlier scan saw of the same folders, whatever its rules."""

    records: dict[str, Record]
    statuses: dict[str, Status]


def analyze(
    paths: Sequence[Path],
    *,
    root: Path,
    knowledge: Knowledge | None = None,
    select: Collection[str] = (),
    ignore: Collection[str] = (),
    possible: bool = False,
    thresholds: Thresholds = MappingProxyType({}),
    exclude: Callable[[Path], bool] = lambda file: False,
    progress: Progress | None = None,
    jobs: int = 1,
    cache: Path | None = None,
) -> Analysis:
    """Scan the Python files at or below ``paths`` (relative ones start at ``root``).

    ``select`` and ``ignore`` are rule ids or their beginnings (``PS1`` is every PS1xx rule);
    ``possible`` keeps findings for which only a name speaks; ``thresholds`` are limits set by a
    configuration; ``exclude`` tells which files below ``paths`` to leave out. ``progress`` is
    told (done, all) files. ``jobs`` processes share the work where that pays; ``cache`` is the
    folder for what the next scan need not do again; neither changes what is found. Raises
    InputError for a path that does not exist and for a selection of no rule.
    """
    request = Request(
        tuple(map(str, paths)), discover(paths, root, exclude), tuple(select), tuple(ignore),
        possible, thresholds, knowledge, jobs, progress,
    )  # fmt: skip
    with quick_allocation(), closing(Cache(cache, time.time)) as store:
        analysis = _scan(request, store) if cache is None else _remembered(request, store)
    found = request.found
    files = {source.path: source.file for source in (*found.files, *found.texts)}
    shown = sorted({finding.path for finding in analysis.findings})
    return replace(analysis, sources=SourceLines({path: files[path] for path in shown}))


def _scan(request: Request, store: Cache) -> Analysis:
    from perfscan.analyzers.fresh import scan_anew

    return scan_anew(request, store, {}, {}, b"").analysis


def _remembered(request: Request, store: Cache) -> Analysis:
    """Return the stored result of the same request about the same contents, or scan and store."""
    version = own_digest()
    found = request.found
    tree_key = _key(b"tree", version, str(found.root), request.named)
    tree = store.get(tree_key) or _Tree({}, {})
    stock, opened = take_stock([*found.files, *found.texts], tree.records, time.time_ns())
    options = _key(b"", version, str(found.root), request.named, request.options)
    whole = _key(b"result", options, _contents(found, stock))
    analysis: Analysis | None = store.get(whole)
    if analysis is not None:
        if opened:
            store.put_all([(tree_key, tree._replace(records=stock))])
        return replace(analysis, cached_files=analysis.files)
    from perfscan.analyzers.fresh import scan_anew

    fresh = scan_anew(request, store, stock, tree.statuses, options)
    if len(stock) == len(found.files) + len(found.texts):  # all could be read
        store.put_all([(whole, replace(fresh.analysis, cached_files=0))])
    store.put_all([(tree_key, _Tree(stock, fresh.statuses))])
    return fresh.analysis


def _contents(found: Discovery, stock: dict[str, Record]) -> list[object]:
    files = [
        (s.path, s.role, s.named, stock[s.path].digest if s.path in stock else b"")
        for s in (*found.files, *found.texts)
    ]
    return [files, found.errors]


def _key(kind: bytes, *parts: object) -> bytes:
    return kind + digest_of(repr(parts).encode("utf-8", "surrogateescape"))
