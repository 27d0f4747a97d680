"""Values of a scenario that several of its parts read: patterns, paths, numbers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from pathlib import Path

from perfscan.errors import InputError
from perfscan.replay.items import values_at
from perfscan.replay.yaml_node import YamlNode, did_you_mean

_REQUEST = re.compile(r"[A-Z]+ https?://[^/\s?#]+(/[^\s?#]*)?")
DEFAULT_THRESHOLD = 0.05


def read_request(node: YamlNode) -> str:
    """Return a request pattern: method and URL without query, ``*`` within a path segment."""
    return check_request(node.text(), node)


def read_requests(node: YamlNode) -> tuple[str, ...]:
    """Return one request pattern or several."""
    if not node.is_list:
        return (read_request(node),)
    if not (patterns := tuple(read_request(one) for one in node.items())):
        raise node.mistake("no request pattern", "name one, such as GET https://host/path")
    return patterns


def check_request(pattern: str, node: YamlNode) -> str:
    """Return ``pattern``, which stands at ``node`` or is its key, if it is a request pattern."""
    if not _REQUEST.fullmatch(pattern):
        raise node.mistake(
            f"not a request pattern: {pattern!r}", "write GET https://host/path/* without query"
        )
    return pattern


def read_metric(node: YamlNode, known: Collection[str]) -> str:
    """Return the name of a metric that is measured."""
    if (name := node.text()) not in known:
        raise node.mistake(
            f"unknown metric {name!r}{did_you_mean(name, known)}", "or declare it under counts"
        )
    return name


def read_pattern(node: YamlNode) -> str:
    """Return a regular expression."""
    try:
        re.compile(pattern := node.text())
    except re.error as error:
        raise node.mistake(f"not a regular expression: {error}") from error
    return pattern


def read_json_path(node: YamlNode) -> str:
    """Return a JSONPath."""
    if not (path := node.text()).startswith("$"):
        raise node.mistake(f"not a JSONPath: {path!r}", "begin it with $")
    try:
        values_at(path, {})
    except InputError as error:
        raise node.mistake(error.what, error.remedy) from error
    return path


def read_interval(node: YamlNode) -> tuple[float, float | None]:
    """Return ``[low, high]``, a single number twice, or None as an open end."""
    if not node.is_list:
        return node.number(), node.number()
    bounds = node.items()
    if len(bounds) != 2:
        raise node.mistake(f"expected [low, high], found {len(bounds)} values")
    low = bounds[0].number()
    high = None if bounds[1].is_null else bounds[1].number()
    if high is not None and high < low:
        raise node.mistake(f"the bounds are in the wrong order: {low:g} > {high:g}", "swap them")
    return low, high


def read_positive(node: YamlNode) -> float:
    """Return a number above 0."""
    if (value := node.number()) <= 0:
        raise node.mistake(f"expected more than 0, found {value:g}")
    return value


def read_threshold(node: YamlNode | None) -> float:
    """Return the smallest relative change worth a word, 0.05 where it is left out."""
    if node is None:
        return DEFAULT_THRESHOLD
    value = node.number()
    if not 0 < value < 1:
        raise node.mistake(f"expected a share between 0 and 1, found {value:g}", "0.05 is 5 %")
    return value


def read_whole(node: YamlNode, *, at_least: int) -> int:
    """Return a whole number that is ``at_least`` so large."""
    value = node.number()
    if value != int(value) or value < at_least:
        raise node.mistake(f"expected a whole number from {at_least}, found {value:g}")
    return int(value)


def read_folder(node: YamlNode) -> Path:
    """Return the folder of the scenario file."""
    return node.file.parent


def read_file(node: YamlNode) -> Path:
    """Return the path of a file that exists."""
    path = read_folder(node) / node.text()
    if not path.is_file():
        what = "this is a directory" if path.is_dir() else "no such file"
        raise node.mistake(f"{what}: {path}", "give a path relative to the scenario file")
    return path


def read_directory(node: YamlNode) -> Path:
    """Return the path of a folder that exists."""
    path = read_folder(node) / node.text()
    if not path.is_dir():
        raise node.mistake(
            f"no such directory: {path}", "give a path relative to the scenario file"
        )
    return path


def read_command(node: YamlNode) -> tuple[str, ...]:
    """Return the words of a command, written as a list or as one line for a shell."""
    if node.is_list:
        words = tuple(word.scalar() for word in node.items())
    else:
        try:
            words = tuple(shlex.split(node.text()))
        except ValueError as error:
            raise node.mistake(f"cannot split the command: {error}", "write a list") from error
    if not words:
        raise node.mistake("the command is empty", "write what is to be run")
    return words


def read_entries(node: YamlNode | None) -> dict[str, YamlNode]:
    """Return the children of a mapping with free keys; none where it is left out."""
    return node.mapping() if node else {}


def read_children(node: YamlNode | None) -> list[YamlNode]:
    """Return the children of a list; none where it is left out."""
    return node.items() if node else []
