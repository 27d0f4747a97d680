"""Reads JSON of others without falling over it; cuts its text without writing the rest anew."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[\s,]*")
_MARK = "\ue000value to be replaced\ue000"
_DEEPEST = 64
"""Levels of JSON that are gone through; a JSONPath gives up at 100."""


def loads(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises ValueError for other text, and for values nested so deep that nobody can go through them.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if _is_deep(value):
        raise ValueError("nested too deep")
    return value


def json_of(text: str | bytes) -> Any:
    """Return the value of a JSON text, None where it is none (:func:`loads`)."""
    try:
        return loads(text)
    except ValueError:
        return None


def _is_deep(value: Any) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST):
        level = [one for outer in level for one in _inside(outer) if isinstance(one, dict | list)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def around(text: str, path: Sequence[str]) -> tuple[str, str] | None:
    """Return what stands before and after the value at ``path`` (object keys), None without one."""
    name = re.compile(re.escape(json.dumps(path[-1])) + r"\s*:\s*")
    for match in name.finditer(text):
        try:
            _, end = _DECODER.raw_decode(text, match.end())
            before, after = text[: match.end()], text[end:]
            marked = json.loads(f'{before}"{_MARK}"{after}')
        except (ValueError, RecursionError):  # the name stood inside a string
            continue
        if _at(marked, path) == _MARK:
            return before, after
    return None


def elements(text: str) -> list[str]:
    """Return the text of each element of a JSON array. Raises ValueError for other text."""
    if not isinstance(json.loads(text), list):
        raise ValueError("not an array")
    position = text.index("[") + 1
    found: list[str] = []
    while True:
        position = _skip_space(text, position)
        if text[position] == "]":
            return found
        _, end = _DECODER.raw_decode(text, position)
        found.append(text[position:end])
        position = end


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _at(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
