"""Events as JSON objects, one for each line of a recording or a journal.

Fields at their default are left out. Bodies are text where they are UTF-8 and ``<field>_base64``
otherwise; binary WebSocket messages are always base64, since text frames are another thing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from reprlib import repr  # shortened: values may be of any size
from typing import Any, get_args

from perfscan.errors import InputError
from perfscan.replay.model import (
    Close,
    Direction,
    Event,
    Failure,
    Message,
    Open,
    Party,
    Ping,
    Request,
    Response,
    Scheme,
)

LARGEST = (1 << 63) - 1
"""No number of an event is larger; in nanoseconds that is 292 years."""
KINDS: dict[str, type[Event]] = {
    kind.__name__.lower(): kind for kind in (Open, Request, Response, Message, Ping, Close, Failure)
}
"""Every kind of event by the name that its lines have."""


def encode_event(event: Event) -> dict[str, Any]:
    """Return ``event`` as a JSON object with its ``kind``; defaults are left out, tuples stay."""
    line: dict[str, Any] = {"kind": type(event).__name__.lower()}
    for field in fields(event):
        value = getattr(event, field.name)
        if field.default is not MISSING and value == field.default:
            continue
        if isinstance(value, bytes):
            line.update(_bytes_fields(field.name, value, text=field.name != "data"))
        else:
            line[field.name] = value
    return line


def decode_event(line: Mapping[str, Any]) -> Event:
    """Return the event that ``encode_event`` wrote; raises ValueError with what is wrong."""
    kind = line.get("kind")
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ValueError(f"unknown kind {repr(kind)} (known: {', '.join(KINDS)})")
    values: dict[str, Any] = {}
    for name, required, read in _FIELDS[cls]:
        if f"{name}_base64" in line:
            values[name] = _from_base64(name, line[f"{name}_base64"])
        elif name in line:
            values[name] = read(name, line[name])
        elif required:
            raise ValueError(f"a {kind} needs {name!r}")
    return cls(**values)


def event_at(line: Mapping[str, Any], where: str) -> Event:
    """Return the event of a line; ``where`` the line stands is for the InputError."""
    try:
        return decode_event(line)
    except ValueError as error:
        raise InputError(str(error), where=where, remedy="correct this line") from error


def _bytes_fields(name: str, value: bytes, *, text: bool) -> dict[str, str]:
    if text:
        try:
            return {name: value.decode()}
        except UnicodeDecodeError:
            pass
    return {f"{name}_base64": base64.b64encode(value).decode("ascii")}


def _from_base64(name: str, value: object) -> bytes:
    try:
        return base64.b64decode(_text(name, value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{name!r} is not base64: {error}") from error


def _number(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name!r} must be a whole number, not {repr(value)}")
    if not -LARGEST <= value <= LARGEST:
        raise ValueError(f"{name!r} must fit into 64 bits, not {repr(value)}")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name!r} must be text, not {repr(value)}")
    return value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name!r} must be true or false, not {repr(value)}")
    return value


def _body(name: str, value: object) -> bytes:
    return _text(name, value).encode("utf-8", "surrogatepass")


def _headers(name: str, value: object) -> tuple[tuple[str, str], ...]:
    try:
        pairs = tuple([(key, text) for key, text in value if type(key) is type(text) is str])  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        pairs = ()
    if not isinstance(value, list) or len(pairs) != len(value):
        raise ValueError(f"{name!r} must be a list of [name, value] pairs")
    return pairs


def _numbers(name: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{name!r} must be a list of whole numbers")
    return tuple(_number(name, one) for one in value)


def _pairs(name: str, value: object) -> tuple[tuple[int, int], ...]:
    pairs = [_numbers(name, pair) for pair in value] if isinstance(value, list) else [()]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{name!r} must be a list of pairs of whole numbers")
    return tuple((after_ns, size) for after_ns, size in pairs)


def _one_of(allowed: tuple[str, ...]) -> Callable[[str, object], str]:
    def read(name: str, value: object) -> str:
        if value not in allowed:
            raise ValueError(f"{name!r} must be one of {', '.join(allowed)}, not {repr(value)}")
        return str(value)

    return read


def _optional(read: Callable[[str, object], Any]) -> Callable[[str, object], Any]:
    return lambda name, value: None if value is None else read(name, value)


_READERS: dict[str, Callable[[str, object], Any]] = {
    "int": _number,
    "int | None": _optional(_number),
    "str": _text,
    "str | bytes": _text,
    "bytes": _body,
    "bool": _flag,
    "Headers": _headers,
    "tuple[int, ...]": _numbers,
    "tuple[tuple[int, int], ...]": _pairs,
    "Scheme": _one_of(get_args(Scheme)),
    "Direction": _one_of(get_args(Direction)),
    "Party": _one_of(get_args(Party)),
}
"""How a field is read back, by its annotation in the model."""

_FIELDS = {
    cls: [
        (field.name, field.default is MISSING, _READERS[str(field.type)]) for field in fields(cls)
    ]
    for cls in KINDS.values()
}
