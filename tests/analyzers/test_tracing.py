"""What an answer is made from: no more than it looked at, so that a change costs little."""

import ast
from pathlib import Path

import pytest

from perfscan.analyzers.asking import ask_about, ask_once
from perfscan.analyzers.extraction import extract
from perfscan.analyzers.knowledge import load_knowledge
from perfscan.analyzers.linking import linked
from perfscan.analyzers.project import Program
from perfscan.analyzers.registry import all_rules
from perfscan.analyzers.tracing import ALL, Trace, TracedFiles, TracedTable

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rules"


def test_files_are_loaded_when_asked_for_and_noted() -> None:
    trace, loaded = Trace(), list[int]()

    def load(index: int) -> str:
        loaded.append(index)
        return f"file {index}"

    files = TracedFiles(3, load, trace)
    outer = trace.begin()
    assert (files[1], files[1], len(files)) == ("file 1", "file 1", 3)
    assert (trace.end(outer), trace.sources, loaded) == ({1}, {1}, [1])
    assert list(files) == ["file 0", "file 1", "file 2"]
    with pytest.raises(IndexError):
        files[3]


def test_rows_are_noted_found_or_not() -> None:
    trace = Trace()
    table = TracedTable("t", lambda: {"a": 1}, trace)
    assert (table.get("a"), table.get("b"), "c" in table) == (1, None, False)
    assert trace.sources == {("t", "a"), ("t", "b"), ("t", "c")}
    assert list(table) == ["a"]
    assert ("t", ALL) in trace.sources


@pytest.fixture(scope="module")
def program() -> Program:
    """One program of all fixtures, which have nothing to do with each other."""
    files = sorted(FIXTURES.glob("*.py"))
    facts = [extract(ast.parse(file.read_text("utf-8")), file.name, 1) for file in files]
    return linked(facts, load_knowledge())


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)
def test_no_rule_walks_over_all_files(program: Program, rule: object) -> None:
    """Such a rule would load a million lines again for each change: see survey.py."""
    (rule,) = [one for one in all_rules() if one is rule]
    for file in range(0, len(program.paths), 7):
        outer = program.trace.begin()
        once = Program in rule.on
        list(ask_once(program, rule) if once else ask_about(program, file, [rule]))
        files = {source for source in program.trace.end(outer) if isinstance(source, int)}
        assert len(files) < len(program.paths) * (0.9 if once else 0.4)
        if once:
            return
