"""From the coroutine to the call that blocks: the way, the cause, and one finding for it."""

from pathlib import Path

import pytest

from perfscan.analyzers.engine import analyze
from perfscan.analyzers.model import Finding, Severity

SINK = "import requests\ndef fetch():\n    return requests.get('https://example.org', timeout=5)\n"


def chains(folder: Path, **files: str) -> list[Finding]:
    for name, source in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    return list(analyze([folder], root=folder, select=["PS104"]).findings)


def steps(finding: Finding) -> list[tuple[str, int]]:
    return [(step.path, step.line) for step in finding.trace]


def test_the_way_is_told_at_any_depth_across_files(tmp_path: Path) -> None:
    depth = 12
    files = {
        f"m{n}": f"from m{n + 1} import f{n + 1}\ndef f{n}():\n    f{n + 1}()\n"
        for n in range(depth)
    }
    files[f"m{depth}"] = SINK.replace("fetch", f"f{depth}")
    (finding,) = chains(tmp_path, bot="from m0 import f0\nasync def tick():\n    f0()\n", **files)
    assert (finding.path, finding.span.line, finding.symbol) == ("bot.py", 3, "bot:tick")
    ways = [(f"m{n}.py", 3) for n in range(depth + 1)]
    assert steps(finding) == [("bot.py", 3), *ways]


def test_a_way_through_methods_properties_constructors_and_partials(tmp_path: Path) -> None:
    source = """
import functools
from sink import fetch
class Client:
    def __init__(self):
        self.load = functools.partial(fetch)
        self.first = self.page
    @property
    def page(self):
        return self.load()
async def tick():
    Client()
"""
    (finding,) = chains(tmp_path, bot=source, sink=SINK)
    assert steps(finding) == [("bot.py", 12), ("bot.py", 7), ("bot.py", 10), ("sink.py", 3)]


def test_one_cause_is_one_finding_not_one_a_path(tmp_path: Path) -> None:
    bot = """
from sink import fetch
def left(): fetch()
def right(): fetch()
def both(): left(), right()
async def tick():
    left()
    both()
    fetch()
    fetch()
"""
    (finding,) = chains(tmp_path, bot=bot, sink=SINK)
    assert (finding.span.line, steps(finding)) == (9, [("bot.py", 9), ("sink.py", 3)])
    assert "3 times more in the same coroutine" in finding.message


def test_each_coroutine_is_told(tmp_path: Path) -> None:
    bot = "from sink import fetch\nasync def a(): fetch()\nasync def b(): fetch()\n"
    found = chains(tmp_path, bot=bot, sink=SINK)
    assert [finding.symbol for finding in found] == ["bot:a", "bot:b"]
    assert all(finding.fix.startswith("Make fetch async") for finding in found)


def test_a_crowd_is_counted(tmp_path: Path) -> None:
    bot = "from sink import fetch\n" + "".join(f"async def f{n}(): fetch()\n" for n in range(13))
    found = chains(tmp_path, bot=bot, sink=SINK)
    assert len(found) == 10
    assert {finding.message.rpartition("; ")[2] for finding in found} == {
        "3 more coroutines lead there"
    }


def test_two_causes_behind_one_call_are_one_finding_of_the_worst(tmp_path: Path) -> None:
    bot = """
import sqlite3
from sink import fetch
connection = sqlite3.connect("x")
def query(): connection.execute("SELECT 1")
def work():
    query()
    fetch()
async def tick():
    work()
"""
    (finding,) = chains(tmp_path, bot=bot, sink=SINK)
    assert (finding.severity, steps(finding)[-1]) == (Severity.CRITICAL, ("sink.py", 3))


@pytest.mark.parametrize(
    "helpers",
    [
        "def one():\n    one()\n    fetch()\n",
        "def one(): two()\ndef two(): one(), three()\ndef three():\n    two()\n    fetch()\n",
        "def one(n=0): return one(n + 1) if n else two(n)\ndef two(n): return fetch() or one(n)\n",
    ],
    ids=["itself", "a circle", "two that call each other"],
)
def test_recursion_ends(tmp_path: Path, helpers: str) -> None:
    bot = f"from sink import fetch\n{helpers}async def tick(): one()\n"
    (finding,) = chains(tmp_path, bot=bot, sink=SINK)
    assert steps(finding)[-1] == ("sink.py", 3)


def test_recursion_without_an_end_is_silent(tmp_path: Path) -> None:
    assert chains(tmp_path, bot="def a(): b()\ndef b(): a()\nasync def tick(): a()\n") == []


def test_the_shortest_way_then_the_first_place(tmp_path: Path) -> None:
    far = "from sink import fetch\ndef far(): deep()\ndef deep(): fetch()\n"
    near = "from sink import fetch\ndef near(): fetch()\n"
    bot = "from a_far import far\nfrom z_near import near\ndef work():\n    far()\n    near()\n"
    (finding,) = chains(
        tmp_path, bot=bot + "async def tick(): work()\n", a_far=far, z_near=near, sink=SINK
    )
    assert steps(finding) == [("bot.py", 6), ("bot.py", 5), ("z_near.py", 2), ("sink.py", 3)]


def test_the_way_does_not_depend_on_the_order_of_the_files(tmp_path: Path) -> None:
    bot = "from a import one\nfrom b import two\ndef work():\n    two()\n    one()\n"
    files = {
        "bot": bot + "async def tick(): work()\n",
        "a": SINK.replace("fetch", "one"),
        "b": SINK.replace("fetch", "two"),
    }
    before = chains(tmp_path, **files)
    paths = [tmp_path / f"{name}.py" for name in ("b", "bot", "a")]
    for order in (paths, paths[::-1]):
        assert list(analyze(order, root=tmp_path, select=["PS104"]).findings) == before
    (finding,) = before
    assert steps(finding)[-1] == ("a.py", 3)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ("bot.price", "reading Bot.price blocks"),
        ("[x for x in bot]", "iterating over Bot blocks"),
        ("bot.load()", "Bot.load() blocks"),
    ],
)
def test_the_message_says_what_happens_there(tmp_path: Path, use: str, words: str) -> None:
    bot = f"""
from sink import fetch
class Bot:
    @property
    def price(self): return fetch()
    def load(self): return fetch()
    def __iter__(self): return iter(fetch())
async def tick(bot: Bot):
    return {use}
"""
    (finding,) = chains(tmp_path, bot=bot, sink=SINK)
    assert finding.message.startswith(words)


def test_advice_in_a_callback_has_no_await(tmp_path: Path) -> None:
    bot = "import asyncio\nfrom sink import fetch\ndef done(task): fetch()\n"
    bot += "async def main(): asyncio.create_task(main()).add_done_callback(done)\n"
    (finding,) = chains(tmp_path, bot=bot, sink=SINK)
    assert finding.fix == "Hand it to a thread: loop.run_in_executor(None, fetch, ...)."
