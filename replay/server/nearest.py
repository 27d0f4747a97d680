"""Says what was asked for in vain, and how the nearest recorded requests differ from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

from perfscan.replay.json_text import loads
from perfscan.replay.keys import Key

LIMIT = 3
_COMPARED = 200
"""So many recorded requests are compared field by field, those with the nearest address first."""
_VALUE_LENGTH = 60
_REQUEST_LENGTH = 200
_ABSENT = object()


def describe(key: Key) -> str:
    """Return a request in one short line."""
    query = "&".join(f"{name}={value}" for name, value in key.query)
    address = f"{key.method} {key.host}{key.path}{'?' if query else ''}{query}"
    return _shorten(f"{address} {key.body}".strip(), _REQUEST_LENGTH)


def nearest(key: Key, recorded: Iterable[Key]) -> tuple[str, ...]:
    """Return up to three recorded requests that resemble ``key``, each with what differs.

    Such as ``POST rpc.example/: body $.params[0]: sent 'A', recorded 'B'``. Requests that share
    neither host nor path are no help and not returned.
    """
    related = [other for other in recorded if key.host == other.host or key.path == other.path]
    related.sort(key=lambda other: _address_distance(key, other))
    compared = [(other, list(differences(key, other))) for other in related[:_COMPARED]]
    compared.sort(key=lambda pair: (_address_distance(key, pair[0]), len(pair[1])))
    return tuple(
        f"{other.method} {other.host}{other.path}: {'; '.join(found[:3])}"
        for other, found in compared[:LIMIT]
    )


def differences(sent: Key, recorded: Key) -> Iterator[str]:
    """Yield each field in which two requests differ, the weightiest first."""
    for name in ("method", "host", "path"):
        yield from _difference(name, getattr(sent, name), getattr(recorded, name))
    ours, theirs = dict(sent.query), dict(recorded.query)
    for name in sorted(ours.keys() | theirs.keys()):
        yield from _difference(f"query {name}", ours.get(name, _ABSENT), theirs.get(name, _ABSENT))
    yield from _payload_differences("body ", _payload(sent.body), _payload(recorded.body))


def _payload_differences(place: str, sent: Any, recorded: Any) -> Iterator[str]:
    root = place if "$" in place else f"{place}$"
    if isinstance(sent, dict) and isinstance(recorded, dict):
        for name in sorted(sent.keys() | recorded.keys()):
            pair = sent.get(name, _ABSENT), recorded.get(name, _ABSENT)
            yield from _payload_differences(f"{root}.{name}", *pair)
    elif isinstance(sent, list) and isinstance(recorded, list):
        for index, pair in enumerate(zip_longest(sent, recorded, fillvalue=_ABSENT)):
            yield from _payload_differences(f"{root}[{index}]", *pair)
    else:
        yield from _difference(place.strip(), sent, recorded)


def _difference(name: str, sent: object, recorded: object) -> Iterator[str]:
    if sent is _ABSENT:
        yield f"{name}: not sent, recorded {_quote(recorded)}"
    elif recorded is _ABSENT:
        yield f"{name}: sent {_quote(sent)}, not recorded"
    elif sent != recorded or type(sent) is not type(recorded):
        yield f"{name}: sent {_quote(sent)}, recorded {_quote(recorded)}"


def _address_distance(one: Key, other: Key) -> tuple[bool, int, bool]:
    ours, theirs = one.path.split("/"), other.path.split("/")
    segments = sum(a != b for a, b in zip_longest(ours, theirs))
    return one.host != other.host, segments, one.method != other.method


def _payload(body: str) -> Any:
    try:
        return loads(body)
    except ValueError:
        return body


def _quote(value: object) -> str:
    return _shorten(repr(value), _VALUE_LENGTH)


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
