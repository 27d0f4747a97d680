"""Draw random findings from unpacked projects, each with its source, for somebody to judge.

    python tools/precision_sample.py --seed 1 --count 100 freqtrade/ discord.py/ ... > sample.jsonl

One JSON object a line: project, rule, severity, confidence, path, line, message, fix, trace and the
source around. Findings of medium severity and above are drawn, all equally likely, in an order
that the seed decides. docs/precision.md tells how the judged sample is kept.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from perfscan.analyzers.engine import analyze
from perfscan.analyzers.model import Analysis, Finding, Severity

AROUND = 12
"""Lines of source shown before and after."""


def main() -> None:
    """Scan the folders named on the command line and print the sample."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--select", action="append", default=[])
    options = parser.parse_args()
    found: list[tuple[str, Analysis, Finding]] = []
    for folder in sorted(options.folders):
        scan = analyze([folder], root=folder.resolve(), select=options.select)
        wanted = [finding for finding in scan.findings if finding.severity >= Severity.MEDIUM]
        found += [(folder.name, scan, finding) for finding in wanted]
        print(f"{folder.name}: {len(wanted)} of {len(scan.findings)}", file=sys.stderr)
    random.Random(options.seed).shuffle(found)
    for project, scan, finding in found[: options.count]:
        print(json.dumps(record(project, scan, finding), ensure_ascii=False))


def record(project: str, scan: Analysis, finding: Finding) -> dict[str, Any]:
    """Return what a judge needs to see."""
    return {
        "project": project,
        "rule": f"{finding.rule} {finding.name}",
        "severity": str(finding.severity),
        "confidence": str(finding.confidence),
        "place": f"{finding.path}:{finding.span.line}",
        "symbol": finding.symbol,
        "message": finding.message,
        "fix": finding.fix,
        "trace": [f"{step.symbol} {step.path}:{step.line}" for step in finding.trace],
        "source": list(source(scan.sources[finding.path], finding.span.line)),
    }


def source(lines: tuple[str, ...], line: int) -> Iterator[str]:
    """Yield the numbered lines around ``line``."""
    first = max(0, line - 1 - AROUND)
    for number, text in enumerate(lines[first : line + AROUND], start=first + 1):
        yield f"{'>' if number == line else ' '}{number:5} {text}"


if __name__ == "__main__":
    main()
