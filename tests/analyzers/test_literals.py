"""What is written down: numbers and addresses behind names, in this file and in others."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.literals import Spot, address, host, number, source

Files = dict[str, str]
Look = Callable[[Files], Where]


def first_argument(where: Where, func: str = "use") -> Spot:
    call = next(call for call in where.file.calls if call.func == func)
    return Spot(call.args[0], where, call.block)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("use(5)", 5),
        ("use(60 * 5)", 300),
        ("use(1 + 0.5)", 1.5),
        ("use(10 / 4)", 2.5),
        ("LIMIT = 7\nuse(LIMIT)", 7),
        ("LIMIT = 7\nBOTH = LIMIT * 2\nuse(BOTH)", 14),
        ("import os\nuse(float(os.getenv('LIMIT', '3')))", 3),
        ("class A:\n    LIMIT = 4\nuse(A.LIMIT)", 4),
        ("use(True)", None),
        ("use(limit)", None),
        ("def f(limit):\n    use(limit)", None),
        ("LIMIT = 1\nLIMIT = 2\nuse(LIMIT)", None),
        ("import os\nuse(os.getenv('LIMIT', 'none'))", None),
        ("use(2 ** 8)", None),
        ("use(1 / 0)", None),
    ],
)
def test_number(look: Look, code: str, expected: float | None) -> None:
    value, where, block = first_argument(look({"bot.py": code}))
    assert number(value, where, block) == expected


def test_number_of_an_attribute(look: Look) -> None:
    code = (
        "class Bot:\n"
        "    def __init__(self):\n"
        "        self.pause = 9\n"
        "    def run(self):\n"
        "        use(self.pause)\n"
    )
    value, where, block = first_argument(look({"bot.py": code}))
    assert number(value, where, block) == 9


@pytest.mark.parametrize(
    "code",
    [
        "from settings import LIMIT\nuse(LIMIT)",
        "import settings\nuse(settings.LIMIT)",
        "from settings import LIMIT as MOST\nuse(MOST)",
    ],
)
def test_number_of_another_file(look: Look, code: str) -> None:
    value, where, block = first_argument(look({"bot.py": code, "settings.py": "LIMIT = 12"}))
    assert number(value, where, block) == 12


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("use('https://a.org/x')", "https://a.org/x"),
        ("use(f'https://a.org/{symbol}')", "https://a.org/"),
        ("API = 'https://a.org'\nuse(f'{API}/price/{symbol}')", "https://a.org/price/"),
        ("API = 'https://a.org'\nuse(API + '/price')", "https://a.org/price"),
        ("use('https://a.org/%s' % symbol)", "https://a.org/"),
        ("import os\nuse(os.getenv('API', 'https://a.org'))", "https://a.org"),
        ("use(url)", ""),
    ],
)
def test_address(look: Look, code: str, expected: str) -> None:
    value, where, block = first_argument(look({"bot.py": code}))
    assert address(value, where, block) == expected


def test_address_that_all_callers_pass(look: Look) -> None:
    code = (
        "def ask(url):\n    use(url)\n"
        "def one():\n    ask('https://a.org/1')\n"
        "def two():\n    ask('https://a.org/2')\n"
    )
    value, where, block = first_argument(look({"bot.py": code}))
    assert host(address(value, where, block)) == "a.org"


def test_address_that_callers_differ_in(look: Look) -> None:
    code = (
        "def ask(url):\n    use(url)\n"
        "def one():\n    ask('https://a.org')\n"
        "def two():\n    ask('https://b.org')\n"
    )
    value, where, block = first_argument(look({"bot.py": code}))
    assert address(value, where, block) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://API.example.org:8443/x", "api.example.org"),
        ("wss://stream.example.org", "stream.example.org"),
        ("https://", ""),
        ("example.org", ""),
        ("", ""),
    ],
)
def test_host(text: str, expected: str) -> None:
    assert host(text) == expected


def test_source_stops_at_a_call(look: Look) -> None:
    spot = first_argument(look({"bot.py": "made = build()\nuse(made)"}))
    found = source(spot)
    assert found is not None
    call = found.where.call_of(found.value)
    assert call is not None
    assert call.func == "build"


def test_names_in_a_circle_end(look: Look) -> None:
    value, where, block = first_argument(look({"bot.py": "a = b\nb = a\nuse(a)"}))
    assert number(value, where, block) is None
