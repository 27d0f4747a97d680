"""What the reports on real bots name as slow is found in code as such bots have it.

Each marked line (``# S1.1 PS301``: number of the problem, rule that must name the line) stands for
one problem. The sketches hold the problems only; the bundled bots are whole programs.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from perfscan.analyzers.engine import analyze

FOLDER = Path(__file__).parents[2] / "fixtures" / "systems"
MARK = re.compile(r"(S\d\.\d+) (PS\d+)")


def marks(file: Path) -> set[tuple[str, str, int]]:
    return {
        (problem, rule, number)
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1)
        for problem, rule in MARK.findall(line.rpartition("#")[2])
    }


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_each_problem_is_found_where_it_stands(file: Path) -> None:
    scan = analyze([file], root=FOLDER)
    found = {(finding.rule, finding.span.line) for finding in scan.findings}
    wanted = marks(file)
    assert len(wanted) >= 7
    missing = sorted(mark for mark in wanted if mark[1:] not in found)
    assert not missing, f"not found: {missing}; found: {sorted(found)}"
