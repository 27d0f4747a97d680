"""What a finding may cost: read off a recording where it holds the call, else its kind alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles

from perfscan.analyzers.model import Analysis, Estimate, Finding

KINDS = {
    "network": "a round trip over the network",
    "sleep": "the written time",
    "subprocess": "the run of another program",
    "lock": "a wait for somebody else",
    "database": "a round trip to the database",
    "socket": "a connection or look-up",
    "cpu": "computing",
    "file": "a file operation",
}
"""What one call of each cost class takes, the dearest first (network and sleep far above files)."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One recorded request: its URL without the query, and how long the answer took."""

    url: str
    ms: float


def with_estimates(analysis: Analysis, recorded: Sequence[Timed]) -> Analysis:
    """Give an estimate to each finding whose cost class is known.

    A finding that names its address (``https://api.example.org/v1/*``) is estimated from the
    recorded requests that match it; nothing is ever scaled or guessed beyond them.
    """
    callers: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for finding in analysis.findings:
        callers[finding.endpoint].add((finding.path, finding.span.line))
    findings = tuple(
        replace(finding, estimate=_estimate(finding, recorded, len(callers[finding.endpoint])))
        if finding.cost
        else finding
        for finding in analysis.findings
    )
    return replace(analysis, findings=findings)


def with_imports(
    analysis: Analysis, libraries: Mapping[str, str], ms: Mapping[str, float], interpreter: str
) -> Analysis:
    """Give findings about heavy imports what those took when measured.

    ``libraries`` maps fingerprints to the library that the finding is about, ``ms`` libraries to
    milliseconds; what could not be imported is missing there.
    """

    def measured(finding: Finding) -> Finding:
        library = libraries.get(finding.fingerprint, "")
        if library not in ms:
            return finding
        estimate = Estimate(
            basis="import",
            cost="import",
            target=library,
            requests=1,
            median_ms=ms[library],
            total_ms=ms[library],
            assumes=f"nothing else imports it, and a start like that of {interpreter} here",
        )
        return replace(finding, estimate=estimate)

    return replace(analysis, findings=tuple(map(measured, analysis.findings)))


def dearness(finding: Finding) -> tuple[float, int]:
    """Return a sort key, the dearest last: recorded milliseconds, then the cost class."""
    estimate = finding.estimate
    total = estimate.total_ms if estimate is not None else 0.0
    kinds = list(KINDS)
    rank = len(kinds) - kinds.index(finding.cost) if finding.cost in KINDS else 0
    return (total, rank)


def _estimate(finding: Finding, recorded: Sequence[Timed], callers: int) -> Estimate:
    times = _matching(finding.endpoint, recorded)
    if not times:
        why = "no recorded request matches" if recorded and finding.endpoint else "by its kind"
        return Estimate("cost class", finding.cost, assumes=f"{why}: {KINDS[finding.cost]} a call")
    return Estimate(
        basis="recording",
        cost=finding.cost,
        target=finding.endpoint,
        requests=len(times),
        median_ms=median(times),
        p95_ms=quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[0],
        total_ms=sum(times),
        assumes="this call alone makes the recorded requests to that address"
        if callers == 1
        else f"each of the {callers} places that ask this address takes as long as all together",
    )


def _matching(endpoint: str, recorded: Sequence[Timed]) -> list[float]:
    if not endpoint or not recorded:
        return []
    parts = (re.escape(part) for part in endpoint.partition("?")[0].split("*"))
    pattern = re.compile(".*".join(parts))
    return [timed.ms for timed in recorded if pattern.fullmatch(timed.url)]
