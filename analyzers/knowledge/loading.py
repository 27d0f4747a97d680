"""YAML files to records; every mistake is one line that names the file and the YAML path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from perfscan.analyzers.knowledge.schema import (
    Callback,
    Client,
    Cost,
    Effect,
    Evidence,
    Library,
    Runs,
    Timeout,
)
from perfscan.analyzers.plain_data import Node
from perfscan.errors import InputError

_T = TypeVar("_T")
_MARKERS = {
    "call": "call",
    "method": "method",
    "decorator": "decorator",
    "decorator_method": "decorator_method",
    "override": "override",
}


_LIBRARY = (
    "name", "imports", "evidence", "cost", "replacement", "timeout", "aliases", "factories",
    "functions", "classes", "roles", "host",
)  # fmt: skip
_CLASS = (
    "name", "client", "async", "blocks", "pure", "constructor", "properties", "cost",
    "replacement", "timeout", "timeout_at", "keeps",
)  # fmt: skip


def load_file(path: Path) -> tuple[list[Library], list[Callback]]:
    """Read one knowledge file. Raises InputError."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(path.read_text("utf-8"), Loader=loader)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from error
    except yaml.YAMLError as error:
        first = " ".join(str(error).split())
        raise InputError(f"is not valid YAML: {first}", where=str(path)) from error
    fields = Node(document or {}, str(path)).mapping(("libraries", "callbacks", "packages"))
    libraries = [_library(n) for n in fields["libraries"].items()] if "libraries" in fields else []
    callbacks = [_callback(n) for n in fields["callbacks"].items()] if "callbacks" in fields else []
    return libraries, callbacks


def blocking_library(node: Node) -> Library:
    """Return what a project says of one blocking call: ``{call: mylib.fetch, instead: ...}``.

    A method is named by its class, ``mylib.Client.fetch``, and meant on instances of it.
    """
    fields = node.mapping(("call", "instead", "cost"))
    if "call" not in fields:
        raise node.fail("a blocking call needs its dotted name", "add call: package.function")
    path = fields["call"].text().removesuffix("()")
    if not re.fullmatch(r"\w+(\.(\w+|\*))+", path):
        raise fields["call"].fail(f"{path!r} is no dotted name", "write package.function")
    root, owner, method = path.partition(".")[0], *path.rpartition(".")[::2]
    cost = cast(Cost, _pick(fields, "cost", get_args(Cost), "network"))
    instead = fields["instead"].text() if "instead" in fields else ""
    effects = [Effect(path, root, cost, False, instead, None, "docs", on_instance=False)]
    if owner.rpartition(".")[2][:1].isupper():
        bound = f"{owner}().{method}"
        effects.append(Effect(bound, root, cost, False, instead, None, "docs", on_instance=True))
    return Library(root, (root,), "docs", instead, (), (), tuple(effects), (), ())


@dataclass(frozen=True, slots=True)
class _Defaults:
    library: str
    cost: Cost
    replacement: str
    timeout: Timeout | None
    evidence: Evidence


def _library(node: Node) -> Library:
    fields = node.mapping(_LIBRARY)
    if "name" not in fields or "imports" not in fields:
        raise node.fail("a library needs a name and its imports")
    evidence = cast(Evidence, _pick(fields, "evidence", get_args(Evidence), "general"))
    defaults = _Defaults(
        fields["name"].text(),
        cast(Cost, _pick(fields, "cost", get_args(Cost), "network")),
        fields["replacement"].text() if "replacement" in fields else "",
        _timeout(fields.get("timeout"), "call"),
        evidence,
    )
    classes = [client for n in _items(fields, "classes") for client in _classes(n, defaults)]
    return Library(
        defaults.library,
        fields["imports"].strings(),
        evidence,
        defaults.replacement,
        _pairs(fields.get("aliases")),
        (*_pairs(fields.get("factories")), *_kept(_items(fields, "classes"))),
        tuple([_function(n, defaults) for n in _items(fields, "functions")]),
        tuple(classes),
        _roles(fields.get("roles")),
        _text(fields, "host", ""),
    )


def _function(node: Node, defaults: _Defaults) -> Effect:
    if isinstance(node.value, str):
        fields: dict[str, Node] = {"name": node}
    else:
        fields = node.mapping(("name", "cost", "replacement", "timeout", "async"))
        if "name" not in fields:
            raise node.fail("a function needs a name")
    return Effect(
        path=fields["name"].text().removesuffix("()"),
        library=defaults.library,
        cost=cast(Cost, _pick(fields, "cost", get_args(Cost), defaults.cost)),
        is_async="async" in fields and fields["async"].truth(),
        replacement=_text(fields, "replacement", defaults.replacement),
        timeout=_timeout(fields["timeout"], "call") if "timeout" in fields else defaults.timeout,
        evidence=defaults.evidence,
        on_instance=False,
    )


