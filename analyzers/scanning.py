"""The work of one scan, file by file: read, link, ask; alone or as one of several workers.

Each worker has a share of the files. It works out their parts of each phase and exchanges them
with its fellows; facts of other files are loaded, or extracted again, when an answer needs them.
When the results of an earlier scan are at hand, only those files are gone through again whose
earlier results were made from something that has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from perfscan.analyzers.asking import ask_about, ask_once, drafts_of
from perfscan.analyzers.cache import Cache
from perfscan.analyzers.discover import SourceFile
from perfscan.analyzers.extraction import extract
from perfscan.analyzers.facts import FileFacts
from perfscan.analyzers.inputs import Record, Status, digest_of
from perfscan.analyzers.knowledge import Knowledge
from perfscan.analyzers.linking import PHASES
from perfscan.analyzers.past import Past, Result
from perfscan.analyzers.project import Program
from perfscan.analyzers.registry import Rule, Thresholds
from perfscan.analyzers.request import Progress
from perfscan.analyzers.source import Unreadable, parse, read
from perfscan.analyzers.source_lines import lines_of
from perfscan.analyzers.tables import Tables
from perfscan.analyzers.texts import TextFile
from perfscan.analyzers.tracing import ALL, TEXTS, Source
from perfscan.analyzers.workers import Exchange

_RECENT = 16
"""Files whose lines are at hand; findings mostly come file by file."""


@dataclass(frozen=True)
class Job:
    """All that a scan is made from."""

    sources: tuple[SourceFile, ...]
    beside: tuple[SourceFile, ...]
    texts: tuple[TextFile, ...]
    """What those ``beside`` the Python sources hold."""
    records: Mapping[str, Record]
    statuses: Mapping[str, Status]
    """By path, of earlier scans."""
    rules: tuple[Rule, ...]
    knowledge: Knowledge
    thresholds: Thresholds
    possible: bool
    cache: Cache
    version: bytes
    """Of perfscan's own analyser: facts of another one are not to be used."""
    past: Past | None = None
    progress: Progress | None = None


def facts_key(job: Job, digest: bytes) -> bytes:
    """Return under which key the facts of a content are kept."""
    return b"facts" + job.version + digest


# Reading.


