"""Rules put to facts: every rule is asked about every fact that it is made for, file by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from operator import attrgetter
from typing import Any, NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.discover import Role
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
from perfscan.analyzers.model import Confidence, Finding, Severity, Span
from perfscan.analyzers.project import Program
from perfscan.analyzers.registry import EffectCall, Hit, LibraryCall, Rule
from perfscan.analyzers.spending import Spending, spending

_FACTS: dict[type[Any], Callable[[Where], Iterable[Any]]] = {
    Call: attrgetter("file.calls"),
    LibraryCall: attrgetter("library_calls"),
    EffectCall: attrgetter("effect_calls"),
    Block: attrgetter("file.blocks"),
    Function: attrgetter("file.functions"),
    Assign: attrgetter("file.assigns"),
    Jump: attrgetter("file.jumps"),
    Await: attrgetter("file.awaits"),
    Class: attrgetter("file.classes"),
    Import: attrgetter("file.imports"),
    Read: attrgetter("file.reads"),
    Subscript: attrgetter("file.subscripts"),
    Comparison: attrgetter("file.comparisons"),
    FileFacts: lambda where: (where.file,),
}

Answer = tuple[Rule, Hit, str]
"""What a rule said, and the path of the file that it speaks of."""


class Draft(NamedTuple):
    """A finding without its fingerprint, for which the lines of its whole file count."""

    finding: Finding
    line: str
    """The source line on which it stands."""


def ask_about(program: Program, file: int, rules: Sequence[Rule]) -> Iterator[Answer]:
    """Ask the rules about the facts of one file."""
    where = Where(program, file)
    for kind, facts_of in _FACTS.items():
        asked = [rule for rule in rules if kind in rule.on]
        if asked:
            facts = facts_of(where)
            pairs = _by_name(facts, asked) if kind is Call else product(facts, asked)
            for fact, rule in pairs:
                for hit in rule.check(fact, where):
                    yield rule, hit, _path(program, file, hit)


def _by_name(calls: Iterable[Call], rules: Sequence[Rule]) -> Iterator[tuple[Call, Rule]]:
    """Pair calls with the rules that want to hear of them."""
    always = [rule for rule in rules if not rule.calls]
    wanted: dict[str, list[Rule]] = {}
    for rule in rules:
        for name in rule.calls:
            wanted.setdefault(name, []).append(rule)
    for call in calls:
        for rule in always:
            yield call, rule
        for rule in wanted.get(call.func.rpartition(".")[2], ()):
            yield call, rule


def ask_once(program: Program, rule: Rule) -> Iterator[Answer]:
    """Ask a rule about the program as a whole."""
    if program.paths:
        for hit in rule.check(program, Where(program, 0)):
            yield rule, hit, _path(program, 0, hit)


def _path(program: Program, file: int, hit: Hit) -> str:
    return hit.text or program.paths[file if hit.file is None else hit.file]


def drafts_of(
    program: Program,
    file: int,
    answers: Iterable[Answer],
    lines_of: Callable[[str], Sequence[str]],
    role_of: Callable[[str], Role],
    *,
    possible: bool,
) -> tuple[Draft, ...]:
    """Turn answers into findings, once each; ``lines_of`` and ``role_of`` are asked by path."""
    found: dict[Finding, Draft] = {}
    for rule, hit, path in answers:
        if possible or hit.confidence is not Confidence.POSSIBLE:
            lines = lines_of(path)
            where = Where(program, file if hit.file is None else hit.file)
            finding = _finding(rule, hit, path, where, lines)
            if role_of(path) is not Role.BOT:  # no bot waits for tests and set-up scripts
                finding = replace(finding, severity=Severity.INFO)
            found.setdefault(finding, Draft(finding, _line(lines, finding.span.line)))
    return tuple(found.values())


def _finding(rule: Rule, hit: Hit, path: str, where: Where, lines: Sequence[str]) -> Finding:
    line, column, end_line, end_column = hit.place
    spent = Spending() if hit.text else spending(hit, where)
    return Finding(
        rule=rule.id,
        name=rule.name,
        severity=rule.severity if hit.severity is None else hit.severity,
        confidence=hit.confidence,
        path=path,
        span=Span(
            line, _column(lines, line, column), end_line, _column(lines, end_line, end_column)
        ),
        symbol="" if hit.text else where.symbol(where.index, hit.block),
        message=hit.message,
        why=_in_one_line(rule.manual.why),
        fix=hit.fix,
        fixable=rule.fixable if hit.fixable is None else hit.fixable,
        trace=hit.trace,
        cost=spent.cost,
        endpoint=spent.endpoint,
    )


@cache
def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _column(lines: Sequence[str], line: int, offset: int) -> int:
    """Turn a byte offset into a 1-based column that counts characters."""
    text = _line(lines, line)
    return len(text.encode("utf-8", "surrogateescape")[:offset].decode("utf-8", "replace")) + 1


def _line(lines: Sequence[str], line: int) -> str:
    return lines[line - 1] if line <= len(lines) else ""
