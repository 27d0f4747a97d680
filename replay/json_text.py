"""Cuts JSON text at a value without writing the rest of it anew: numbers keep their digits."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[\s,]*")
_MARK = "\ue000value to be replaced\ue000"


def around(text: str, path: Sequence[str]) -> tuple[str, str] | None:
    """Return what stands before and after the value at ``path`` (object keys), None without one."""
    name = re.compile(re.escape(json.dumps(path[-1])) + r"\s*:\s*")
    for match in name.finditer(text):
        try:
            _, end = _DECODER.raw_decode(text, match.end())
        except ValueError:  # the name stood inside a string
            continue
        before, after = text[: match.end()], text[end:]
        if _at(_loads(f'{before}"{_MARK}"{after}'), path) == _MARK:
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


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
