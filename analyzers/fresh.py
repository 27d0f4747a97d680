"""A scan that has work to do: who does it, what comes of it, what is kept for the next one."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from perfscan.analyzers.asking import Draft
from perfscan.analyzers.cache import Cache
from perfscan.analyzers.discover import SourceFile
from perfscan.analyzers.fingerprint import with_fingerprints
from perfscan.analyzers.inputs import Record, Status
from perfscan.analyzers.knowledge import load_knowledge
from perfscan.analyzers.linking import PHASES
from perfscan.analyzers.model import Analysis, FileError, Finding
from perfscan.analyzers.past import PastLostError, Result, keep, recall
from perfscan.analyzers.registry import Rule, all_rules
from perfscan.analyzers.request import Request
from perfscan.analyzers.scanning import ChangedError, Job, Scanned, scan_share
from perfscan.analyzers.selection import choose
from perfscan.analyzers.source import Unreadable, read
from perfscan.analyzers.source_lines import lines_of
from perfscan.analyzers.suppress import Suppressions, read_suppressions, sift
from perfscan.analyzers.texts import TextFile, decode_text
from perfscan.analyzers.workers import Exchange, WorkerLostError, alone, can_fork, together
from perfscan.errors import InputError

_FORK_BYTES = 400_000
"""Sources of this size take about 0.2 s, many times what starting workers costs."""

_KEEP_SHARE = 0.02
"""When at least this share of the files was gone through again, the results are kept anew.

