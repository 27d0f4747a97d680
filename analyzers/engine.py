"""One scan: files to facts, facts to a program, rules over the program, findings in order."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from perfscan.analyzers.context import Where
from perfscan.analyzers.discover import Discovery, Role, SourceFile, discover
from perfscan.analyzers.extraction import extract
from perfscan.analyzers.facts import (
    Assign,
    Await,
    Block,
    Call,
    Class,
    Comparison,
    FileFacts,
    Function,
    Import,
    Jump,
    Read,
    Subscript,
)
from perfscan.analyzers.fingerprint import with_fingerprints
from perfscan.analyzers.heat import HotRegions
from perfscan.analyzers.knowledge import Knowledge, load_knowledge
from perfscan.analyzers.model import (
    Analysis,
    Confidence,
    FileError,
    Finding,
    Severity,
    Span,
)
from perfscan.analyzers.project import Program
from perfscan.analyzers.registry import Hit, Rule, Thresholds, all_rules
from perfscan.analyzers.selection import choose
from perfscan.analyzers.source import Unreadable, decode, parse, read
from perfscan.analyzers.spending import Spending, spending
from perfscan.analyzers.startup import StartUp
from perfscan.analyzers.suppress import Suppressions, read_suppressions, sift
from perfscan.analyzers.texts import TextFile, decode_text

_STACK = 5_000
"""Deep enough for real code; Python's own 1,000 is not, for chains of calls and comparisons."""

_FACTS: dict[type[Any], Callable[[FileFacts], Iterable[Any]]] = {
    Call: lambda facts: facts.calls,
    Block: lambda facts: facts.blocks,
    Function: lambda facts: facts.functions,
    Assign: lambda facts: facts.assigns,
    Jump: lambda facts: facts.jumps,
    Await: lambda facts: facts.awaits,
    Class: lambda facts: facts.classes,
    Import: lambda facts: facts.imports,
    Read: lambda facts: facts.reads,
    Subscript: lambda facts: facts.subscripts,
    Comparison: lambda facts: facts.comparisons,
    FileFacts: lambda facts: (facts,),
}


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
    progress: Callable[[int, int], None] | None = None,
) -> Analysis:
    """Scan the Python files at or below ``paths`` (relative ones start at ``root``).

    ``select`` and ``ignore`` are rule ids or their beginnings (``PS1`` is every PS1xx rule);
    ``possible`` keeps findings for which only a name speaks; ``thresholds`` are limits set by a
    configuration; ``exclude`` tells which files below ``paths`` to leave out. ``progress`` is
    told (done, all) files. Raises InputError for a path that does not exist and for a selection
    of no rule.
    """
    rules = choose(all_rules(), select, ignore)
    found = discover(paths, root, exclude)
    with _quick_allocation():
        return _scan(found, rules, knowledge or load_knowledge(), possible, thresholds, progress)


def _scan(
    found: Discovery,
    rules: Sequence[Rule],
    knowledge: Knowledge,
    possible: bool,
    thresholds: Thresholds,
    progress: Callable[[int, int], None] | None,
) -> Analysis:
    errors = list(found.errors)
    files = _extract_all(found.files, errors, progress)
    beside = [(source, text) for source in found.texts if (text := _read_text(source, errors))]
    program = Program(
        [facts for _, facts in files], knowledge, thresholds, [text for _, text in beside]
    )
    findings = run_rules(program, rules, possible)
    program.dissolve()
    by_path = {source.path: source for source, _ in (*files, *beside)}
    wanted = {finding.path for finding in findings}
    wanted |= {facts.path for _, facts in files if facts.comments}
    texts = {text.path: text.text for _, text in beside}
    texts |= {path: _text_of(by_path[path]) for path in sorted(wanted - texts.keys())}
    sources = {path: tuple(text.split("\n")) for path, text in texts.items()}
    placed = [_placed(finding, sources[finding.path]) for finding in findings]
    weighed = [_weighed(finding, by_path[finding.path].role) for finding in placed]
    named = with_fingerprints(sorted(weighed, key=_order), sources)
    comments = _suppressions(texts, errors)
    sifted = sift(named, comments, {rule.id for rule in rules})
    left = {finding.path for finding in sifted.kept}
    return Analysis(
        root=str(found.root),
        files=len(files),
        lines=sum(facts.lines for _, facts in files),
        findings=sifted.kept,
        errors=tuple(sorted(errors, key=lambda error: (error.path, error.line or 0))),
        ignored=sifted.ignored,
        unused_ignores=sifted.unused,
        sources={path: lines for path, lines in sources.items() if path in left},
    )


def _weighed(finding: Finding, role: Role) -> Finding:
    """Lower what is found in tests and set-up scripts: no bot waits for it."""
    return finding if role is Role.BOT else replace(finding, severity=Severity.INFO)


