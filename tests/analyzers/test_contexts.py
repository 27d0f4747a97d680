"""Who runs the code: one fixture a framework, each call of ``work`` with its context."""

import ast
import re
from pathlib import Path

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.extraction import extract
from perfscan.analyzers.knowledge import load_knowledge
from perfscan.analyzers.linking import linked

FIXTURES = Path(__file__).parents[2] / "fixtures" / "contexts"
MARK = re.compile(r"\bwork\(\).*# (?P<context>loop|thread|process|start-up|unknown)$")


def contexts(path: Path) -> dict[int, str]:
    text = path.read_text("utf-8")
    facts = extract(ast.parse(text), path.name, text.count("\n"))
    where = Where(linked([facts], load_knowledge()), 0)
    return {
        call.place[0]: str(where.context(call.block)) for call in facts.calls if call.func == "work"
    }


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.py")), ids=lambda path: path.stem)
def test_each_call_runs_where_its_line_says(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    expected = {
        number: mark["context"]
        for number, line in enumerate(lines, start=1)
        if (mark := MARK.search(line))
    }
    assert expected
    assert contexts(path) == expected
