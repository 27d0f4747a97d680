"""Suppression comments: ``# perfscan: ignore[PS101] reason`` and ``ignore-file[...]``."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from perfscan.analyzers.model import FileError, Finding

_DIRECTIVE = re.compile(
    r"#\s*perfscan:\s*(?P<verb>[\w-]+)\s*(?P<bracket>\[)?(?P<rules>[^\]#]*(?P<end>\]))?"
)


@dataclass(frozen=True, slots=True)
class Suppressions:
    """What the comments of one file silence; ``None`` in place of rules means every rule."""

    whole_file: frozenset[str] | None = frozenset()
    lines: Mapping[int, frozenset[str] | None] = field(default_factory=dict)
    warnings: tuple[FileError, ...] = ()
    """Comments that silence nothing, or less than their author thinks."""

    def silences(self, finding: Finding) -> bool:
        """Say whether a comment on the first or last line of the finding names its rule."""
        nothing: frozenset[str] = frozenset()
        at = (finding.span.line, finding.span.end_line)
        candidates = [self.whole_file, *(self.lines.get(line, nothing) for line in at)]
        return any(rules is None or finding.rule in rules for rules in candidates)


NOTHING = Suppressions()


def read_suppressions(path: str, source: str, known_rules: Collection[str]) -> Suppressions:
    """Read the suppression comments of one file; text inside strings is not a comment."""
    if "perfscan:" not in source:
        return NOTHING
    whole_file: frozenset[str] | None = frozenset()
    lines: dict[int, frozenset[str] | None] = {}
    warnings: list[FileError] = []
    for number, comment in _comments(source):
        directive = _DIRECTIVE.match(comment)
        if directive is None:
            continue
        rules, complaint = _understand(directive, known_rules)
        if complaint:
            warnings.append(FileError(path, number, complaint, named=False))
        if directive["verb"] == "ignore-file":
            whole_file = _union(whole_file, rules)
        else:
            lines[number] = rules
    return Suppressions(whole_file, lines, tuple(warnings))


def without_suppressed(
    findings: Sequence[Finding], suppressions: Mapping[str, Suppressions]
) -> tuple[list[Finding], int]:
    """Return the findings that no comment silences, and how many were silenced."""
    kept = [
        finding
        for finding in findings
        if not suppressions.get(finding.path, NOTHING).silences(finding)
    ]
    return kept, len(findings) - len(kept)


def _comments(source: str) -> Iterator[tuple[int, str]]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError):  # the parser reports it; keep what came before
        return


def _understand(
    directive: re.Match[str], known_rules: Collection[str]
) -> tuple[frozenset[str] | None, str]:
    """Return the rules that a comment silences (``None``: all) and what is wrong with it."""
    verb = directive["verb"]
    if verb not in ("ignore", "ignore-file"):
        return frozenset(), f"unknown comment `perfscan: {verb}`; write ignore or ignore-file"
    if directive["bracket"] is None:
        return None, ""
    if directive["end"] is None:
        return frozenset(), f"`perfscan: {verb}[` is not closed and silences nothing"
    named = [name.strip() for name in directive["rules"].rstrip("]").split(",")]
    rules = frozenset(name.upper() for name in named if name)
    unknown = sorted(rules.difference(known_rules))
    if unknown:
        return rules, f"`perfscan: {verb}` names unknown rules: {', '.join(unknown)}"
    return rules, "" if rules else f"`perfscan: {verb}[]` names no rule and silences nothing"


def _union(first: frozenset[str] | None, second: frozenset[str] | None) -> frozenset[str] | None:
    return None if first is None or second is None else first | second
