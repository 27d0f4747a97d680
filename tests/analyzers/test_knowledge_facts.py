"""The facts about libraries, held against the libraries that are installed here."""

from __future__ import annotations

import fnmatch
import importlib
import importlib.util
import inspect
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "analyzers" / "knowledge"
LIBRARIES = [
    pytest.param(library, id=f"{file.stem}-{library['name']}")
    for file in sorted(FOLDER.glob("*.yaml"))
    for library in yaml.safe_load(file.read_text("utf-8")).get("libraries", [])
]
INSTALLED = [
    param
    for param in LIBRARIES
    if any(importlib.util.find_spec(name.partition(".")[0]) for name in param.values[0]["imports"])
]
PLAIN = re.compile(r"[A-Za-z_][\w.]*")
KNOWN_COSTS = {"network", "sleep", "subprocess", "database", "file", "cpu", "socket", "lock"}
OLD_NAMES = {
    # Names of earlier releases that bots still use.
    "solana.rpc.websocket_api.connect",
    "openai.ChatCompletion.create",
    "openai.Completion.create",
    "openai.Embedding.create",
    "openai.Image.create",
    "telegram.bot.Bot",
}


def resolve(path: str) -> Any:
    """Return the object at ``path``; skip when its module is not installed."""
    head, *rest = path.split(".")
    if importlib.util.find_spec(head) is None:
        pytest.skip(f"{head} is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a library says about itself is not our matter
        found: Any = importlib.import_module(head)
        walked = head
        for name in rest:
            walked = f"{walked}.{name}"
            if not hasattr(found, name) and inspect.ismodule(found):
                if importlib.util.find_spec(walked) is None:
                    pytest.skip(f"{walked} is not installed; another distribution may hold it")
                importlib.import_module(walked)
            found = getattr(found, name)
    return found


def names_of(entry: Any) -> list[str]:
    value = entry["name"] if isinstance(entry, dict) else entry
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("library", INSTALLED)
def test_every_name_exists_in_the_installed_package(library: dict[str, Any]) -> None:
    named = [name for entry in library.get("functions", []) for name in names_of(entry)]
    named += [path for path in library.get("factories", {}) if PLAIN.fullmatch(path)]
    named += library.get("aliases", {}).values()
    for path in sorted(set(filter(PLAIN.fullmatch, named)) - OLD_NAMES):
        resolve(path)
    for entry in library.get("classes", []):
        for name in filter(PLAIN.fullmatch, names_of(entry)):
            held = resolve(name)
            if library["evidence"] == "wheel" and len(names_of(entry)) == 1:
                check_methods(name, held, entry)


def check_methods(name: str, held: Any, entry: dict[str, Any]) -> None:
    for method in [*entry.get("blocks", []), *entry.get("pure", []), *entry.get("properties", [])]:
        if "." in method or "(" in method:
            continue  # reached through an attribute that only instances have
        assert fnmatch.filter(dir(held), method), f"{name} has nothing like {method}"


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_library_says_how_it_is_known(library: dict[str, Any]) -> None:
    assert library["evidence"] in ("wheel", "docs", "general")
    assert library["cost"] in KNOWN_COSTS
    assert library["imports"]


def test_every_installed_client_of_the_project_is_there() -> None:
    # These are what the bundled bots use: a test that skips everything would prove nothing.
    for name in ("requests.Session", "aiohttp.ClientSession", "websocket.create_connection"):
        assert callable(resolve(name))


def default(function: Any, parameter: str) -> Any:
    return inspect.signature(function).parameters[parameter].default


def test_default_timeouts() -> None:
    requests = pytest.importorskip("requests")
    websocket = pytest.importorskip("websocket")
    httpx = pytest.importorskip("httpx")
    aiohttp = pytest.importorskip("aiohttp")
    assert default(requests.Session.request, "timeout") is None
    assert default(websocket.create_connection, "timeout") is None
    assert httpx.Client().timeout.read == 5
    assert aiohttp.client.DEFAULT_TIMEOUT.total == 300
    redis = pytest.importorskip("redis")
    limit = 5 if int(redis.__version__.partition(".")[0]) >= 8 else None
    assert default(redis.Redis, "socket_timeout") == limit


def test_callback_positions() -> None:
    websocket = pytest.importorskip("websocket")
    parameters = list(inspect.signature(websocket.WebSocketApp).parameters)
    assert parameters[2:7] == ["on_open", "on_reconnect", "on_message", "on_error", "on_close"]
