"""Recordings whose events stay on disk, for a process whose memory must not grow with them.

:func:`open_recording` gives a recording like any other, but its ``events`` are a sequence
(:mod:`perfscan.replay.stored_events`) that reads an event from the file each time that it is asked
for one, and keeps 13 bytes for each. Walk over them once with ``select(recording, Message)``, which
decodes only the kinds that are wanted, and let them go: ``exchanges()`` and ``websockets()`` would
hold them all. What has to be sent later goes into a :class:`~perfscan.replay.server.spool.Spool`,
in the form in which it is sent. Both work the same for a recording that is in memory.
"""

from __future__ import annotations

import json
import tempfile
from array import array
from pathlib import Path
from typing import IO, Annotated, Literal

import msgspec

from perfscan.errors import InputError
from perfscan.replay.event_json import KINDS, LARGEST, event_at
from perfscan.replay.model import Direction, Message, Recording, RecordingHeader
from perfscan.replay.packing import unpack
from perfscan.replay.recording import (
    is_header,
    not_an_object,
    read_header,
    read_recording,
    recording_lines,
    refuse_unopened,
    with_end,
)
from perfscan.replay.stored_events import StoredEvents, loads_line


class _Mark(msgspec.Struct):
    """What the index needs to know of a line."""

    kind: str
    at_ns: Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)] = 0
    connection: int = 0


class _TextMessage(msgspec.Struct, forbid_unknown_fields=True):
    """The line of a WebSocket message, of which a recording may hold millions."""

    kind: Literal["message"]
    connection: int
    at_ns: int
    direction: Direction
    data: str
    heard: bool = True
    frames: tuple[int, ...] = ()


_MARKS = msgspec.json.Decoder(_Mark)
_TEXT_MESSAGES = msgspec.json.Decoder(_TextMessage)


def _text_message(line: bytes) -> Message | None:
    """Return what is in the line of a text message, several times faster than any line is read."""
    try:
        read = _TEXT_MESSAGES.decode(line)
    except msgspec.DecodeError:
        return None
    return Message(
        *(read.connection, read.at_ns, read.direction, read.data, read.heard, read.frames)
    )


def open_recording(path: Path) -> Recording:
    """Open a recording in any known format without loading it. Raises InputError.

    What is not plain JSON Lines is unpacked or converted once, into a file that has no name and
    goes with the process.
    """
    with _open(path) as given, temporary_file() as spare:
        try:
            file = _plain(given, path, spare)
        except OSError as error:
            raise no_room(error) from error
        first = file.readline()
        events = StoredEvents(file, path, _text_message)
        header = read_header(json.loads(first), path)
        header, truncated = _index(file, path, header, events)
    return Recording(header, events, path, truncated=truncated)


def _plain(file: IO[bytes], path: Path, spare: IO[bytes]) -> IO[bytes]:
    """Return a file of JSON lines from its beginning: this one, or ``spare`` with what it holds."""
    plain = spare if unpack(file, spare, path) else file
    plain.seek(0)
    if not is_header(loads_line(plain.readline())):
        plain = spare
        plain.seek(0)
        plain.truncate()
        plain.writelines(recording_lines(read_recording(path)))
    plain.seek(0)
    return plain


def temporary_file() -> IO[bytes]:
    """Return a file without a name. Raises InputError where none can be made."""
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise no_room(error) from error


def no_room(error: OSError) -> InputError:
    """Return the error for temporary files that cannot be written."""
    return InputError(
        f"temporary files cannot be written: {error.strerror}",
        where=tempfile.tempdir or "no temporary folder",
        remedy="make room there, or set TMPDIR to a folder that has more",
    )


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
            header = with_end(header, loads_line(line), f"{path}:{number}")
        else:
            events.add(mark.kind, offset, len(line))
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
        values = loads_line(line)
        if not values and not line.endswith(b"\n"):
            return None
        if not values:
            raise not_an_object(where) from None
        mark = _Mark(str(values.get("kind")))
        if mark.kind != "end":
            event = event_at(values, where)
            mark = _Mark(mark.kind, event.at_ns, event.connection)
    if mark.kind not in KINDS and mark.kind != "end":
        event_at(loads_line(line), where)  # raises: it says which kinds there are
    return mark
