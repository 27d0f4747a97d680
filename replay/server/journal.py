"""What the upstream server saw of a run, as JSON Lines: written as it happens, read afterwards.

The first line is a header (``{"schema": "perfscan.journal/1", "speed": 1.0, "until_ns": null}``),
every other line one observed event, as in a recording, or ``served``, ``streamstart``,
``pushed``, ``handed``, ``driven``.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from perfscan.errors import InputError
from perfscan.replay.model import (
    Driven,
    Handed,
    Miss,
    Observation,
    Observed,
    Pushed,
    Served,
    StreamStart,
)
from perfscan.replay.recording import decode_event, encode_event

SCHEMA = "perfscan.journal/1"
FEW = 100
"""Events that are written in about a millisecond."""
_ENCODER = json.JSONEncoder(separators=(",", ":"))
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
    if values.get("miss"):
        miss = values["miss"]
        values["miss"] = Miss(miss["request"], tuple(miss["nearest"]))
    return own(**values)


class Journal:
    """Keeps what is observed and writes it little by little, so that no timer waits for a disk."""

    def __init__(self, path: Path, speed: float, until_ns: int | None) -> None:
        self._waiting: deque[Observed] = deque()
        try:
            self._file: IO[bytes] = path.open("wb")
        except OSError as error:
            raise InputError(
                f"cannot be written: {error.strerror}", where=str(path), remedy="give another path"
            ) from error
        self._write({"schema": SCHEMA, "speed": speed, "until_ns": until_ns})
        self._file.flush()

    def add(self, event: Observed) -> None:
        """Keep one event; costs no input or output."""
        self._waiting.append(event)

    def flush_some(self) -> None:
        """Write a few events: so few that no timer waits for long, enough to keep up."""
        self._flush(max(FEW, len(self._waiting) // 8))

    def _flush(self, count: int) -> None:
        if not self._waiting:
            return
        for _ in range(min(count, len(self._waiting))):
            self._write(encode_observed(self._waiting.popleft()))
        self._file.flush()

    def close(self) -> None:
        """Write the rest; safe to call twice."""
        if not self._file.closed:
            self._flush(len(self._waiting))
            self._file.close()

    def _write(self, line: Mapping[str, Any]) -> None:
        self._file.write(_ENCODER.encode(line).encode() + b"\n")


def read_observation(path: Path) -> Observation:
    """Read a journal, events in time order; a last line that was cut off is left out."""
    try:
        lines = path.read_bytes().split(b"\n")
        header = json.loads(lines[0])
        speed, until_ns = header["speed"], header["until_ns"]
        events = [decode_observed(json.loads(line)) for line in lines[1:-1]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"not a journal of the upstream server: {error}",
            where=str(path),
            remedy="run the replay again",
        ) from error
    events.sort(key=lambda event: event.at_ns)
    return Observation(tuple(events), speed=speed, until_ns=until_ns)