class Shelf:
    """The facts of the files, as one process comes to need them."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._facts: dict[int, FileFacts] = {}

    def read(self, index: int) -> Status:
        """Read one file, unless an earlier scan has read the same content."""
        job, source = self._job, self._job.sources[index]
        known, record = job.statuses.get(source.path), job.records.get(source.path)
        if known is not None and record is not None and known.digest == record.digest:
            return known
        data = read(source.file)
        if isinstance(data, Unreadable):
            return Status(b"", 0, False, data)
        digest = digest_of(data)
        facts = job.cache.get(facts_key(job, digest)) or self._extracted(data, source.path)
        if isinstance(facts, Unreadable):
            return Status(digest, 0, False, facts)
        self._facts[index] = facts = facts._replace(path=source.path)
        return Status(digest, facts.lines, facts.comments)

    def keep(self, statuses: Mapping[int, Status]) -> None:
        """Put the facts that were extracted here into the cache, for the fellows as well."""
        job = self._job
        job.cache.put_all(
            (facts_key(job, statuses[index].digest), facts) for index, facts in self._facts.items()
        )

    def load(self, index: int, status: Status) -> FileFacts:
        """Return the facts of a file that was found readable."""
        job, source = self._job, self._job.sources[index]
        facts = self._facts.pop(index, None) or job.cache.get(facts_key(job, status.digest))
        if facts is None:
            data = read(source.file)
            if isinstance(data, Unreadable) or digest_of(data) != status.digest:
                raise ChangedError(source.path)
            facts = self._extracted(data, source.path)
            assert isinstance(facts, FileFacts)
        return facts._replace(path=source.path)

    def _extracted(self, data: bytes, path: str) -> FileFacts | Unreadable:
        parsed = parse(data)
        if isinstance(parsed, Unreadable):
            return parsed
        try:
            facts = extract(parsed.tree, path, parsed.lines)
            return facts._replace(comments=parsed.comments)
        except RecursionError:
            return Unreadable("is nested too deeply to be scanned", None)


class ChangedError(Exception):
    """A file was changed while it was scanned."""


# Linking and asking.


class Scanned(NamedTuple):
    """What one worker brings home: its share of the whole."""

    statuses: dict[int, Status]
    completes_past: bool
    """The results are news, which complete those of the earlier scan."""
    results: tuple[dict[int, Result], ...]
    """By phase, then by unit: what was worked out anew."""


def scan_share(job: Job, share: Sequence[int], exchange: Exchange) -> Scanned:
    """Scan the files ``share`` of a job, in step with the fellows who scan the others."""
    shelf = Shelf(job)
    mine: dict[int, Status] = {}
    for index in share:
        mine[index] = shelf.read(index)
        if job.progress is not None and len(mine) < len(job.sources):
            job.progress(len(mine), len(job.sources))
    shelf.keep(mine)
    statuses = _merged(exchange(mine))
    readable = [index for index in sorted(statuses) if statuses[index].unreadable is None]
    program = Program(
        [job.sources[index].path for index in readable],
        lambda file: shelf.load(readable[file], statuses[readable[file]]),
        job.knowledge,
        job.thresholds,
        job.texts,
    )
    past = job.past if job.past is not None and job.past.paths == program.paths else None
    wanted = set(share)
    files = [file for file, index in enumerate(readable) if index in wanted]
    linker = _Linker(job, past, program, files, exchange)
    linker.compare([statuses[index].digest for index in readable])
    results = linker.run(0 in wanted)
    program.dissolve()
    job.cache.close()
    return Scanned(mine, past is not None, results)


class _Linker:
    """Goes through the phases with one share of the files."""

    def __init__(
        self,
        job: Job,
        past: Past | None,
        program: Program,
        files: Sequence[int],
        exchange: Exchange,
    ) -> None:
        self._job = job
        self._past = past
        self._program = program
        self._files = files
        self._exchange = exchange
        self._stale: list[set[int]] = [set() for _ in range(len(PHASES) + 1)]
        """By phase: the units whose earlier results were made from something that has changed."""

    def compare(self, digests: Sequence[bytes]) -> None:
        """See which files have changed since the earlier scan."""
        past = self._past
        if past is not None:
            pairs = zip(digests, past.digests, strict=True)
            self._note([file for file, (now, then) in enumerate(pairs) if now != then])
            if past.texts != self._job.texts:
                self._note([TEXTS])

    def _note(self, changed: Iterable[Source]) -> None:
        """Note what is stale because something has changed."""
        assert self._past is not None
        for source in changed:
            for phase, stale in enumerate(self._stale):
                stale.update(self._past.made_from(phase, source))

    def run(self, first: bool) -> tuple[dict[int, Result], ...]:
        """Return, by phase, what had to be worked out for this share of the files.

        One of the workers is ``first``: it puts the questions that are asked once.
        """
        program, done = self._program, []
        for number, phase in enumerate(PHASES):
            fresh = self._work_out(number, self._files, partial(phase.part, program))
            done.append(fresh)
            self._learn(number, phase.tables, {unit: r.part for unit, r in fresh.items()})
        asker = _Asker(self._job, program)
        once = range(len(program.paths), len(program.paths) + len(asker.once)) if first else ()
        done.append(self._work_out(len(PHASES), [*self._files, *once], asker.ask))
        return tuple(done)

    def _work_out(
        self, phase: int, units: Iterable[int], part_of: Callable[[int], Any]
    ) -> dict[int, Result]:
        trace, stale = self._program.trace, self._stale[phase]
        found: dict[int, Result] = {}
        for unit in units:
            if self._past is not None and unit not in stale:
                continue
            outer = trace.begin()
            part = part_of(unit)
            found[unit] = Result(part, trace.end(outer))
            self._program.let_go()
        return found

    def _learn(
        self, phase: int, tables: Callable[[Sequence[Any]], Tables], mine: Mapping[int, Any]
    ) -> None:
        """Exchange parts, make tables of all, and see which rows of them have changed."""
        fresh = _merged(self._exchange(mine))
        past = self._past
        if past is None:
            self._program.learn(tables([fresh[file] for file in range(len(fresh))]))
            return
        if all(past.is_as_before(phase, file, part) for file, part in fresh.items()):
            self._program.learn_later(past.tables(phase))
            return
        then = past.parts(phase)
        learned = tables([fresh.get(file, part) for file, part in enumerate(then)])
        self._note(_differences(tables(then), learned))
        self._program.learn(learned)


def _differences(then: Tables, now: Tables) -> set[Source]:
    found: set[Source] = set()
    for name, rows in now.items():
        before = then[name]
        keys = [key for key, row in rows.items() if key not in before or before[key] != row]
        keys += [key for key in before if key not in rows]
        found.update((name, key) for key in keys)
        if keys or list(before) != list(rows):
            found.add((name, ALL))
    return found


def _merged(parts: Sequence[Mapping[int, Any]]) -> dict[int, Any]:
    return {unit: part for share in parts for unit, part in share.items()}


class _Asker:
    """Puts the rules to files, and to the program."""

    def __init__(self, job: Job, program: Program) -> None:
        self._possible = job.possible
        self._program = program
        self.once = [rule for rule in job.rules if Program in rule.on]
        self._rules = [rule for rule in job.rules if Program not in rule.on]
        self._by_path = {source.path: source for source in job.sources}
        self._texts = {text.path: tuple(text.text.split("\n")) for text in job.texts}
        self._roles = {source.path: source.role for source in (*job.sources, *job.beside)}
        self._recent: dict[str, Sequence[str]] = {}

    def ask(self, unit: int) -> Any:
        """Return what is found in one file, or by one rule that is asked once."""
        program, files = self._program, len(self._program.paths)
        file = unit if unit < files else 0
        answers = (
            ask_about(program, unit, self._rules)
            if unit < files
            else ask_once(program, self.once[unit - files])
        )
        return drafts_of(
            program, file, answers, self._lines, self._roles.__getitem__, possible=self._possible
        )

    def _lines(self, path: str) -> Sequence[str]:
        if path not in self._recent:
            if len(self._recent) > _RECENT:
                self._recent.clear()
            self._recent[path] = self._texts.get(path) or lines_of(self._by_path[path].file)
        return self._recent[path]
