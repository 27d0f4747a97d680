"""Loops that go through tables one row at a time."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.row_loops import is_compiled, row_loops, waits_per_row

Look = Callable[[dict[str, str]], Where]

START = "import pandas as pd\nimport requests\ndef f(df: pd.DataFrame, n):\n"


@pytest.mark.parametrize(
    ("body", "access"),
    [
        ("    for i in range(len(df)):\n        print(df.iloc[i])", "df.iloc[...]"),
        ("    for i in range(1, n):\n        x = df['a'].iloc[i - 1]", "df[...].iloc[...]"),
        ("    for i in df.index:\n        df.at[i, 'a'] = 1", "df.at[...]"),
        ("    i = 0\n    while i < n:\n        print(df.iloc[i])\n        i += 1", "df.iloc[...]"),
        ("    for i in range(3):\n        print(df.iloc[i])", ""),
        ("    for i in range(0, n, 100):\n        print(df.iloc[i : i + 100])", ""),
        ("    for i in range(n):\n        print(df.iloc[:, i])", ""),
        ("    for s in n:\n        print(df.loc[s])", ""),
        ("    for i in range(n):\n        print(df.iloc[-1])", ""),
        ("    while n:\n        print(df.iloc[n])", ""),
    ],
)
def test_rows_by_position(look: Look, body: str, access: str) -> None:
    found = list(row_loops(look({"bot.py": START + body})).values())
    assert [one.access for one in found] == ([access] if access else [])


@pytest.mark.parametrize(
    ("code", "compiled"),
    [
        ("@njit\ndef f(): use()", True),
        ("@numba.njit(cache=True)\ndef f(): use()", True),
        ("@cache\ndef f(): use()", False),
        ("use()", False),
    ],
)
def test_compiled_functions(look: Look, code: str, compiled: bool) -> None:
    where = look({"bot.py": code})
    block = next(call.block for call in where.file.calls if call.func == "use")
    assert is_compiled(block, where) == compiled


def test_a_request_in_each_turn(look: Look) -> None:
    where = look({"bot.py": START + "    for i in range(n):\n        requests.get(df.iloc[i])"})
    loop = next(block for block in where.file.blocks if block.kind == "for")
    assert waits_per_row(loop, where)