def run_rules(program: Program, rules: Sequence[Rule], possible: bool) -> list[Finding]:
    """Ask every rule about every fact; spans still count bytes, as ``ast`` does."""
    heat = HotRegions(program)
    start = StartUp(program, heat)
    views = [Where(program, heat, start, index) for index in range(len(program.files))]
    findings: dict[Finding, None] = {}
    for rule in rules:
        for index, hit in _hits(program, rule, views):
            if possible or hit.confidence is not Confidence.POSSIBLE:
                findings[_finding(views[index], rule, hit)] = None
    return list(findings)


def _hits(program: Program, rule: Rule, views: Sequence[Where]) -> Iterator[tuple[int, Hit]]:
    if rule.on == (Program,):
        for hit in rule.check(program, views[0]) if views else ():
            yield (hit.file or 0, hit)
        return
    check = rule.check
    for index, view in enumerate(views):
        for kind in rule.on:
            for fact in _FACTS[kind](view.file):
                for hit in check(fact, view):
                    yield (index if hit.file is None else hit.file, hit)


def _finding(where: Where, rule: Rule, hit: Hit) -> Finding:
    line, column, end_line, end_column = hit.place
    spent = Spending() if hit.text else spending(hit, where)
    return Finding(
        rule=rule.id,
        name=rule.name,
        severity=rule.severity if hit.severity is None else hit.severity,
        confidence=hit.confidence,
        path=hit.text or where.file.path,
        span=Span(line, column, end_line, end_column),
        symbol="" if hit.text else where.symbol(where.index, hit.block),
        message=hit.message,
        why=" ".join(rule.manual.why.split()),
        fix=hit.fix,
        fixable=rule.fixable if hit.fixable is None else hit.fixable,
        trace=hit.trace,
        cost=spent.cost,
        endpoint=spent.endpoint,
    )


def _placed(finding: Finding, lines: Sequence[str]) -> Finding:
    """Turn byte offsets into 1-based columns that count characters."""
    span = finding.span
    start = _column(lines, span.line, span.column)
    end = _column(lines, span.end_line, span.end_column)
    return replace(finding, span=Span(span.line, start, span.end_line, end))


def _column(lines: Sequence[str], line: int, offset: int) -> int:
    text = lines[line - 1] if line <= len(lines) else ""
    return len(text.encode("utf-8", "surrogateescape")[:offset].decode("utf-8", "replace")) + 1


def _order(finding: Finding) -> tuple[str, int, int, str, str]:
    return (finding.path, finding.span.line, int(finding.rule[2:]), finding.rule, finding.message)


def _extract_all(
    sources: Sequence[SourceFile],
    errors: list[FileError],
    progress: Callable[[int, int], None] | None,
) -> list[tuple[SourceFile, FileFacts]]:
    """Return the facts of every readable file; the others become errors."""
    files: list[tuple[SourceFile, FileFacts]] = []
    for done, source in enumerate(sources, start=1):
        facts = extract_file(source)
        if isinstance(facts, Unreadable):
            errors.append(FileError(source.path, facts.line, facts.message, source.named))
        else:
            files.append((source, facts))
        if progress is not None:
            progress(done, len(sources))
    return files


def _text_of(source: SourceFile) -> str:
    data = read(source.file)
    text = data if isinstance(data, Unreadable) else decode(data)
    return "" if isinstance(text, Unreadable) else _lines_of(text)


def _lines_of(text: str) -> str:
    """Python ends lines at these three only; ``str.splitlines`` knows many more."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def extract_file(source: SourceFile) -> FileFacts | Unreadable:
    """Read and parse one file into facts, or say why it cannot be scanned."""
    data = read(source.file)
    if isinstance(data, Unreadable):
        return data
    parsed = parse(data)
    if isinstance(parsed, Unreadable):
        return parsed
    try:
        facts = extract(parsed.tree, source.path, parsed.lines)
        return facts._replace(comments=parsed.comments)
    except RecursionError:
        return Unreadable("is nested too deeply to be scanned", None)


def _read_text(source: SourceFile, errors: list[FileError]) -> TextFile | None:
    data = read(source.file)
    if isinstance(data, Unreadable):
        errors.append(FileError(source.path, None, data.message, source.named))
        return None
    return TextFile(source.path, decode_text(data))


def _suppressions(texts: Mapping[str, str], errors: list[FileError]) -> dict[str, Suppressions]:
    ids = frozenset(rule.id for rule in all_rules())
    found = {path: read_suppressions(path, text, ids) for path, text in texts.items()}
    errors.extend(warning for read in found.values() for warning in read.warnings)
    return found


@contextmanager
def _quick_allocation() -> Iterator[None]:
    """Parse without the cycle collector and with a deeper stack; restore both afterwards.

    Trees and facts hold no cycles that matter, and collecting over millions of live objects
    costs up to half of a scan.
    """
    collecting, depth = gc.isenabled(), sys.getrecursionlimit()
    gc.disable()
    sys.setrecursionlimit(max(depth, _STACK))
    try:
        yield
    finally:
        sys.setrecursionlimit(depth)
        if collecting:
            gc.enable()
