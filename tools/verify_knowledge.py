"""Hold what perfscan knows of libraries against the libraries that are installed here.

    python tools/verify_knowledge.py [LIBRARY ...]

Every name in analyzers/knowledge/*.yaml is looked up in its package: functions, classes, methods,
aliases, factories, roles and callbacks exist; what is said to block is no coroutine; what is said
to do its work on a mere read is a property; time limits are those of the signatures. Packages are
imported, nothing of them is called; where two do not get along in one process, name one of them
alone. The outcome goes into the table of docs/knowledge.md; rows of packages that are not installed
here stay as they are. Exit status 1 when something is wrong.
"""

from __future__ import annotations

import fnmatch
import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from installed_packages import (
    MissingError,
    NotInstalledError,
    Place,
    UnknownError,
    is_installed,
    member,
    module,
    result,
    value,
    value_of,
    versions,
    walk,
)

from perfscan.analyzers.knowledge import SHIPPED, Callback, Client, Library, Timeout
from perfscan.analyzers.knowledge.loading import load_file

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "knowledge.md"
BEGIN, END = "<!-- libraries -->\n", "<!-- /libraries -->"
HEAD = (
    "| Library | Imports | Evidence | Checked against | Names | Only at run time | Not found |\n"
    "|:--|:--|:--|:--|--:|--:|:--|\n"
)
OTHER_RELEASES = (
    "openai.ChatCompletion.", "openai.Completion.", "openai.Embedding.", "openai.Image.",
    "telegram.bot.", "tweepy.StreamingClient", "discord.Bot", "discord.ext.commands.Bot().slash_",
    "telegram.ext.RegexHandler", "aiogram.Dispatcher().message_handler",
    "aiogram.Dispatcher().callback_query_handler", "aiogram.Dispatcher().inline_handler",
    "aiogram.Dispatcher().register_",
    "binance.streams.", "binance.client.AsyncClient",
    "sqlalchemy.Engine().execute", "solana.rpc.websocket_api.ws_connect", "moviepy.editor.",
    "web3.Web3.HTTPProvider", "pandas.DataFrame().append",
    "redis.Redis(socket_timeout)", "redis.asyncio.Redis(socket_timeout)",
    "redis.RedisCluster(socket_timeout)", "redis.asyncio.RedisCluster(socket_timeout)",
)  # fmt: skip
"""Beginnings of names, and time limits, that only other releases or forks have."""

UNLIKE = frozenset(
    {"websockets.client.connect", "websockets.legacy.client.connect", "numpy.typing.NDArray"}
)
"""Aliases of something else that behaves the same."""

MADE_LATER = ("django.db.models.Model.objects", "peewee.Model.", "pony.orm.")
"""Beginnings of names that a library makes when a class is derived."""


@dataclass
class Outcome:
    """What came of one library."""

    checked: int = 0
    wrong: dict[str, None] = field(default_factory=dict)
    unknown: int = 0
    not_installed: set[str] = field(default_factory=set)

    @property
    def verified(self) -> bool:
        """Every name was looked up, and what could be told of it is right."""
        return bool(self.checked) and not self.wrong and not self.not_installed


# What is claimed of a library.


def inspect_library(library: Library) -> Outcome:
    """Look up all names of one library."""
    outcome = Outcome()
    for path in sorted(_paths(library)):
        _attempt(outcome, path, partial(_exists, path))
    for source, target in library.aliases:
        _attempt(outcome, source, partial(_same, source, target))
    for effect in library.functions:
        if "*" not in effect.path:
            path = effect.path
            _attempt(outcome, path, partial(_check_function, path, effect.is_async), counts=False)
            _attempt(outcome, path, partial(_limit, path, effect.timeout), counts=False)
    groups: dict[tuple[object, ...], list[Client]] = {}
    for client in library.classes:
        key = (client.is_async, client.blocks, client.pure, client.properties)
        groups.setdefault(key, []).append(client)
    for clients in groups.values():
        _inspect_group(outcome, clients)
    for client in library.classes:
        _attempt(outcome, client.name, partial(_limit_of, client), counts=False)
    return outcome


def _paths(library: Library) -> Iterator[str]:
    yield from [effect.path for effect in library.functions]
    yield from [client.name for client in library.classes]
    for source, target in library.factories:
        yield from (source, target)
    yield from [pattern for _, pattern in library.roles]
    words = [library.replacement, *[entry.replacement for entry in library.functions]]
    words += [entry.replacement for entry in library.classes]
    for text in words:
        for name in re.findall(r"\b[a-z_]\w*(?:\.\w+)+", text):
            if is_installed(name.partition(".")[0]):
                yield name


