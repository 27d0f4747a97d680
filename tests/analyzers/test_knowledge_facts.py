"""The facts about libraries, held against the libraries that are installed here."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import verify_knowledge as tool

from perfscan.analyzers.knowledge import Knowledge, Library
from perfscan.analyzers.knowledge.loading import load_file

LIBRARIES = tool.shipped()
INSTALLED = [pytest.param(one, id=one.name) for one in LIBRARIES if tool.versions(one.imports)]
TABLE = tool.DOCUMENT.read_text("utf-8")

HOUSE = """
class Base:
    @property
    def balance(self): ...
    def get_price(self): ...
    async def get_later(self): ...

class Client(Base):
    def __init__(self, timeout=5):
        self.orders = timeout
    def book(self) -> "Base": ...

def connect(): ...
async def fetch(): ...
"""


@pytest.mark.parametrize("library", INSTALLED)
def test_every_name_exists_in_the_installed_package(library: Library) -> None:
    if tool.is_verified(tool.rows(TABLE)[library.name]):
        assert not tool.inspect_library(library).wrong


def test_who_runs_callbacks() -> None:
    outcomes = [tool.inspect_callback(entry) for entry in tool.shipped_callbacks()]
    assert sum(outcome.checked for outcome in outcomes) > 20
    assert [name for outcome in outcomes for name in outcome.wrong] == []


def test_enough_is_installed() -> None:
    # These are what the bundled bots use: a test that skips everything would prove nothing.
    names = {param.values[0].name for param in INSTALLED}
    assert {"requests", "aiohttp", "websocket-client", "redis", "sqlite3"} <= names


def test_the_table_lists_every_library_with_its_evidence() -> None:
    rows = tool.rows(TABLE)
    for library in LIBRARIES:
        assert library.name in rows, "run: python tools/verify_knowledge.py"
        assert tool.row(library, rows[library.name]) in TABLE, library.name
        verified = tool.is_verified(rows[library.name])
        assert verified == (library.evidence == "wheel"), library.name
    assert len(rows) == len(LIBRARIES)
    assert max(Counter(one.name for one in LIBRARIES).values()) == 1


def test_hosts_are_names_of_servers() -> None:
    hosts = {one.name: one.host for one in LIBRARIES if one.host}
    assert all(re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host) for host in hosts.values())
    knowledge = Knowledge(LIBRARIES)
    assert knowledge.host_of("aiogram") == "api.telegram.org"
    assert knowledge.host_of("py-clob-client") == "clob.polymarket.com"
    assert knowledge.host_of("requests") == ""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "house_of_tests.py").write_text(HOUSE)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "house.yaml"


@pytest.mark.parametrize(
    ("facts", "wrong"),
    [
        ("functions: [house.connect, house.sell]", ["house.sell"]),
        ("functions: [house.fetch]", ["house.fetch is a coroutine function"]),
        ("functions: [{name: house.fetch, async: true}]", []),
        ("classes: [{name: house.Client, blocks: [get_price, get_p*, book().get_price]}]", []),
        ("classes: [{name: house.Client, blocks: [sell]}]", ["house.Client().sell"]),
        ("classes: [{name: house.Client, blocks: [sell_*]}]", ["house.Client().sell_*"]),
        ("classes: [{name: house.Client, blocks: [book().sell]}]", ["house.Client().book().sell"]),
        (
            "classes: [{name: house.Client, blocks: [get_*]}]",
            ["house.Client().get_*: house.Client().get_later is a coroutine function"],
        ),
        ("classes: [{name: house.Client, blocks: [get_*], pure: [get_later]}]", []),
        (
            "classes: [{name: house.Client, blocks: [balance]}]",
            ["house.Client().balance is a property, not a method"],
        ),
        (
            "classes: [{name: house.Client, properties: [balance, get_price]}]",
            ["house.Client().get_price is a method, not a property"],
        ),
        (
            "classes: [{name: house.Client, timeout: {default: 9}, timeout_at: constructor}]",
            ["house.Client(timeout) is 5, not 9.0"],
        ),
        ("aliases: {house.Base: house.Client}", ["house.Base: is not house.Client"]),
        ("factories: {house.open: house.Client}", ["house.open"]),
        ("replacement: house.Base.buy or better", ["house.Base.buy"]),
    ],
)
def test_what_is_wrong_is_told(house: Path, facts: str, wrong: list[str]) -> None:
    facts, wrong = facts.replace("house.", "house_of_tests."), list(wrong)
    house.write_text(f"libraries: [{{name: h, imports: [house_of_tests], {facts}}}]")
    ((library,), _) = load_file(house)
    found = [
        name.replace("house_of_tests.", "house.") for name in tool.inspect_library(library).wrong
    ]
    assert [re.sub(r"^(\S+): (?=\1)", "", name) for name in found] == wrong


def test_what_only_instances_know_is_counted_apart(house: Path) -> None:
    house.write_text(
        "libraries: [{name: h, imports: [house_of_tests], functions: [elsewhere_.fetch],"
        " classes: [{name: house_of_tests.Client, blocks: [orders.create]}]}]"
    )
    ((library,), _) = load_file(house)
    outcome = tool.inspect_library(library)
    assert (outcome.checked, outcome.unknown, outcome.wrong) == (1, 1, {})
    assert outcome.not_installed == {"elsewhere_"}
    assert not outcome.verified


def default(function: Any, parameter: str) -> Any:
    return inspect.signature(function).parameters[parameter].default


def test_time_limits_that_signatures_do_not_tell() -> None:
    requests = pytest.importorskip("requests")
    httpx = pytest.importorskip("httpx")
    aiohttp = pytest.importorskip("aiohttp")
    assert default(requests.Session.request, "timeout") is None
    assert httpx.Client().timeout.read == 5
    assert aiohttp.client.DEFAULT_TIMEOUT.total == 300
    redis = pytest.importorskip("redis")
    limit = 5 if int(redis.__version__.partition(".")[0]) >= 8 else None
    assert default(redis.Redis, "socket_timeout") == limit
