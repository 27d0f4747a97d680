"""What is a table, a column or an array, and what reading it gives."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.frames import in_words, shape_of, shape_of_path
from perfscan.analyzers.knowledge import load_knowledge

Look = Callable[[dict[str, str]], Where]

START = "import numpy as np\nimport pandas as pd\nimport yfinance as yf\nimport ccxt\n"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pandas.DataFrame()", "frame"),
        ("pandas.read_parquet()", "frame"),
        ("pandas.DataFrame().copy().dropna()", "frame"),
        ("pandas.DataFrame().[]", "column"),
        ("pandas.DataFrame().close", "column"),
        ("pandas.DataFrame().[].values", "array"),
        ("pandas.DataFrame().[].to_numpy()", "array"),
        ("pandas.DataFrame().[].rolling().mean()", "column"),
        ("pandas.DataFrame().groupby()", "group"),
        ("pandas.DataFrame().groupby().[]", "group"),
        ("pandas.DataFrame().iloc", "rows"),
        ("pandas.DataFrame().iloc.copy()", "column"),
        ("pandas.DataFrame().iloc.[]", ""),
        ("pandas.DataFrame().index", ""),
        ("pandas.DataFrame().to_dict()", ""),
        ("pandas.Series().diff()", "series"),
        ("pandas.Series().[]", ""),
        ("numpy.zeros().copy()", "array"),
        ("numpy.ndarray().[]", ""),
        ("polars.read_csv().filter()", "frame"),
        ("yfinance.Ticker().history()", "frame"),
        ("requests.get()", ""),
    ],
)
def test_each_step_of_a_path_counts(path: str, expected: str) -> None:
    knowledge = load_knowledge()
    assert shape_of_path(knowledge.canonical(path), knowledge) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(rows):\n    x = pd.DataFrame(rows)\n    use(x)", "frame"),
        ("def f(x: pd.DataFrame):\n    use(x)", "frame"),
        ("def f(x: 'pd.DataFrame | None'):\n    use(x)", "frame"),
        ("def f(ex):\n    x = pd.DataFrame(ccxt.binance().fetch_ohlcv('A'))\n    use(x)", "frame"),
        ("def f():\n    x = yf.download('A')\n    use(x)", "frame"),
        ("def g(p) -> pd.DataFrame: ...\ndef f(p):\n    x = g(p)\n    use(x)", "frame"),
        ("def f(d: pd.DataFrame):\n    x = d[d['a'] > 1]\n    use(x)", "column"),
        ("def f(d: pd.DataFrame):\n    x = (d['a'] + d['b']) / 2\n    use(x)", "column"),
        ("def f(x):\n    last = x.iloc[-1]\n    use(x)", "column"),
        ("def f(x):\n    x.sort_values('a')\n    use(x)", "frame"),
        ("def f(x):\n    use(x)", ""),
        ("def f(x: dict):\n    use(x)", ""),
        ("def f(x):\n    x = [1]\n    x.sort()\n    use(x)", ""),
    ],
)
def test_names_by_what_binds_or_uses_them(look: Look, code: str, expected: str) -> None:
    where = look({"bot.py": START + code})
    call = next(call for call in where.file.calls if call.func == "use")
    assert shape_of("x", call.block, call.number, where) == expected


def test_attributes_of_an_object(look: Look) -> None:
    code = "class A:\n    def __init__(self, r):\n        self.df = pd.DataFrame(r)\n"
    where = look({"bot.py": START + code + "    def f(self):\n        use(self.df)\n"})
    call = next(call for call in where.file.calls if call.func == "use")
    assert shape_of("self.df", call.block, call.number, where) == "frame"


def test_use_says_nothing_where_pandas_is_not_imported(look: Look) -> None:
    where = look({"bot.py": "def f(x):\n    x.iloc[-1]\n    use(x)"})
    call = next(call for call in where.file.calls if call.func == "use")
    assert shape_of("x", call.block, call.number, where) == ""


def test_words() -> None:
    assert in_words("df.[].values") == "df[...].values"
    assert in_words("@7") == "the table"