Those of an older state serve as well: they say what they were made from.
"""


_LAST = len(PHASES)
"""The phase in which rules are asked."""


class Fresh(NamedTuple):
    """What a scan found, and what it saw of each file."""

    analysis: Analysis
    statuses: dict[str, Status]


def scan_anew(
    request: Request,
    store: Cache,
    stock: Mapping[str, Record],
    statuses: Mapping[str, Status],
    options: bytes,
) -> Fresh:
    """Scan what has changed since the results that are kept for these options, or everything."""
    found = request.found
    rules = choose(all_rules(), request.select, request.ignore)
    errors = list(found.errors)
    texts = tuple([text for source in found.texts if (text := _read_text(source, errors))])
    key = b"links" + options
    job = Job(
        found.files,
        found.texts,
        texts,
        stock,
        statuses,
        rules,
        request.knowledge or load_knowledge(),
        request.thresholds,
        request.possible,
        store,
        options,
        recall(store, key) if options else None,
        request.progress,
    )
    try:
        scanned, drafts = _worked_out(job, request.jobs)
    except ChangedError as error:
        raise InputError(
            "was changed while it was scanned", where=str(error), remedy="scan again"
        ) from error
    if request.progress is not None:
        request.progress(len(found.files), len(found.files))
    seen = {found.files[index].path: status for index, status in sorted(scanned.statuses.items())}
    for source in found.files:
        unreadable = seen[source.path].unreadable
        if unreadable is not None:
            errors.append(FileError(source.path, unreadable.line, unreadable.message, source.named))
    if options:
        with suppress(PastLostError):  # nothing is kept, then
            _keep(job, scanned, seen, key)
    analysis = _analysis(request, rules, job, seen, drafts, errors)
    gone_through = sum(unit < analysis.files for unit in scanned.results[-1])
    return Fresh(replace(analysis, cached_files=analysis.files - gone_through), seen)


# Who does the work.


def _worked_out(job: Job, jobs: int) -> tuple[Scanned, list[Draft]]:
    try:
        scanned = _share_out(job, jobs)
        return scanned, _drafts(job, scanned)
    except PastLostError:
        return _worked_out(replace(job, past=None), jobs)


def _share_out(job: Job, jobs: int) -> Scanned:
    everything = range(len(job.sources))
    if jobs > 1 and can_fork() and _size_of_work(job) >= _FORK_BYTES:
        try:
            return _together(job, _shares(job, jobs))
        except WorkerLostError:
            pass  # the system has killed one, for want of memory perhaps: then one at a time
    return scan_share(job, everything, alone)


def _together(job: Job, shares: Sequence[Sequence[int]]) -> Scanned:
    with tempfile.TemporaryDirectory(prefix="perfscan-", ignore_cleanup_errors=True) as folder:
        if not job.cache.keeps:  # workers pass facts to each other through it
            job = replace(job, cache=Cache(Path(folder), time.time))
        job.cache.close()  # connections must not be shared with children
        gc.freeze()
        try:
            parts = together(partial(_share, job, shares), len(shares))
        finally:
            gc.unfreeze()
    statuses = {index: status for part in parts for index, status in part.statuses.items()}
    results = tuple(
        {unit: result for part in parts for unit, result in part.results[phase].items()}
        for phase in range(len(parts[0].results))
    )
    return Scanned(statuses, parts[0].completes_past, results)


def _share(job: Job, shares: Sequence[Sequence[int]], number: int, exchange: Exchange) -> Scanned:
    return scan_share(job, shares[number], exchange)


def _size_of_work(job: Job) -> int:
    """Return the bytes of the files that have to be gone through, as far as that is known."""
    sizes = {source.path: size for source, size in zip(job.sources, _sizes(job), strict=True)}
    past = job.past
    if past is None:
        return sum(sizes.values())
    known = {path: record.digest for path, record in job.records.items()}
    changed = [
        file
        for file, (path, digest) in enumerate(zip(past.paths, past.digests, strict=True))
        if known.get(path) != digest
    ]
    stale = {unit for file in changed for unit in past.made_from(_LAST, file)}
    return sum(sizes.get(path, 0) for file, path in enumerate(past.paths) if file in stale)


def _sizes(job: Job) -> list[int]:
    records = [job.records.get(source.path) for source in job.sources]
    return [
        record.size if record is not None else _size(source)
        for source, record in zip(job.sources, records, strict=True)
    ]


def _size(source: SourceFile) -> int:
    try:
        return source.file.stat().st_size
    except OSError:
        return 0


def _shares(job: Job, count: int) -> list[list[int]]:
    """Cut the files, in order, into shares of about the same size: neighbours use each other."""
    sizes = _sizes(job)
    total, done = max(1, sum(sizes)), 0
    shares: list[list[int]] = [[] for _ in range(count)]
    for index, size in enumerate(sizes):
        shares[min(count - 1, done * count // total)].append(index)
        done += size
    return shares


# What comes of it.


def _drafts(job: Job, scanned: Scanned) -> list[Draft]:
    """Return what was found, now or earlier, in the order of the files."""
    last = scanned.results[-1]
    if scanned.completes_past and job.past is not None:
        parts = [last[n].part if n in last else p for n, p in enumerate(job.past.parts(_LAST))]
    else:
        parts = [last[unit].part for unit in range(len(last))]
    return [draft for part in parts for draft in part]


def _keep(job: Job, scanned: Scanned, seen: Mapping[str, Status], key: bytes) -> None:
    """Keep the results for the next scan, unless nearly all of them are kept already."""
    past = job.past if scanned.completes_past else None
    news = max(len(fresh) for fresh in scanned.results)
    if not job.cache.keeps or (past is not None and news <= _KEEP_SHARE * len(job.sources)):
        return
    results: list[list[Result]] = []
    for phase, fresh in enumerate(scanned.results):
        if past is None:
            results.append([fresh[unit] for unit in range(len(fresh))])
        else:
            then = enumerate(past.results(phase))
            results.append([fresh.get(unit, result) for unit, result in then])
    readable = [(path, status) for path, status in seen.items() if not status.unreadable]
    paths, digests = [path for path, _ in readable], [status.digest for _, status in readable]
    tables_of = [phase.tables for phase in PHASES]
    keep(job.cache, key, paths, digests, job.texts, results, tables_of)


def _analysis(
    request: Request,
    rules: Sequence[Rule],
    job: Job,
    seen: Mapping[str, Status],
    drafts: Sequence[Draft],
    errors: list[FileError],
) -> Analysis:
    by_finding = {draft.finding: draft for draft in reversed(drafts)}
    named = with_fingerprints(sorted(by_finding.values(), key=_order))
    comments = _suppressions(job, seen)
    errors += [warning for read in comments.values() for warning in read.warnings]
    sifted = sift(named, comments, {rule.id for rule in rules})
    readable = [status for status in seen.values() if status.unreadable is None]
    return Analysis(
        root=str(request.found.root),
        files=len(readable),
        lines=sum(status.lines for status in readable),
        findings=sifted.kept,
        errors=tuple(sorted(errors, key=lambda error: (error.path, error.line or 0))),
        ignored=sifted.ignored,
        unused_ignores=sifted.unused,
    )


def _order(draft: tuple[Finding, str]) -> tuple[object, ...]:
    finding = draft[0]
    span = finding.span
    at = (span.column, span.end_line, span.end_column)
    number = int(finding.rule[2:])
    return (finding.path, span.line, number, finding.rule, finding.message, at, finding.symbol)


def _suppressions(job: Job, seen: Mapping[str, Status]) -> dict[str, Suppressions]:
    ids = frozenset(rule.id for rule in all_rules())
    texts = {text.path: text.text for text in job.texts}
    for source in job.sources:
        if seen[source.path].comments:
            texts[source.path] = "\n".join(lines_of(source.file))
    return {path: read_suppressions(path, text, ids) for path, text in texts.items()}


def _read_text(source: SourceFile, errors: list[FileError]) -> TextFile | None:
    data = read(source.file)
    if isinstance(data, Unreadable):
        errors.append(FileError(source.path, None, data.message, source.named))
        return None
    return TextFile(source.path, decode_text(data))
