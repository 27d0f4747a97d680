"""What a loop takes out of a written-down table."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.tabled import cells

NAMES = [f"f{number}" for number in range(9)]
DEFINITIONS = "\n".join(f"def {name}(): pass" for name in NAMES)
PAIRS = ", ".join(f'"{name}": {name}' for name in NAMES)
ROWS = ", ".join(f'("{name}", {name})' for name in NAMES)


def taken(look: Callable[[dict[str, str]], Where], code: str) -> list[str]:
    where = look({"bot.py": f"{DEFINITIONS}\n{code}"})
    (call,) = [call for call in where.file.calls if call.func == "add"]
    scopes = where.program.names.scopes[where.index]
    return [cell.value.ref for cell in cells(call.args[0], call, where.file, scopes)]


@pytest.mark.parametrize(
    "code",
    [
        f"T = {{{PAIRS}}}\nfor name, f in T.items():\n    add(f)",
        f"T = {{{PAIRS}}}\nfor f in T.values():\n    add(f)",
        f"T = [{ROWS}]\nfor name, f in T:\n    add(f)",
        f"T = [{ROWS}]\nfor row in T:\n    add(row[1])",
        f"T = ({', '.join(NAMES)})\nfor f in T:\n    add(f)",
        f"for f in [{', '.join(NAMES)}]:\n    add(f)",
        f"def g(app):\n    T = [{ROWS}]\n    for name, f in T:\n        add(f)",
        f"T = {{{PAIRS}}}\nhandlers = [add(f) for name, f in T.items()]",
    ],
)
def test_every_row_counts(look: Callable[[dict[str, str]], Where], code: str) -> None:
    assert taken(look, code) == NAMES


@pytest.mark.parametrize(
    "code",
    [
        "f = f1\nadd(f)",  # no loop
        "def g(T):\n    for f in T:\n        add(f)",  # nobody knows what is in it
        f"T = [{ROWS}]\nT = []\nfor name, f in T:\n    add(f)",  # two tables
        f"T = {{{PAIRS}}}\nfor name in T:\n    add(name)",  # the keys, which are no functions
        f"T = [{ROWS}]\nfor name, f in T:\n    f = f1\nadd(f)",  # after the loop
    ],
)
def test_what_is_not_written_in_a_table(look: Callable[[dict[str, str]], Where], code: str) -> None:
    assert taken(look, code) == []