def _classes(node: Node, defaults: _Defaults) -> list[Client]:
    fields = node.mapping(_CLASS)
    if "name" not in fields:
        raise node.fail("a class needs a name")
    at = _pick(fields, "timeout_at", ("call", "constructor"), "call")
    timeout = _timeout(fields["timeout"], at) if "timeout" in fields else defaults.timeout
    if timeout is not None:
        timeout = Timeout(timeout.default, timeout.parameter, timeout.unit, cast(Any, at))
    return [
        Client(
            name,
            defaults.library,
            cast(Cost, _pick(fields, "cost", get_args(Cost), defaults.cost)),
            "client" in fields and fields["client"].truth(),
            "async" in fields and fields["async"].truth(),
            _strings(fields, "blocks"),
            _strings(fields, "pure"),
            "constructor" in fields and fields["constructor"].truth(),
            _strings(fields, "properties"),
            _text(fields, "replacement", defaults.replacement),
            timeout,
            defaults.evidence,
        )
        for name in fields["name"].strings()
    ]


def _kept(classes: list[Node]) -> Iterator[tuple[str, str]]:
    """Yield a factory for each method that returns another instance of its own class."""
    for node in classes:
        fields = node.mapping(_CLASS)
        for name in fields["name"].strings():
            for method in _strings(fields, "keeps"):
                yield f"{name}().{method}", name


def _callback(node: Node) -> Callback:
    fields = node.mapping((*_MARKERS, "argument", "keyword", "methods", "runs", "hot", "kind"))
    marks = [mark for mark in _MARKERS if mark in fields]
    if len(marks) != 1:
        raise node.fail(f"needs exactly one of {', '.join(_MARKERS)}")
    if "runs" not in fields:
        raise node.fail("needs runs: loop, thread, process, single or caller")
    if marks[0] == "override" and "methods" not in fields:
        raise node.fail("override needs methods")
    return Callback(
        fields[marks[0]].text(),
        cast(Any, marks[0]),
        _positions(fields.get("argument")),
        _strings(fields, "keyword"),
        _strings(fields, "methods"),
        cast(Runs, fields["runs"].choice(get_args(Runs))),
        "hot" in fields and fields["hot"].truth(),
        _text(fields, "kind", "callback"),
    )


def _positions(node: Node | None) -> tuple[int, ...]:
    if node is None:
        return ()
    values = node.value if isinstance(node.value, list) else [node.value]
    if not all(isinstance(value, int) and value >= 0 for value in values):
        raise node.fail("expected a position (0, 1, ...) or a list of them")
    return tuple(values)


def _timeout(node: Node | None, at: str) -> Timeout | None:
    if node is None or node.value is None:
        return None
    fields = node.mapping(("default", "parameter", "unit"))
    default = fields["default"].value if "default" in fields else None
    if isinstance(default, bool) or not (
        default in {None, "none"} or isinstance(default, int | float)
    ):
        raise fields["default"].fail("expected none or a number")
    return Timeout(
        None if default in {None, "none"} else float(default),
        _text(fields, "parameter", "timeout"),
        cast(Any, _pick(fields, "unit", ("s", "ms"), "s")),
        cast(Any, at),
    )


def _roles(node: Node | None) -> tuple[tuple[str, str], ...]:
    if node is None:
        return ()
    if not isinstance(node.value, Mapping):
        raise node.fail("expected a mapping of role to patterns")
    return tuple(
        [
            (str(role), pattern)
            for role, patterns in node.value.items()
            for pattern in node.at(f".{role}", patterns).strings()
        ]
    )


def _pairs(node: Node | None) -> tuple[tuple[str, str], ...]:
    if node is None:
        return ()
    if not isinstance(node.value, Mapping):
        raise node.fail("expected a mapping of path to path")
    return tuple(
        [
            (str(key), node.at(f".{key}", value).text().removesuffix("()"))
            for key, value in node.value.items()
        ]
    )


def _items(fields: Mapping[str, Node], key: str) -> list[Node]:
    return fields[key].items() if key in fields else []


def _strings(fields: Mapping[str, Node], key: str) -> tuple[str, ...]:
    return fields[key].strings() if key in fields else ()


def _text(fields: Mapping[str, Node], key: str, default: str) -> str:
    return fields[key].text() if key in fields else default


def _pick(fields: Mapping[str, Node], key: str, choices: tuple[str, ...], default: str) -> str:
    return fields[key].choice(choices) if key in fields else default