def _attempt(
    outcome: Outcome, path: str, check: Callable[[], None], *, counts: bool = True
) -> None:
    """Note how a check went; one that does not count asks more about a name counted already."""
    try:
        check()
    except MissingError as error:
        if path.startswith(MADE_LATER):
            outcome.unknown += counts
        elif not str(error).startswith(OTHER_RELEASES) and not path.startswith(OTHER_RELEASES):
            outcome.wrong[path if str(error) in path else f"{path}: {error}"] = None
    except UnknownError:
        outcome.unknown += counts
    except NotInstalledError as error:
        outcome.not_installed.add(str(error))
    else:
        outcome.checked += counts


def _exists(path: str) -> None:
    """Look for a path; of a pattern, look for anything like it where its owner is known."""
    owner, _, last = path.rpartition(".")
    if "*" not in path:
        walk(path)
    elif "*" in owner or "**" in last or "()" in last:
        walk(re.split(r"\.[^.]*\*", path)[0])
    elif not fnmatch.filter(_members(walk(owner)), last):
        raise MissingError(path)


def _members(place: Place) -> list[str]:
    if not inspect.ismodule(place.held) and not inspect.isclass(place.held):
        place = value(place)
    return dir(place.held)


def _same(source: str, target: str) -> None:
    if walk(source).held is not walk(target).held and source not in UNLIKE:
        raise MissingError(f"is not {target}")


def _check_function(path: str, is_async: bool) -> None:
    if not is_async and _is_coroutine(walk(path).held):
        raise MissingError(f"{path} is a coroutine function")


def _is_coroutine(held: Any) -> bool:
    return inspect.iscoroutinefunction(held) or inspect.isasyncgenfunction(held)


def _inspect_group(outcome: Outcome, clients: list[Client]) -> None:
    """Look up methods: each must be in one of the classes that are described together."""
    owners = [place for client in clients for place in _owners(client)]
    if not owners:
        return  # reported already
    described = clients[0]
    named = dict.fromkeys((*described.blocks, *described.pure, *described.properties))
    for pattern in named:
        shown = f"{described.name}().{pattern}"
        _attempt(outcome, shown, partial(_in_one, owners, pattern, described))


def _owners(client: Client) -> Iterator[Place]:
    """Yield the class, or all classes that a pattern stands for."""
    try:
        if "*" not in client.name:
            place = walk(client.name)
            yield place if place.is_instance else result(place)
            return
        owner, _, last = client.name.rpartition(".")
        held = module(owner)
    except (MissingError, NotInstalledError, UnknownError):
        return
    for name in fnmatch.filter(dir(held), last):
        if inspect.isclass(getattr(held, name)):
            yield Place(getattr(held, name), is_instance=True)


def _in_one(owners: list[Place], pattern: str, client: Client) -> None:
    failures: list[Exception] = []
    for owner in owners:
        try:
            _check_member(owner, pattern, client)
        except (MissingError, UnknownError, NotInstalledError) as error:
            failures.append(error)
        else:
            return
    raise next((e for e in failures if not isinstance(e, MissingError)), failures[0])


def _check_member(owner: Place, pattern: str, client: Client) -> None:
    *way, last = re.split(r"\.(?![^(]*\))", pattern)
    for step in way:
        if "*" in step or "[" in step:
            raise UnknownError(pattern)
        owner = member(owner, step.removesuffix("()"))
        owner = result(owner) if step.endswith("()") else value_of(owner)
    if "()" in last or "**" in last:
        raise UnknownError(pattern)
    known = _members(owner)
    names = fnmatch.filter(known, last) if "*" in last else [last]
    if not names or ("*" not in last and last not in known and fnmatch.filter(known, snake(last))):
        if hasattr(owner.held, "__getattr__") or fnmatch.filter(known, snake(last)):
            raise UnknownError(last)  # made at run time
        raise MissingError(f"{client.name}().{pattern}")
    for name in names:
        if last != "*" and not name.startswith("_"):
            _check_kind(member(owner, name).held, name, pattern, client)


def snake(name: str) -> str:
    """Return fetchTicker as fetch_ticker: some libraries make the other spelling as they run."""
    return re.sub(r"(?<=[a-z*])([A-Z])", r"_\1", name).lower()


def _check_kind(held: Any, name: str, pattern: str, client: Client) -> None:
    path = f"{client.name}().{name}"
    is_property = isinstance(held, property | functools.cached_property)
    if pattern in client.properties:
        if inspect.isroutine(held):
            raise MissingError(f"{path} is a method, not a property")
    elif pattern in client.blocks and not any(fnmatch.fnmatch(name, pure) for pure in client.pure):
        if is_property and pattern == name:
            raise MissingError(f"{path} is a property, not a method")
        if not client.is_async and _is_coroutine(held):
            raise MissingError(f"{path} is a coroutine function")


