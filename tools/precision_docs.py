"""Write docs/precision.md from the judged samples in fixtures/precision/*.jsonl.

A line of those files is one finding: project, rule, place, verdict (``true``, ``true, minor`` or
``false``) and the reason for it. tools/precision_sample.py draws findings to judge.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "fixtures" / "precision"
PAGE = ROOT / "docs" / "precision.md"
MARK = "<!-- verdicts -->\n"


class Verdict(NamedTuple):
    """One judged finding."""

    project: str
    rule: str
    place: str
    verdict: str
    reason: str


def read(file: Path) -> list[Verdict]:
    """Return the verdicts of one sample."""
    lines = file.read_text("utf-8").splitlines()
    return [Verdict(**json.loads(line)) for line in lines]


def summary(verdicts: list[Verdict]) -> str:
    """Return how many of the findings are real."""
    counts = Counter(one.verdict for one in verdicts)
    real = counts["true"] + counts["true, minor"]
    return (
        f"{real} of {len(verdicts)} real ({real / len(verdicts):.0%}): {counts['true']} right,"
        f" {counts['true, minor']} right but rated too high, {counts['false']} wrong"
    )


def table(verdicts: list[Verdict]) -> str:
    """Return one row a finding, by project and place."""
    rows = [
        f"| {one.project} | {one.rule} | `{one.place}` | {one.verdict} | {_cell(one.reason)} |\n"
        for one in sorted(verdicts)
    ]
    return "| Project | Rule | Place | Verdict | Why |\n|:--|:--|:--|:--|:--|\n" + "".join(rows)


def _cell(text: str) -> str:
    escaped = text.replace("|", "\\|").replace("<", "&lt;")
    return " ".join(escaped.replace("*", "\\*").replace("_", "\\_").split())


def page(text: str) -> str:
    """Return the page with everything below its mark written anew."""
    before, mark, _ = text.partition(MARK)
    if not mark:
        sys.exit(f"{PAGE.name} has no {MARK!r}")
    parts = [before, mark]
    for file in sorted(SAMPLES.glob("*.jsonl"), reverse=True):
        verdicts = read(file)
        title = file.stem.replace("-", " ").capitalize()
        parts.append(f"\n## {title}\n\n{summary(verdicts)}.\n\n{table(verdicts)}")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
