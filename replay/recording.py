"""Recordings on disk: JSON Lines, one event a line, appended as it happens.

The first line is the header (``{"schema": "perfscan.recording/1", ...}``), every other line one
event with its ``kind``. A last line of kind ``end`` carries what is known only at the end: how many
values were redacted, and notes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from perfscan.errors import InputError
from perfscan.replay import importers
from perfscan.replay.event_json import encode_event, event_at
from perfscan.replay.model import (
    Close,
    Event,
    Failure,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.packing import packer, unpacked

NAME = "perfscan JSONL"
SCHEMA = "perfscan.recording/1"
_LATENCIES = ("recorded", "not recorded")
_HEADER_KEYS = frozenset(field.name for field in fields(RecordingHeader))

# --- Reading --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """A recording with what stood in the way of reading it."""

    recording: Recording
    lines: tuple[int, ...] = ()
    """For each event the line of the file; empty where the format has no line for each."""
    mistakes: tuple[InputError, ...] = ()
    """Lines that had to be left out, and other reasons to refuse the file."""


def read_recording(path: Path) -> Recording:
    """Read a recording in any known format, recognised by content; raises InputError."""
    return _read(path, _refuse).recording


def read_what_can_be_read(path: Path) -> Reading:
    """Read a recording and collect its mistakes; raises InputError where nothing can be read."""
    mistakes: list[InputError] = []
    return replace(_read(path, mistakes.append), mistakes=tuple(mistakes))


def _refuse(mistake: InputError) -> None:
    raise mistake


def _read(path: Path, report: Callable[[InputError], None]) -> Reading:
    packed = _content(path)
    raw = unpacked(packed, path)
    if not raw.strip():
        raise InputError("the recording is empty", where=str(path), remedy="record it again")
    lines: tuple[int, ...] = ()
    if _is_native(raw):
        name = NAME
        recording, lines = _parse(raw, path, report)
    else:
        importer = importers.find(raw)
        if importer is None:
            raise InputError(
                "not a recording in a known format",
                where=str(path),
                remedy=f"give one of: {NAME}, {', '.join(importers.names())}",
            )
        recording, name = importer.read(raw, path), importer.NAME
    digest = hashlib.sha256(packed).hexdigest()
    return Reading(replace(recording, path=path, format=name, sha256=digest), lines)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="check the path of the recording",
        ) from error


def _is_native(raw: bytes) -> bool:
    first, _, _ = raw.partition(b"\n")
    return is_header(_loads(first))


def is_header(line: object) -> bool:
    """Tell whether a line's JSON value is the header of a recording."""
    return isinstance(line, dict) and str(line.get("schema", "")).startswith("perfscan.recording/")


