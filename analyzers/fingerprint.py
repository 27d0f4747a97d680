"""Identities of findings that survive edits elsewhere in the file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from perfscan.analyzers.model import Finding


def with_fingerprints(findings: Iterable[tuple[Finding, str]]) -> tuple[Finding, ...]:
    """Give each finding its fingerprint; beside it comes the source line on which it stands.

    The line number takes no part, so lines added above change nothing; equal lines of one
    function are told apart by their order. Findings must come in order of their lines.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    named: list[Finding] = []
    for finding, text in findings:
        identity = (finding.rule, finding.path, finding.symbol, " ".join(text.split()))
        seen[identity] += 1
        named.append(replace(finding, fingerprint=_digest(*identity, str(seen[identity]))))
    return tuple(named)


def _digest(*parts: str) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:16]
