"""Linking in phases: each asks every file for its part, then the parts become tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import FileFacts
from perfscan.analyzers.knowledge import Knowledge
from perfscan.analyzers.links import links_with_uses
from perfscan.analyzers.project import Program
from perfscan.analyzers.registry import Thresholds
from perfscan.analyzers.sites import FunctionId
from perfscan.analyzers.survey import all_surveys
from perfscan.analyzers.tables import (
    Bases,
    Tables,
    tables_of_bases,
    tables_of_calls,
    tables_of_implicit,
    tables_of_links,
)
from perfscan.analyzers.texts import TextFile


class Phase(NamedTuple):
    """One step of linking. Parts are picklable and never refer to anything but numbers."""

    name: str
    part: Callable[[Program, int], Any]
    """What one file says, as far as the tables of earlier phases are known."""
    tables: Callable[[Sequence[Any]], Tables]
    """What the parts of all files come to."""


def bases_of(program: Program, file: int) -> tuple[Bases, ...]:
    """Return the classes of a file that derive from scanned classes."""
    methods = program.names.scopes[file].methods
    lineage = program.names.classes.lineage
    found: list[Bases] = []
    for cls in program.files[file].classes:
        above = lineage(file, cls.number)[1:] if cls.bases else ()
        if above:
            found.append(Bases((file, cls.number), above, tuple(methods.get(cls.number, ()))))
    return tuple(found)


def direct_calls_of(program: Program, file: int) -> tuple[tuple[int, tuple[FunctionId, ...]], ...]:
    """Return the calls whose targets are known without a look at what callers pass."""
    found: list[tuple[int, tuple[FunctionId, ...]]] = []
    for call in program.files[file].calls:
        targets = tuple(dict.fromkeys(program.targets.direct(file, call)))
        if targets:
            found.append((call.number, targets))
    return tuple(found)


def answers_of(program: Program, file: int) -> tuple[Any, ...]:
    """Return what a file says to each survey."""
    where = Where(program, file)
    return tuple([survey.ask(where) for survey in all_surveys()])


def tables_of_answers(parts: Sequence[tuple[Any, ...]]) -> Tables:
    """Return the answer to each survey as a table."""
    return {
        survey.name: survey.rows([part[number] for part in parts])
        for number, survey in enumerate(all_surveys())
    }


PHASES = (
    Phase("bases", bases_of, tables_of_bases),
    Phase("calls", direct_calls_of, tables_of_calls),
    Phase("links", Program.links, tables_of_implicit),
    Phase("uses", links_with_uses, tables_of_links),
    Phase("answers", answers_of, tables_of_answers),
)


def linked(
    files: Sequence[FileFacts],
    knowledge: Knowledge,
    thresholds: Thresholds = MappingProxyType({}),
    texts: Sequence[TextFile] = (),
) -> Program:
    """Link files in this process, all at once."""
    paths = [facts.path for facts in files]
    program = Program(paths, files.__getitem__, knowledge, thresholds, texts)
    for phase in PHASES:
        program.learn(phase.tables([phase.part(program, file) for file in range(len(files))]))
    return program
