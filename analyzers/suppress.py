"""Suppression comments: ``# perfscan: ignore[PS101] reason`` and ``ignore-file[...]``."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from perfscan.analyzers.model import FileError, Finding, Ignored, UnusedIgnore

_DIRECTIVE = re.compile(
    r"#\s*perfscan:\s*(?P<verb>[\w-]+)\s*(?P<bracket>\[)?(?P<rules>(?(bracket)[^\]#]*(?P<end>\])?))"
    r"(?P<reason>[^#]*)"
)


@dataclass(frozen=True, slots=True)
class Ignore:
    """One comment that silences findings."""

    line: int
    rules: frozenset[str] | None
    """None: every rule."""
    whole_file: bool
    reason: str

    def silences(self, finding: Finding) -> bool:
        """Tell whether it names the rule and stands on the finding's first or last line."""
        here = self.whole_file or self.line in (finding.span.line, finding.span.end_line)
        return here and (self.rules is None or finding.rule in self.rules)


@dataclass(frozen=True, slots=True)
class Suppressions:
    """The comments of one file, and what is wrong with some of them."""

    ignores: tuple[Ignore, ...] = ()
    warnings: tuple[FileError, ...] = ()
    """Comments that silence nothing, or less than their author thinks."""


class Sifted(NamedTuple):
    """Findings after the comments were heeded."""

    kept: tuple[Finding, ...]
    ignored: tuple[Ignored, ...]
    unused: tuple[UnusedIgnore, ...]


def read_suppressions(path: str, source: str, known_rules: Collection[str]) -> Suppressions:
    """Read the suppression comments of one file; text inside strings is not a comment."""
    if "perfscan:" not in source:
        return Suppressions()
    ignores: list[Ignore] = []
    warnings: list[FileError] = []
    comments = _comments(source) if path.endswith(".py") else _plain_comments(source)
    for line, comment in comments:
        directive = _DIRECTIVE.match(comment)
        if directive is None:
            continue
        rules, complaint = _understand(directive, known_rules)
        if complaint:
            warnings.append(FileError(path, line, complaint, named=False))
        if rules is None or rules:
            whole_file = directive["verb"] == "ignore-file"
            ignores.append(Ignore(line, rules, whole_file, directive["reason"].strip()))
    return Suppressions(tuple(ignores), tuple(warnings))


def sift(
    findings: Sequence[Finding],
    suppressions: Mapping[str, Suppressions],
    ran: Collection[str],
) -> Sifted:
    """Take out the findings that a comment silences, and name the comments that silence nothing.

    A comment is called unused only for rules in ``ran``: of the others it is not known.
    """
    kept: list[Finding] = []
    ignored: list[Ignored] = []
    used: set[tuple[str, Ignore, str]] = set()
    for finding in findings:
        comments = suppressions.get(finding.path, Suppressions()).ignores
        silencing = [ignore for ignore in comments if ignore.silences(finding)]
        used.update((finding.path, ignore, finding.rule) for ignore in silencing)
        if silencing:
            ignored.append(Ignored(finding, silencing[0].reason))
        else:
            kept.append(finding)
    unused = [
        UnusedIgnore(path, ignore.line, rules)
        for path in sorted(suppressions)
        for ignore in suppressions[path].ignores
        if (rules := _unused_rules(path, ignore, used, ran)) is not None
    ]
    return Sifted(tuple(kept), tuple(ignored), tuple(unused))


def _unused_rules(
    path: str, ignore: Ignore, used: Collection[tuple[str, Ignore, str]], ran: Collection[str]
) -> tuple[str, ...] | None:
    """Return the rules that a comment names in vain (none named: all), None when it has a use."""
    if ignore.rules is None:
        in_use = any((path, ignore, rule) in used for rule in ran)
        return None if in_use else ()
    idle = sorted(r for r in ignore.rules if r in ran and (path, ignore, r) not in used)
    return tuple(idle) or None


def _comments(source: str) -> Iterator[tuple[int, str]]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError):  # the parser reports it; keep what came before
        return


def _plain_comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield the comments about perfscan in a file that is not Python."""
    for number, line in enumerate(source.split("\n"), start=1):
        comment = _DIRECTIVE.search(line)
        if comment is not None:
            yield number, line[comment.start() :]


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
