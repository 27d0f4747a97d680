"""``[tool.perfscan]`` of pyproject.toml, or ``perfscan.yaml``: what a project decides once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfscan.analyzers.knowledge.loading import blocking_library
from perfscan.analyzers.knowledge.schema import Library
from perfscan.analyzers.model import Severity
from perfscan.analyzers.plain_data import Node
from perfscan.analyzers.registry import Rule, Thresholds, all_rules
from perfscan.analyzers.selection import choose
from perfscan.errors import InputError

YAML_FILE = "perfscan.yaml"
TOML_FILE = "pyproject.toml"

_KEYS = (
    "select", "ignore", "exclude", "per-path-ignores", "thresholds", "fail-on", "baseline",
    "blocking", "knowledge",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of one project; an option of the command line goes before them."""

    folder: Path = Path()
    """Where the file stands: its patterns and paths start here."""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    """Patterns of .gitignore's syntax for files that are left out unless they are named."""
    per_path_ignores: tuple[tuple[str, frozenset[str]], ...] = ()
    """Pattern of paths, ids of the rules that are not reported there."""
    thresholds: Thresholds = field(default_factory=dict)
    fail_on: str = ""
    baseline: Path | None = None
    blocking: tuple[Library, ...] = ()
    """The project's own blocking functions, as knowledge."""
    knowledge: tuple[Path, ...] = ()
    """More files in the format of ``analyzers/knowledge``."""


def find_configuration(start: Path) -> Path | None:
    """Return the nearest configuration at or above ``start``, not beyond its repository.

    Raises InputError when one folder holds two.
    """
    for folder in (start, *start.parents):
        own, shared = folder / YAML_FILE, folder / TOML_FILE
        has_table = shared.is_file() and _table(shared) is not None
        if own.is_file() and has_table:
            raise InputError(
                f"both {YAML_FILE} and [tool.perfscan] in {TOML_FILE} configure perfscan",
                where=str(folder),
                remedy="keep one of them",
            )
        if own.is_file() or has_table:
            return own if own.is_file() else shared
        if (folder / ".git").exists():
            return None
    return None


def read_configuration(file: Path) -> Configuration:
    """Read one configuration. Raises InputError with the file and the key of each mistake."""
    if file.name.endswith(".toml"):
        return _configuration(Node(_table(file) or {}, str(file), "tool.perfscan"), file.parent)
    return _configuration(Node(_yaml(file), str(file)), file.parent)


def _configuration(node: Node, folder: Path) -> Configuration:
    fields = node.mapping(_KEYS)
    knowledge = fields["knowledge"].strings() if "knowledge" in fields else ()
    return Configuration(
        folder=folder,
        select=_rules(fields, "select"),
        ignore=_rules(fields, "ignore"),
        exclude=fields["exclude"].strings() if "exclude" in fields else (),
        per_path_ignores=_per_path(fields.get("per-path-ignores")),
        thresholds=_thresholds(fields.get("thresholds")),
        fail_on=fields["fail-on"].choice(_FAIL_ON) if "fail-on" in fields else "",
        baseline=folder / fields["baseline"].text() if "baseline" in fields else None,
        blocking=tuple(map(blocking_library, fields["blocking"].items()))
        if "blocking" in fields
        else (),
        knowledge=tuple(folder / name for name in knowledge),
    )


_FAIL_ON = (*[str(severity) for severity in reversed(Severity)], "never")


def _rules(fields: Mapping[str, Node], key: str) -> tuple[str, ...]:
    """Return rule ids, names or families as written, after a look whether each exists."""
    if key not in fields:
        return ()
    entries = fields[key].strings()
    _known(fields[key], entries)
    return entries


def _known(node: Node, entries: tuple[str, ...]) -> frozenset[str]:
    if not entries:
        return frozenset()
    try:
        return frozenset(rule.id for rule in choose(all_rules(), entries))
    except InputError as error:
        raise node.fail(error.what, error.remedy) from error


def _per_path(node: Node | None) -> tuple[tuple[str, frozenset[str]], ...]:
    if node is None:
        return ()
    return tuple(
        (pattern, _known(rules, rules.strings())) for pattern, rules in node.children().items()
    )


def _thresholds(node: Node | None) -> Thresholds:
    if node is None:
        return {}
    rules: dict[str, Rule] = {rule.name: rule for rule in all_rules() if rule.thresholds}
    return {
        (name, limit): value.count()
        for name, limits in node.mapping(rules).items()
        for limit, value in limits.mapping(rules[name].thresholds).items()
    }


def _table(file: Path) -> Any | None:
    """Return ``[tool.perfscan]`` of a pyproject.toml, None without one."""
    import tomllib

    text = _text(file)
    if "perfscan" not in text:
        return None  # spares the parser for most of the folders above
    try:
        return tomllib.loads(text).get("tool", {}).get("perfscan")
    except (tomllib.TOMLDecodeError, AttributeError) as error:
        raise InputError(f"is not valid TOML: {error}", where=str(file)) from error


def _yaml(file: Path) -> Any:
    import yaml

    try:
        document = yaml.safe_load(_text(file))
    except yaml.YAMLError as error:
        first = " ".join(str(error).split())
        raise InputError(f"is not valid YAML: {first}", where=str(file)) from error
    return {} if document is None else document


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", where=str(file), remedy="save it as UTF-8") from error
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror or error}", where=str(file), remedy="check the path"
        ) from error
