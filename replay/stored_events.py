"""Events that stay in their file and are read when they are asked for."""

from __future__ import annotations

import json
import os
import weakref
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, overload

from perfscan.replay.event_json import KINDS, event_at
from perfscan.replay.model import Event, Message, Observation, Recording

_NUMBERS = {name: number for number, name in enumerate(KINDS)}
_MESSAGE = _NUMBERS["message"]


class StoredEvents(Sequence[Event]):
    """The events of a file of JSON lines, in time order, read when they are asked for."""

    def __init__(
        self, file: IO[bytes], path: Path, read_message: Callable[[bytes], Message | None]
    ) -> None:
        self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)
        self._path = path
        self._read_message = read_message
        """A quick way for the usual message; None for any other."""
        self._offsets = array("Q")
        self._sizes = array("I")
        self._kinds = bytearray()

    def __len__(self) -> int:
        return len(self._offsets)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        places = range(len(self))[index]
        return self._read(places) if isinstance(places, int) else [*map(self._read, places)]

    def __iter__(self) -> Iterator[Event]:
        return map(self._read, range(len(self)))

    def select(self, kinds: Sequence[type[Event]]) -> Iterator[tuple[int, Event]]:
        """Yield the events of some kinds, each with its index; the others are not even read."""
        wanted = {_NUMBERS[kind.__name__.lower()] for kind in kinds}
        for index, kind in enumerate(self._kinds):
            if kind in wanted:
                yield index, self._read(index)

    def _read(self, index: int) -> Event:
        offset = self._offsets[index]
        line = os.pread(self._descriptor, self._sizes[index], offset)
        if self._kinds[index] == _MESSAGE and (message := self._read_message(line)) is not None:
            return message
        return event_at(loads_line(line), f"{self._path}: byte {offset}")

    def add(self, kind: str, offset: int, size: int) -> None:
        """Note where a line stands."""
        self._offsets.append(offset)
        self._sizes.append(size)
        self._kinds.append(_NUMBERS[kind])

    def sort(self, times: Sequence[int]) -> None:
        """Put the events into the order of ``times``."""
        order = sorted(range(len(self)), key=times.__getitem__)
        self._offsets = array("Q", [self._offsets[index] for index in order])
        self._sizes = array("I", [self._sizes[index] for index in order])
        self._kinds = bytearray(self._kinds[index] for index in order)


def select(traffic: Recording | Observation, *kinds: type[Event]) -> Iterator[tuple[int, Any]]:
    """Yield the events of some kinds in time order, each with its index among all events."""
    if isinstance(traffic.events, StoredEvents):
        return traffic.events.select(kinds)
    return ((at, event) for at, event in enumerate(traffic.events) if isinstance(event, kinds))


def loads_line(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line; an empty one for anything else."""
    try:
        value = loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def loads(line: bytes) -> Any:
    """Return the JSON value of a line, quickly. Raises ValueError or RecursionError."""
    import msgspec

    try:
        return msgspec.json.decode(line)
    except msgspec.DecodeError:  # half of a surrogate pair, or NaN: only Python's own reads it
        return json.loads(line)
