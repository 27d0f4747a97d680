"""What tests of the analyzer share: sources linked to a program, seen as a rule sees them."""

import ast
import textwrap
from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.extraction import extract
from perfscan.analyzers.knowledge import load_knowledge
from perfscan.analyzers.linking import linked


@pytest.fixture
def look() -> Callable[[dict[str, str]], Where]:
    """Link files by path and return the view of the first."""

    def view(files: dict[str, str]) -> Where:
        facts = []
        for path, source in files.items():
            text = textwrap.dedent(source)
            facts.append(extract(ast.parse(text), path, text.count("\n")))
        return Where(linked(facts, load_knowledge()), 0)

    return view
