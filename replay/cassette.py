"""Cassettes: recorded HTTP exchanges in YAML or JSON, without the time that anything took."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from perfscan.errors import InputError
from perfscan.replay.content_coding import as_stored
from perfscan.replay.imported import Connections, address_of, assemble, with_host
from perfscan.replay.model import Event, Headers, Recording, Request, Response

DEEPEST = 64
"""Levels of nesting in a cassette; real ones have six."""
_NULL = ("", "~", "null", "Null", "NULL")
_STEP_NS = 1_000_000
"""Between exchanges that the source does not date: they keep their order."""
_REMEDY = "correct or remove the interaction"

# --- The document ---------------------------------------------------------------------------------


def load(raw: bytes, path: Path) -> Any:
    """Return a YAML or JSON document as mappings, lists, texts, bytes and None.

    Tags other than ``binary`` are ignored, so nothing is ever constructed. Raises InputError.
    """
    try:
        text = raw.decode("utf-8-sig")
        if text.lstrip()[:1] in ("{", "["):
            return json.loads(text)
        return _Builder().build(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.Loader)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise _unusable(f"not valid YAML: {error.problem or error.context}", where) from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise _unusable(f"not a cassette: {reason}", str(path)) from error


def _unusable(what: str, where: str) -> InputError:
    return InputError(what, where=where, remedy="record the cassette again")


class _Builder:
    """Builds a document from YAML events, without recursion: any nesting is one clear error."""

    def __init__(self) -> None:
        self._open: list[tuple[list[Any], yaml.Event]] = [([], yaml.Event())]
        self._anchors: dict[str, Any] = {}

    def build(self, events: Iterable[yaml.Event]) -> Any:
        """Return the first document. Raises ValueError for what a cassette does not hold."""
        for event in events:
            if isinstance(event, yaml.CollectionStartEvent):
                self._open.append(([], event))
                if len(self._open) > DEEPEST:
                    raise ValueError(f"nested deeper than {DEEPEST} levels")
            elif isinstance(event, yaml.CollectionEndEvent):
                items, start = self._open.pop()
                value = _mapping(items) if isinstance(event, yaml.MappingEndEvent) else items
                self._add(value, start)
            elif isinstance(event, yaml.ScalarEvent):
                self._add(_scalar(event), event)
            elif isinstance(event, yaml.AliasEvent):
                if event.anchor not in self._anchors:
                    raise ValueError(f"the alias {event.anchor!r} stands for nothing before it")
                self._open[-1][0].append(self._anchors[event.anchor])
            elif isinstance(event, yaml.DocumentEndEvent):
                break
        found = self._open[0][0]
        return found[0] if found else None

    def _add(self, value: Any, event: Any) -> None:
        self._open[-1][0].append(value)
        if event.anchor is not None:
            self._anchors[event.anchor] = value


def _mapping(items: list[Any]) -> dict[str, Any]:
    if any(isinstance(key, dict | list) for key in items[::2]):
        raise ValueError("a key is not plain text")
    return {_text(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _scalar(event: yaml.ScalarEvent) -> str | bytes | None:
    if str(event.tag).endswith("binary"):
        return base64.b64decode(event.value)
    return None if event.implicit[0] and event.value in _NULL else str(event.value)


# --- Interactions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interaction:
    """One recorded exchange."""

    method: str
    url: str
    request_headers: Headers
    request_body: bytes
    status: int
    reason: str
    response_headers: Headers
    response_body: bytes
    """As it is stored: packed or plain."""
    at_ns: int | None
    """When it was recorded, since 1970; None where the source does not tell."""


class Place:
    """A value of the document and where it stands, so that each mistake names it."""

    def __init__(self, value: Any, where: str) -> None:
        self.value = value
        self.where = where

    def mistake(self, what: str) -> InputError:
        """Build the error that names this place."""
        return InputError(what, where=self.where, remedy=_REMEDY)

    def __getitem__(self, key: str) -> Place:
        if not isinstance(self.value, dict):
            raise self.mistake("not a mapping")
        joint = " " if self.where.endswith(":") else "."
        return Place(self.value.get(key), f"{self.where}{joint}{key}")

    def items(self) -> Iterator[Place]:
        """Yield the elements of a list."""
        if not isinstance(self.value, list):
            raise self.mistake("not a list")
        for index, value in enumerate(self.value):
            yield Place(value, f"{self.where}[{index}]")

    def text(self, default: str | None = None) -> str:
        """Return a text; ``default`` stands for a missing one."""
        if self.value is None and default is not None:
            return default
        if isinstance(self.value, dict | list) or self.value is None:
            raise self.mistake("not a text")
        return _text(self.value)

    def status(self) -> int:
        """Return an HTTP status."""
        digits = self.text()
        if not (digits.isascii() and digits.isdecimal() and 100 <= int(digits[:9]) <= 999):
            raise self.mistake(f"{digits[:40]!r} is not an HTTP status")
        return int(digits)

    def headers(self) -> Headers:
        """Return headers: name to one value or several, or a list of pairs."""
        given = self.value or {}
        if isinstance(given, dict):
            pairs: list[tuple[Any, Any]] = list(given.items())
        else:
            pairs = [tuple(item.value) for item in self.items() if isinstance(item.value, list)]
            if len(pairs) != len(given) or any(len(pair) != 2 for pair in pairs):
                raise self.mistake("not headers")
        return tuple(
            (_text(name), _text(value).strip())
            for name, values in pairs
            for value in (values if isinstance(values, list) else [values])
            if not isinstance(value, dict | list)
        )

    def body(self) -> bytes:
        """Return a body: text, binary, or a mapping that holds it as string or base64."""
        value, charset = self.value, "utf-8"
        if isinstance(value, dict):
            charset = _charset(value.get("encoding"))
            packed = value.get("base64_string")
            if packed is not None:
                try:
                    return base64.b64decode(_bytes(packed, "ascii"))
                except (binascii.Error, ValueError) as error:
                    raise self["base64_string"].mistake(f"not base64: {error}") from error
            value = value.get("string")
        if isinstance(value, dict | list):  # a body that the recorder took for JSON
            return json.dumps(value, default=_text).encode()
        return b"" if value is None else _bytes(value, charset)


def _charset(name: object) -> str:
    """Return the encoding of a body; what is no text encoding is stored as UTF-8."""
    try:
        "".encode(str(name))
    except (LookupError, ValueError):
        return "utf-8"
    return str(name)


def _bytes(value: Any, charset: str) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return _text(value).encode(charset)
    except UnicodeEncodeError:  # an ASCII body that is none
        return _text(value).encode("utf-8", "surrogatepass")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return json.dumps(value) if isinstance(value, bool | dict | list) else str(value)


# --- Events ---------------------------------------------------------------------------------------


def recording_of(
    found: Iterable[tuple[Interaction, str]], source: str, notes: Iterable[str] = ()
) -> Recording:
    """Return interactions, each with its place for messages, as a recording without latencies."""
    events: list[Event] = []
    connections = Connections()
    dated = True
    packed = 0
    latest_ns = 0
    for number, (one, where) in enumerate(found):
        dated &= one.at_ns is not None
        # Dates have whole seconds: exchanges of the same second keep their order.
        latest_ns = max(latest_ns + _STEP_NS, one.at_ns or 0)
        events += _events(number, one, where, latest_ns, connections)
        packed += bool(_coding_left(events[-1]))
    if packed:
        notes = (*notes, f"{packed} responses are compressed in a way that is not read here")
    shared = "connections: not recorded, one is assumed for each host"
    dates = (
        "times: only when each exchange was recorded"
        if dated
        else "times: not recorded, exchanges follow each other in the order of the file"
    )
    return assemble(events, source=source, timed=False, dated=dated, notes=(*notes, dates, shared))


def _events(
    number: int, one: Interaction, where: str, at_ns: int, connections: Connections
) -> Iterator[Event]:
    try:
        address = address_of(one.url)
    except ValueError as error:
        raise InputError(str(error), where=where, remedy=_REMEDY) from error
    connection, is_new = connections.number(address.origin)
    if is_new:
        yield address.opened(connection, at_ns)
    method = one.method.upper()
    sent = with_host(one.request_headers, address)
    yield Request(number, connection, at_ns, method, address.target, sent, one.request_body)
    headers, body, coding = as_stored(
        one.response_headers, one.response_body, head=method == "HEAD"
    )
    yield Response(
        *(number, connection, at_ns, at_ns, one.status, headers, body, one.reason),
        encoding=coding,
    )


def _coding_left(event: Event) -> Mapping[str, str]:
    headers = event.headers if isinstance(event, Response) and event.body else ()
    return {name: value for name, value in headers if name.lower() == "content-encoding"}
