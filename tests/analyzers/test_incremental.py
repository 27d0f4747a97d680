"""After any edit, a scan that knows the last one finds what a scan that knows nothing finds."""

import ast
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from perfscan.analyzers import fresh
from perfscan.analyzers.engine import analyze

BOTS = Path(__file__).parents[2] / "fixtures" / "bots"

PROJECT = {
    "bot/__init__.py": "from bot.net import Session\n",
    "bot/net.py": """
import requests, time, aiohttp
from bot.settings import RETRIES

class Base:
    def ask(self, url): raise NotImplementedError
    def twice(self, url): return self.ask(url), self.ask(url)

class Session(Base):
    def __init__(self): self.http = requests.Session()
    def ask(self, url): return self.http.get(url)

def fetch(url, session=None):
    return (session or requests).get(url)

def pause(seconds): time.sleep(seconds)

class Pool:
    async def price(self, name):
        async with aiohttp.ClientSession() as session:
            return await session.get(name)
""",
    "bot/settings.py": "RETRIES = 3\nURL = 'https://api.example.org'\ncache = {}\n",
    "bot/work.py": """
import asyncio
from bot import net, settings
from bot.net import *

class Worker(net.Session):
    def __init__(self, client):
        super().__init__()
        self.client = client
        self.seen = []

    def step(self, item):
        self.seen.append(item)
        return self.client.ask(item)

    async def on_message(self, message):
        self.step(message)
        net.pause(1)

def helper(call, *args):
    return call(*args)

async def prices(pool, names):
    for name in names:
        await pool.price(name)
""",
    "bot/main.py": """
import asyncio, threading
from .work import Worker, helper, prices
from .net import Pool, Session, fetch

def background(worker):
    while True:
        worker.step("x")
        fetch(worker.url)

async def main():
    worker = Worker(Session())
    threading.Thread(target=background, args=(worker,)).start()
    helper(worker.twice, "a")
    while True:
        await prices(Pool(), ["a", input()])
        await asyncio.to_thread(worker.step, 1)
        worker.step(2)

if __name__ == "__main__":
    asyncio.run(main())
""",
}

ADDED = (
    "def {name}(value):\n    time.sleep(value)\n    return fetch(value)\n",
    "async def {name}(items):\n    for item in items:\n        await item.get()\n    step(items)\n",
    "class {name}(Base):\n    def ask(self, url): return requests.get(url)\n",
    "{name} = Session()\n",
    "import requests as {name}\n",
    "from bot.net import fetch as {name}\n",
    "while True:\n    {name}.step(1)\n",
    "cache.pop('{name}')\n",
)

Edit = Callable[[random.Random, str], str]


def add(rng: random.Random, text: str) -> str:
    name = rng.choice(
        ["fetch", "pause", "ask", "step", "prices", "Worker", f"new{rng.random()}"[:5]]
    )
    return f"{text}\n{rng.choice(ADDED).format(name=name)}"


def comment(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    starts = [node.lineno for node in ast.parse(text).body] or [1]
    lines.insert(rng.choice(starts) - 1, "# a word" + " more" * rng.randrange(3))
    return "\n".join(lines)


def drop(rng: random.Random, text: str) -> str:
    nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.stmt)]
    if not nodes:
        return text
    node, lines = rng.choice(nodes), text.split("\n")
    indent = " " * node.col_offset
    assert node.end_lineno is not None
    lines[node.lineno - 1 : node.end_lineno] = [f"{indent}pass"]
    return "\n".join(lines)


def rename(rng: random.Random, text: str) -> str:
    names = sorted({n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)})
    names += sorted({n.name for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef)})
    if len(names) < 2:
        return text
    old, new = rng.sample(names, 2)
    return text.replace(old, new, rng.choice([1, -1]))


def double(rng: random.Random, text: str) -> str:
    body = [n for n in ast.parse(text).body if n.end_lineno is not None]
    if not body:
        return text
    node, lines = rng.choice(body), text.split("\n")
    return "\n".join([*lines[: node.end_lineno], *lines[node.lineno - 1 :]])


def spoil(rng: random.Random, text: str) -> str:
    return f"{text}\ndef ("


EDITS: tuple[Edit, ...] = (add, add, comment, drop, drop, rename, rename, double, spoil)


def edited(rng: random.Random, text: str) -> str:
    """Return the text after one edit, mostly one that Python still reads."""
    for _ in range(5):
        try:
            after = rng.choice(EDITS)(rng, text)
            if rng.random() < 0.95:
                ast.parse(after)
        except (SyntaxError, ValueError, RecursionError):
            continue
        return after
    return "import time\n"


def walk(folder: Path, cache: Path, steps: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Edit the files of ``folder`` step by step; return how many files were spared a new look."""
    rng = random.Random(seed)
    spared = 0
    for _ in range(steps):
        files = sorted(folder.rglob("*.py"))
        for _ in range(rng.choice([1, 1, 1, 2])):
            file = rng.choice(files)
            file.write_text(edited(rng, file.read_text("utf-8")), "utf-8")
        if rng.random() < 0.1:
            (folder / f"more{rng.randrange(3)}.py").write_text(PROJECT["bot/net.py"], "utf-8")
        monkeypatch.setattr(fresh, "_KEEP_SHARE", rng.choice([0.0, 1.0]))
        warm = analyze([folder], root=folder, possible=True, cache=cache)
        cold = analyze([folder], root=folder, possible=True)
        assert replace(warm, cached_files=0) == cold
        again = analyze([folder], root=folder, possible=True, cache=cache)
        assert again.cached_files == again.files
        assert again.findings == cold.findings
        spared += warm.cached_files
    return spared


@pytest.mark.parametrize("seed", range(6))
def test_edits_of_a_small_program(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "project"
    for path, text in PROJECT.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    assert walk(folder, tmp_path / "cache", 12, seed, monkeypatch) > 0


def test_edits_of_real_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "real"
    shutil.copytree(BOTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    assert walk(folder, tmp_path / "cache", 4, 1, monkeypatch) > 10