def _loads(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _parse(
    raw: bytes, path: Path, report: Callable[[InputError], None]
) -> tuple[Recording, tuple[int, ...]]:
    """Return the recording and the line of each event; what is wrong goes to ``report``."""
    lines = raw.split(b"\n")
    truncated = not isinstance(_loads(lines[-1]), dict) and bool(lines[-1])
    if truncated or not lines[-1]:  # a cut line is never a whole JSON object
        lines.pop()
    header = read_header(json.loads(lines[0]), path)
    found: list[tuple[Event, int]] = []
    for number, text in enumerate(lines[1:], start=2):
        try:
            line = _loads(text)
            if not isinstance(line, dict):
                raise not_an_object(f"{path}:{number}")
            if line.get("kind") == "end":
                header = with_end(header, line, f"{path}:{number}")
            else:
                found.append((event_at(line, f"{path}:{number}"), number))
        except InputError as mistake:
            report(mistake)
    found.sort(key=lambda pair: pair[0].at_ns)
    events = tuple(event for event, _ in found)
    try:
        _check_connections(events, path)
    except InputError as mistake:
        report(mistake)
    cut = truncated or _has_open_exchange(events)
    return Recording(header, events, truncated=cut), tuple(number for _, number in found)


def not_an_object(where: str) -> InputError:
    """Return the error for a line that cannot be read."""
    return InputError(
        "the line is not a JSON object", where=where, remedy="remove or repair the line"
    )


def read_header(line: dict[str, Any], path: Path) -> RecordingHeader:
    """Return the header of a recording from its first line. Raises InputError."""
    if line["schema"] != SCHEMA:
        raise InputError(
            f"schema {line['schema']} is not known here",
            where=f"{path}:1",
            remedy=f"use a perfscan that writes it; this one reads {SCHEMA}",
        )
    given = {key: value for key, value in line.items() if key in _HEADER_KEYS}
    for name in ("command", "notes"):
        if not isinstance(given.setdefault(name, []), list):
            raise _unusable_header(path)
        given[name] = tuple(map(str, given[name]))
    header = RecordingHeader(**given)
    texts = (header.schema, header.source, header.started_at)
    if (
        header.latency not in _LATENCIES
        or not _are_counts(header.redacted)
        or not all(isinstance(text, str) for text in texts)
    ):
        raise _unusable_header(path)
    return header


def _are_counts(value: object) -> bool:
    return isinstance(value, dict) and all(type(count) is int for count in value.values())


def _unusable_header(path: Path) -> InputError:
    return InputError(
        "the header's values are not usable",
        where=f"{path}:1",
        remedy=f"latency is one of {', '.join(_LATENCIES)}, redacted an object of counts, "
        "command and notes are lists, the rest is text",
    )


def with_end(header: RecordingHeader, line: Mapping[str, Any], where: str) -> RecordingHeader:
    """Return the header with what the last line adds. Raises InputError."""
    redacted, notes = line.get("redacted", {}), line.get("notes", [])
    if not _are_counts(redacted) or not isinstance(notes, list):
        raise InputError(
            "the end's redacted or notes is not usable",
            where=where,
            remedy="redacted is an object of counts, notes a list of texts",
        )
    both = {**header.redacted, **redacted}
    return replace(header, redacted=both, notes=(*header.notes, *map(str, notes)))


def _check_connections(events: Iterable[Event], path: Path) -> None:
    events = tuple(events)
    used = {
        event.connection: type(event).__name__.lower()
        for event in reversed(events)
        if not isinstance(event, Failure)
    }
    refuse_unopened(used, {event.connection for event in events if isinstance(event, Open)}, path)


def refuse_unopened(used: Mapping[int, str], opened: Collection[int], path: Path) -> None:
    """Demand that every connection in use (with the kind of its first event) was opened."""
    for connection, kind in used.items():
        if connection not in opened:
            raise InputError(
                f"a {kind} uses connection {connection}, which has no open event",
                where=str(path),
                remedy="add the open event or remove the connection",
            )


def _has_open_exchange(events: Iterable[Event]) -> bool:
    pending: dict[int, int] = {}
    for event in sorted(events, key=_settled_ns):
        if isinstance(event, Request):
            pending[event.exchange] = event.connection
        elif isinstance(event, Response):
            pending.pop(event.exchange, None)
        elif isinstance(event, Close | Failure):
            pending = {key: value for key, value in pending.items() if value != event.connection}
    return bool(pending)


def _settled_ns(event: Event) -> int:
    return event.end_ns if isinstance(event, Response) else event.at_ns


# --- Writing --------------------------------------------------------------------------------------


def write_recording(recording: Recording, path: Path) -> None:
    """Write ``recording`` to ``path``, the same bytes every time.

    ``.gz`` and ``.zst`` are compressed.
    """
    lines = b"".join(recording_lines(recording))
    try:
        with path.open("wb") as file:
            packing = packer(file, path)
            (packing or file).write(lines)
            if packing:
                packing.close()
    except OSError as error:
        raise _cannot_write(path, error) from error


def recording_lines(recording: Recording) -> Iterator[bytes]:
    """Yield the lines of the file that holds ``recording``."""
    yield _dumps(encode_header(recording.header))
    for event in recording.events:
        yield _dumps(encode_event(event))


def encode_header(header: RecordingHeader) -> dict[str, Any]:
    """Return the header as the JSON object of a recording's first line."""
    return {
        "schema": header.schema,
        "source": header.source,
        "started_at": header.started_at,
        "latency": header.latency,
        "command": list(header.command),
        "redacted": dict(sorted(header.redacted.items())),
        "notes": list(header.notes),
    }


def _dumps(line: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half of a surrogate pair: only the escaped form holds it
        text = json.dumps(line, separators=(",", ":")).encode()
    return text + b"\n"


def _cannot_write(path: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot be written: {error.strerror or error}",
        where=str(path),
        remedy="give a writable path with room for it",
    )


class RecordingWriter:
    """Appends events as they happen; each is flushed, so a kill loses at most the last line."""

    def __init__(self, path: Path, header: RecordingHeader) -> None:
        self.path = path
        try:
            self._file: IO[bytes] = path.open("wb")
        except OSError as error:
            raise _cannot_write(path, error) from error
        self._packed = packer(self._file, path)
        try:
            self._write(encode_header(header))
        except InputError:
            with contextlib.suppress(InputError):  # the same again
                self.close()
            raise

    def append(self, event: Event) -> None:
        """Write one event and hand it to the operating system; raises InputError."""
        self._write(encode_event(event))

    def finish(self, *, redacted: Mapping[str, int], notes: Iterable[str] = ()) -> None:
        """Write the closing line, and the file to the disk; raises InputError."""
        end = {"kind": "end", "redacted": dict(sorted(redacted.items())), "notes": list(notes)}
        self._write(end)
        self.close()

    def close(self) -> None:
        """Close the file; safe to call twice. Raises InputError where it cannot be written."""
        if self._file.closed:
            return
        try:
            with self._file:
                if self._packed:
                    self._packed.close()
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def _write(self, line: Mapping[str, Any]) -> None:
        target = self._packed or self._file
        try:
            target.write(_dumps(line))
            target.flush()
            self._file.flush()
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
