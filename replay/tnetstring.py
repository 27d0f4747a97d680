"""Typed netstrings: ``LENGTH:DATA`` and a letter for the type, as mitmproxy stores flows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

DEEPEST = 64
_LONGEST_LENGTH = 12


class TnetstringError(ValueError):
    """The bytes are not typed netstrings; the message names the offset."""


class CutError(TnetstringError):
    """The last netstring goes on behind the end of the data."""


def parse_all(data: bytes) -> Iterator[Any]:
    """Yield every value of ``data``, one after the other. Raises TnetstringError."""
    position = 0
    while position < len(data):
        value, position = _parse(data, position, len(data), 0)
        yield value


def _parse(data: bytes, start: int, end: int, depth: int) -> tuple[Any, int]:
    """Return the value at ``start`` and the offset behind it; nothing is read behind ``end``."""
    colon = data.find(b":", start, min(start + _LONGEST_LENGTH + 1, end))
    digits = data[start:colon] if colon >= 0 else b""
    if not digits.isdigit():
        cut = colon < 0 and data[start:end].isdigit() and end - start <= _LONGEST_LENGTH
        raise (CutError if cut else TnetstringError)(f"no length at byte {start}")
    first = colon + 1
    last = first + int(digits)
    if last >= end:
        raise CutError(f"the value at byte {start} is cut off")
    if depth > DEEPEST:
        raise TnetstringError(f"nested deeper than {DEEPEST} levels at byte {start}")
    return _value(data, first, last, depth), last + 1


def _value(data: bytes, first: int, last: int, depth: int) -> Any:
    kind = data[last : last + 1]
    if kind == b"]":
        return list(_items(data, first, last, depth))
    if kind == b"}":
        items = list(_items(data, first, last, depth))
        if len(items) % 2 or any(isinstance(key, dict | list) for key in items[::2]):
            raise TnetstringError(f"the mapping at byte {first} is not one")
        return dict(zip(items[::2], items[1::2], strict=True))
    try:
        return _SCALARS[kind](data[first:last])
    except KeyError:
        raise TnetstringError(f"unknown type {kind!r} at byte {last}") from None
    except ValueError as error:
        raise TnetstringError(f"the value at byte {first} is not what its type says") from error


def _items(data: bytes, position: int, end: int, depth: int) -> Iterator[Any]:
    while position < end:
        value, position = _parse(data, position, end, depth + 1)
        yield value


def _flag(text: bytes) -> bool:
    if text not in (b"true", b"false"):
        raise ValueError("neither true nor false")
    return text == b"true"


_SCALARS: dict[bytes, Any] = {
    b",": bytes,
    b";": lambda text: text.decode(),
    b"#": lambda text: int(text[:40]),
    b"^": float,
    b"!": _flag,
    b"~": lambda text: None,
}
