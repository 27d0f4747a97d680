"""What the upstream server saw of a run, as JSON Lines: written as it happens, read afterwards.

The first line is a header (``{"schema": "perfscan.journal/2", "speed": 1.0, "until_ns": null}``),
most other lines are one observed event, as in a recording, or ``served``, ``streamstart``,
``pushed``, ``handed``, ``driven``. What there are thousands of a second is written in short:
``heard`` is a request with a number, written once for all requests of the same bytes, and a line
that is an array is a turn, one time that such a request came and was answered
(:data:`~perfscan.replay.server.turn.Row`).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

import msgspec

from perfscan.errors import InputError
from perfscan.replay.event_json import decode_event, encode_event
from perfscan.replay.model import (
    Driven,
    Handed,
    Miss,
    Observation,
    Observed,
    Pushed,
    Request,
    Served,
    StreamStart,
)
from perfscan.replay.server.pushes import Pushes, decode_pushes
from perfscan.replay.server.recognition import Heard
from perfscan.replay.server.turn import Row, Seen, Turn, row_events
from perfscan.replay.stored_events import loads

SCHEMA = "perfscan.journal/2"
FEW = 100
"""Lines that are written in about a tenth of a millisecond."""
_OWN = (Served, StreamStart, Pushed, Handed, Driven)
_OWN_KINDS: dict[str, type[Served | StreamStart | Pushed | Handed | Driven]] = {
    kind.__name__.lower(): kind for kind in _OWN
}


def encode_observed(event: Observed) -> dict[str, Any]:
    """Return ``event`` as a JSON object with its ``kind``."""
    if not isinstance(event, _OWN):
        return encode_event(event)
    line: dict[str, Any] = {"kind": type(event).__name__.lower()}
    for name in event.__slots__:
        line[name] = getattr(event, name)
    if isinstance(event, Served) and event.miss is not None:
        line["miss"] = asdict(event.miss)
    return line


def decode_observed(line: Mapping[str, Any]) -> Observed:
    """Return the event that :func:`encode_observed` wrote; raises ValueError or TypeError."""
    own = _OWN_KINDS.get(str(line.get("kind")))
    if own is None:
        return decode_event(line)
    values = {name: value for name, value in line.items() if name != "kind"}
    if own is Served:
        values["miss"] = _miss(values["miss"])
    return own(**values)


def _miss(line: Mapping[str, Any] | None) -> Miss | None:
    return None if line is None else Miss(line["request"], tuple(line["nearest"]))


def _line(seen: Seen) -> Row | dict[str, Any]:
    if isinstance(seen, Turn):
        return seen.row()
    if isinstance(seen, Heard):
        return encode_event(seen.as_request()) | {"kind": "heard", "number": seen.number}
    if isinstance(seen, Pushes):
        return seen.encode()
    return encode_observed(seen)


class Journal:
    """Keeps what is observed and writes it little by little, so that no timer waits for long."""

    def __init__(self, path: Path, speed: float, until_ns: int | None) -> None:
        self._path = path
        self._waiting: deque[Seen] = deque()
        self._encoder = msgspec.json.Encoder()
        try:
            self._file: IO[bytes] = path.open("wb", buffering=0)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._write([{"schema": SCHEMA, "speed": speed, "until_ns": until_ns}])
        except InputError:
            self._file.close()
            raise

    def add(self, seen: Seen) -> None:
        """Keep one report; every now and then a few are written."""
        self._waiting.append(seen)
        if len(self._waiting) >= FEW:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting: never more than a few lines. Raises InputError without room."""
        if self._waiting:
            lines = [_line(seen) for seen in self._waiting]
            self._waiting.clear()
            self._write(lines)

    def close(self) -> None:
        """Write the rest; safe to call twice."""
        if not self._file.closed:
            self.flush()
            self._file.close()

    def _write(self, lines: Sequence[Any]) -> None:
        try:
            data = self._encoder.encode_lines(lines)
        except UnicodeEncodeError:  # half of a surrogate pair: only the escaped form holds it
            data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        left = memoryview(data)
        try:
            while left:  # the system may take less than it is given
                left = left[self._file.write(left) :]
        except OSError as error:
            raise _unwritable(self._path, error) from error


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot be written: {error.strerror}",
        where=str(path),
        remedy="make room there, or give another path",
    )


def read_observation(path: Path) -> Observation:
    """Read a journal, events in time order; a last line that was cut off is left out."""
    try:
        lines = path.read_bytes().split(b"\n")
        header = json.loads(lines[0])
        speed, until_ns = header["speed"], header["until_ns"]
        events = list(_events(map(loads, lines[1:-1])))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"not a journal of the upstream server: {error}",
            where=str(path),
            remedy="run the replay again",
        ) from error
    events.sort(key=lambda event: event.at_ns)
    return Observation(tuple(events), speed=speed, until_ns=until_ns)


def _events(lines: Iterable[Any]) -> Iterator[Observed]:
    heard: dict[int, Request] = {}
    for line in lines:
        if isinstance(line, list):
            *row, miss = line
            yield from row_events((*row, _miss(miss)), heard[row[3]])
        elif line.get("kind") == "heard":
            request = decode_event(line | {"kind": "request"})
            assert isinstance(request, Request)
            heard[line["number"]] = request
        elif line.get("kind") == "pushes":
            yield from decode_pushes(line)
        else:
            yield decode_observed(line)


def merged(observation: Observation, other: Observation) -> Observation:
    """Return what two processes saw of the same run on the same clock, in time order."""
    events = sorted((*observation.events, *other.events), key=lambda event: event.at_ns)
    return replace(observation, events=tuple(events))
