"""Findings that are not listed, and the count of them that every report prints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from perfscan.analyzers.model import Analysis, Confidence, Finding
from perfscan.analyzers.path_patterns import matcher


def withhold(analysis: Analysis, reason: str, unwanted: Callable[[Finding], bool]) -> Analysis:
    """Return the scan without the unwanted findings; they count under ``reason``."""
    kept = tuple(finding for finding in analysis.findings if not unwanted(finding))
    hidden = len(analysis.findings) - len(kept)
    withheld = {**analysis.withheld, reason: hidden} if hidden else analysis.withheld
    return replace(analysis, findings=kept, withheld=withheld)


def without_possible(analysis: Analysis) -> Analysis:
    """Withhold the findings for which only a name speaks."""
    return withhold(analysis, "possible", lambda one: one.confidence is Confidence.POSSIBLE)


def without_known(analysis: Analysis, reason: str, fingerprints: Collection[str]) -> Analysis:
    """Withhold the findings that a baseline or an earlier revision holds, too."""
    return withhold(analysis, reason, lambda one: one.fingerprint in fingerprints)


def without_ignored_paths(
    analysis: Analysis, ignores: Sequence[tuple[str, frozenset[str]]], folder: Path
) -> Analysis:
    """Withhold the findings of rules that a configuration ignores for their path.

    ``ignores`` pairs patterns of .gitignore's syntax, relative to ``folder``, with rule ids.
    """
    matchers = [(matcher([pattern], folder), rules) for pattern, rules in ignores]

    def unwanted(finding: Finding) -> bool:
        file = Path(analysis.root, finding.path)
        return any(finding.rule in rules and matches(file) for matches, rules in matchers)

    return withhold(analysis, "path", unwanted)
