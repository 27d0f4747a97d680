"""Identities of findings that survive edits elsewhere in the file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from perfscan.analyzers.model import Finding


def with_fingerprints(
    findings: Sequence[Finding], sources: Mapping[str, Sequence[str]]
) -> tuple[Finding, ...]:
    """Give each finding its fingerprint; ``sources`` maps paths to lines without their ends.

    The line number takes no part, so lines added above change nothing; equal lines of one
    function are told apart by their order. Findings must come in order of their lines.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    named: list[Finding] = []
    for finding in findings:
        lines = sources.get(finding.path, ())
        text = lines[finding.span.line - 1] if finding.span.line <= len(lines) else ""
        identity = (finding.rule, finding.path, finding.symbol, " ".join(text.split()))
        seen[identity] += 1
        named.append(replace(finding, fingerprint=_digest(*identity, str(seen[identity]))))
    return tuple(named)


def _digest(*parts: str) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:16]
