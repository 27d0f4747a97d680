"""Recordings whose events stay on disk, for a process whose memory must not grow with them.

:func:`open_recording` gives a :class:`Recording` like any other, but its ``events`` is a
:class:`StoredEvents`: a sequence that reads an event from the file each time that it is asked for
one, and keeps 13 bytes for each. Walk over the events once with :func:`select`, which decodes only
the kinds that are wanted, and let them go: ``exchanges()`` and ``websockets()`` would hold them
all. What has to be sent later goes into a :class:`~perfscan.replay.server.spool.Spool`, in the
form in which it is sent. Both work the same for a recording that is in memory.
"""

from __future__ import annotations

import json
import os
import tempfile
import weakref
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, overload

import msgspec

from perfscan.errors import InputError
from perfscan.replay.event_json import KINDS
from perfscan.replay.model import Event, Recording, RecordingHeader
from perfscan.replay.packing import unpack
from perfscan.replay.recording import (
    event_at,
    is_header,
    not_an_object,
    read_header,
    read_recording,
    recording_lines,
    refuse_unopened,
    with_end,
)

_NUMBERS = {name: number for number, name in enumerate(KINDS)}


class _Mark(msgspec.Struct):
    """What the index needs to know of a line."""

    kind: str
    at_ns: int = 0
    connection: int = 0


_MARKS = msgspec.json.Decoder(_Mark)


class StoredEvents(Sequence[Event]):
    """The events of a file of JSON lines, in time order, read when they are asked for."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)
        self._path = path
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
        return event_at(_loads(line), f"{self._path}: byte {offset}")

    def add(self, mark: _Mark, offset: int, size: int) -> None:
        """Note where a line stands."""
        self._offsets.append(offset)
        self._sizes.append(size)
        self._kinds.append(_NUMBERS[mark.kind])

    def sort(self, times: Sequence[int]) -> None:
        """Put the events into the order of ``times``."""
        order = sorted(range(len(self)), key=times.__getitem__)
        self._offsets = array("Q", [self._offsets[index] for index in order])
        self._sizes = array("I", [self._sizes[index] for index in order])
        self._kinds = bytearray(self._kinds[index] for index in order)


def select(recording: Recording, *kinds: type[Event]) -> Iterator[tuple[int, Event]]:
    """Yield the events of some kinds in time order, each with its index among all events."""
    if isinstance(recording.events, StoredEvents):
        return recording.events.select(kinds)
    return ((at, event) for at, event in enumerate(recording.events) if isinstance(event, kinds))


def open_recording(path: Path) -> Recording:
    """Open a recording in any known format without loading it. Raises InputError.

    What is not plain JSON Lines is unpacked or converted once, into a file that has no name and
    goes with the process.
    """
    with ExitStack() as files:
        file = files.enter_context(_open(path))
        unpacked = files.enter_context(tempfile.TemporaryFile())
        if unpack(file, unpacked, path):
            file = unpacked
        file.seek(0)
        first = file.readline()
        if not is_header(_loads(first)):
            file = files.enter_context(tempfile.TemporaryFile())
            file.writelines(recording_lines(read_recording(path)))
            file.seek(0)
            first = file.readline()
        events = StoredEvents(file, path)
        header = read_header(json.loads(first), path)
        header, truncated = _index(file, path, header, events)
    return Recording(header, events, path, truncated=truncated)


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="check the path of the recording",
        ) from error


def _index(
    file: IO[bytes], path: Path, header: RecordingHeader, events: StoredEvents
) -> tuple[RecordingHeader, bool]:
    """Find the events after the header; returns the whole header and whether the end is cut."""
    offset, truncated = file.tell(), False
    times = array("q")
    opened: set[int] = set()
    used: dict[int, str] = {}
    for number, line in enumerate(file, start=2):
        mark = _mark(line, f"{path}:{number}")
        if mark is None:
            truncated = True
        elif mark.kind == "end":
            header = with_end(header, _loads(line))
        else:
            events.add(mark, offset, len(line))
            times.append(mark.at_ns)
            if mark.kind == "open":
                opened.add(mark.connection)
            elif mark.kind != "failure":
                used.setdefault(mark.connection, mark.kind)
        offset += len(line)
    if any(times[place] < times[place - 1] for place in range(1, len(times))):
        events.sort(times)
    refuse_unopened(used, opened, path)
    return header, truncated


def _mark(line: bytes, where: str) -> _Mark | None:
    """Return what a line is; None for one that was cut off. Raises InputError."""
    try:
        mark = _MARKS.decode(line)
    except msgspec.DecodeError:
        values = _loads(line)
        if not values and not line.endswith(b"\n"):
            return None
        if not values:
            raise not_an_object(where) from None
        mark = _Mark(str(values.get("kind")))
        if mark.kind != "end":
            event = event_at(values, where)
            mark = _Mark(mark.kind, event.at_ns, event.connection)
    if mark.kind not in _NUMBERS and mark.kind != "end":
        event_at(_loads(line), where)  # raises: it says which kinds there are
    return mark


def _loads(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line; an empty one for anything else."""
    try:
        value = msgspec.json.decode(line)
    except msgspec.DecodeError:  # half of a surrogate pair, or NaN: only Python's own reads it
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}
