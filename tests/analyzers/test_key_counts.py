"""How many keys a dictionary may see, and what it keeps under them."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.containers import growths
from perfscan.analyzers.context import Where
from perfscan.analyzers.key_counts import is_few, is_few_by_name
from perfscan.analyzers.live_objects import kept_by, may_keep

Look = Callable[[dict[str, str]], Where]

START = "import asyncio, aiohttp\nfrom collections import defaultdict\nheld = {}\n"


@pytest.mark.parametrize(
    ("key", "few"),
    [
        ("m['signature']", False),
        ("m.order_id", False),
        ("m.symbol", True),
        ("m.guild.id", True),
        ("(m.mint, m.level)", True),
        ("f'{m.filename}'", True),
        ("type(m)", True),
    ],
)
def test_names_of_keys(look: Look, key: str, few: bool) -> None:
    where = look({"bot.py": f"{START}def f(m):\n    key = {key}\n    held[key] = m\n"})
    assert is_few_by_name(growths(where)[0], where) == few


@pytest.mark.parametrize(
    ("body", "few"),
    [
        ("held['last'] = m", True),
        ("held[NAME] = m", True),
        ("for s in m.items(): held[s] = 1", True),
        ("for s in m.fetch(): held[s] = 1", False),
        ("held[m.id] = m", False),
    ],
)
def test_constants_and_configured_loops(look: Look, body: str, few: bool) -> None:
    where = look({"bot.py": f"{START}def f(m):\n    {body}\n"})
    growth = growths(where)[0]
    assert is_few(growth.key, growth, where) == few


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("held[m] = asyncio.Lock()", "lock"),
        ("held.setdefault(m, asyncio.Semaphore(3))", "semaphore"),
        ("held[m] = asyncio.create_task(m.run())", "task"),
        ("s = aiohttp.ClientSession()\n    held[m] = s", "session"),
        ("held[m] = m.price", ""),
    ],
)
def test_what_is_kept(look: Look, body: str, kept: str) -> None:
    where = look({"bot.py": f"{START}def f(m):\n    {body}\n"})
    assert kept_by(growths(where)[0], where) == kept


def test_locks_made_on_demand(look: Look) -> None:
    where = look({"bot.py": f"{START}made = defaultdict(asyncio.Lock)\ndef f(m):\n    made[m]\n"})
    assert may_keep(where)
    assert kept_by(growths(where)[0], where) == "lock"
    assert not may_keep(look({"bot.py": "held = {}\nheld[1] = len('x')"}))
