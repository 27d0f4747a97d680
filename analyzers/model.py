"""What a scan yields: findings, unreadable files, and the summary over both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Literal


class Severity(IntEnum):
    """How much a finding can cost a running bot; higher is worse."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    def __str__(self) -> str:
        return self.name.lower()


class Confidence(StrEnum):
    """How the analyser knows what is called. ``possible`` findings are hidden by default."""

    DEFINITE = "definite"
    """The symbol was resolved through imports."""
    PROBABLE = "probable"
    """The receiver's type was inferred."""
    POSSIBLE = "possible"
    """Only a name speaks for it."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of source: 1-based lines and columns (code points), the end column exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step of the path from an entry point to the offending call."""

    path: str
    line: int
    symbol: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one call costs, and what that takes for granted. Times in milliseconds."""

    basis: Literal["recording", "import", "cost class"]
    cost: str
    """The cost class of the knowledge base: network, database, file, ...; or ``import``."""
    target: str = ""
    """The address whose recorded requests were counted (``*`` stands for anything), or the
    library that was imported."""
    requests: int = 0
    median_ms: float | None = None
    p95_ms: float | None = None
    total_ms: float = 0.0
    """All of them together, as recorded."""
    assumes: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause, reported once, where the offending call or loop header stands."""

    rule: str
    name: str
    severity: Severity
    confidence: Confidence
    path: str
    """Relative to the scanned root, with forward slashes."""
    span: Span
    symbol: str
    """``package.module:Class.function``; ``package.module`` at module level."""
    message: str
    why: str
    fix: str
    fixable: Literal["safe", "unsafe", "no"] = "no"
    trace: tuple[TraceStep, ...] = ()
    fingerprint: str = ""
    cost: str = ""
    """Cost class of the library call that it comes to; empty when none is known."""
    endpoint: str = ""
    """Address that the call asks, as far as it is written down: ``https://api.x.org/v1/*``."""
    estimate: Estimate | None = None


@dataclass(frozen=True, slots=True)
class FileError:
    """A file that could not be read or parsed."""

    path: str
    line: int | None
    message: str
    named: bool
    """True when the user named this file on the command line."""


@dataclass(frozen=True, slots=True)
class Manual:
    """A rule's docstring, taken apart. Examples are dedented source text."""

    summary: str
    what: str
    why: str
    bad: str
    good: str
    fine: str


@dataclass(frozen=True, slots=True)
class RuleCard:
    """What a report may say of a rule."""

    id: str
    name: str
    severity: Severity
    fixable: Literal["safe", "unsafe", "no"]
    manual: Manual


@dataclass(frozen=True, slots=True)
class Ignored:
    """A finding that a comment in the source silences, and the reason given there."""

    finding: Finding
    reason: str
    """Empty when the comment gives none."""


@dataclass(frozen=True, slots=True)
class UnusedIgnore:
    """A comment that silences nothing."""

    path: str
    line: int
    rules: tuple[str, ...]
    """Those it names in vain; empty for a comment that means every rule."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """A finished scan. Findings are ordered by path, line and rule."""

    root: str
    files: int
    lines: int
    findings: tuple[Finding, ...]
    errors: tuple[FileError, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    unused_ignores: tuple[UnusedIgnore, ...] = ()
    cached_files: int = 0
    """Files for which the result of an earlier scan was taken over."""
    withheld: Mapping[str, int] = field(default_factory=dict)
    """How many findings are not listed, by reason: possible, path, baseline or old."""
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """Lines of the files with findings, for excerpts; keyed by Finding.path."""