def _limit(path: str, timeout: Timeout | None) -> None:
    if timeout is not None:
        _compare(f"{path}({timeout.parameter})", walk(path).held, timeout)


def _limit_of(client: Client) -> None:
    if client.timeout is not None and client.timeout.at == "constructor" and "*" not in client.name:
        _compare(
            f"{client.name}({client.timeout.parameter})", walk(client.name).held, client.timeout
        )


def _compare(shown: str, function: Any, timeout: Timeout) -> None:
    """Hold a time limit against the signature, where that shows a number or None."""
    try:
        parameter = inspect.signature(function).parameters[timeout.parameter]
    except (KeyError, ValueError, TypeError) as error:
        raise UnknownError(shown) from error
    if not isinstance(parameter.default, int | float | None) or shown.startswith(OTHER_RELEASES):
        raise UnknownError(shown)
    if parameter.default is not None and parameter.default != timeout.default:
        raise MissingError(f"{shown} is {parameter.default}, not {timeout.default}")


# Callbacks.


def inspect_callback(entry: Callback) -> Outcome:
    """Look up one callback entry."""
    outcome = Outcome()
    if entry.how not in {"method", "decorator_method"}:
        _attempt(outcome, entry.target, partial(_check_callback, entry))
    return outcome


def _check_callback(entry: Callback) -> None:
    _exists(entry.target)
    if entry.how == "call" and "*" not in entry.target:
        _check_position(entry)


def _check_position(entry: Callback) -> None:
    """Compare where a function is passed by position with where it is passed by name."""
    place = walk(entry.target)
    try:
        names = list(inspect.signature(place.held).parameters)
    except (ValueError, TypeError) as error:
        raise UnknownError(entry.target) from error
    if names[:1] == ["self"]:
        names = names[1:]
    for position in entry.arguments:
        named = set(entry.keywords) & set(names)
        if named and position < len(names) and names[position] not in named:
            raise MissingError(f"{entry.target} takes {names[position]} at {position}")


# The table.


def shipped() -> list[Library]:
    """Return all libraries of the YAML files."""
    return [library for file in sorted(SHIPPED.glob("*.yaml")) for library in load_file(file)[0]]


def shipped_callbacks() -> list[Callback]:
    """Return all callbacks of the YAML files."""
    return [entry for file in sorted(SHIPPED.glob("*.yaml")) for entry in load_file(file)[1]]


def row(library: Library, checked: str) -> str:
    """Return a library's line, with the outcome as it stands in the last columns."""
    imports = ", ".join(library.imports)
    return f"| {library.name} | {imports} | {library.evidence} | {checked} |\n"


def rows(text: str) -> dict[str, str]:
    """Return the last columns of the rows of a table by the library's name."""
    _, _, rest = text.partition(BEGIN)
    lines = rest.partition(END)[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    return {cell[0]: " | ".join(cell[3:]) for cell in cells}


def is_verified(cells: str) -> bool:
    """Tell from the last columns whether all names of a library were looked up and found."""
    return not cells.startswith("–") and cells.endswith("| –")


def found(cells: str) -> int:
    """Return how many names were found before."""
    shown = cells.split(" | ")[1]
    return int(shown) if shown.isdigit() else 1


def outcome_cells(library: Library, outcome: Outcome) -> str:
    """Return the last columns of a library's row."""
    lacking = sorted({*outcome.not_installed, *outcome.wrong})
    missing = ", ".join(lacking) or "–"
    return f"{versions(library.imports)} | {outcome.checked} | {outcome.unknown} | {missing}"


def main(wanted: set[str]) -> int:
    """Check what is installed, write the table, tell what is wrong."""
    text = DOCUMENT.read_text("utf-8")
    known, wrong, table = rows(text), [], [HEAD]
    for library in sorted(shipped(), key=lambda library: library.name.lower()):
        cells = known.get(library.name, "– | – | – | –")
        if versions(library.imports) and (not wanted or library.name in wanted):
            outcome = inspect_library(library)
            wrong += [f"{library.name}: {name}" for name in outcome.wrong]
            if outcome.verified or (not is_verified(cells) and outcome.checked >= found(cells)):
                cells = outcome_cells(library, outcome)
        if is_verified(cells) != (library.evidence == "wheel"):
            said = "wheel" if is_verified(cells) else "docs or general"
            wrong.append(f"{library.name}: evidence should be {said}")
        table.append(row(library, cells))
    for entry in shipped_callbacks():
        wrong += [f"callback: {name}" for name in inspect_callback(entry).wrong]
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    DOCUMENT.write_text(before + BEGIN + "".join(table) + END + after, "utf-8")
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(set(sys.argv[1:])))
