"""Turns what passes through the tap into events: numbered, dated, redacted, written."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from itertools import count

from perfscan.errors import InputError
from perfscan.replay.model import Event, Failure, Message, Open
from perfscan.replay.recording import RecordingWriter
from perfscan.replay.redaction import Redactor

Clock = Callable[[], int]


class Capture:
    """The recording under way. ``redactor`` is None where the user wants secrets kept."""

    def __init__(
        self, writer: RecordingWriter, redactor: Redactor | None, clock: Clock = time.monotonic_ns
    ) -> None:
        self._writer = writer
        self._redactor = redactor
        self._clock = clock
        self._origin_ns = clock()
        self._connections = count(1)
        self._exchanges = count(1)
        self.counts: Counter[str] = Counter()
        """How many events of each kind were written, by lower-case kind."""
        self.hosts: set[str] = set()
        """To which the bot connected."""
        self.failures: Counter[str] = Counter()
        self.opaque = 0
        """Bodies whose content coding cannot be undone here."""
        self.refused: InputError | None = None
        """Why nothing is written any more: a secret could not be taken out, or the disk is full."""

    def now(self) -> int:
        """Return nanoseconds since the recording began."""
        return self._clock() - self._origin_ns

    def connection(self) -> int:
        """Return a new connection number."""
        return next(self._connections)

    def exchange(self) -> int:
        """Return a new exchange number."""
        return next(self._exchanges)

    def add(self, event: Event) -> None:
        """Write ``event``, redacted. After a refusal nothing is written.

        A file in which a secret would have come to stand is gone; one for which there was no room
        stays as far as it was written.
        """
        if self.refused:
            return
        try:
            clean = self._redactor.event(event) if self._redactor else event
        except InputError as error:
            self.refused = error
            self._writer.close()
            self._writer.path.unlink(missing_ok=True)
            return
        try:
            self._writer.append(clean)
        except InputError as error:
            self.refused = error
            return
        self._count(clean)

    def finish(self) -> None:
        """Write the closing line."""
        if self.refused:
            return
        notes = []
        if self.opaque:
            notes.append(
                f"{self.opaque} of the bodies are stored as sent and not searched for secrets, "
                "since their content coding is not known here (br needs brotli, zstd zstandard)"
            )
        unheard = self.counts["unheard"]
        if unheard:
            notes.append(
                f"{unheard} of the messages arrived while the bot was away or busy (heard=false)"
            )
        self._writer.finish(redacted=self._redactor.counts if self._redactor else {}, notes=notes)

    def _count(self, event: Event) -> None:
        self.counts[type(event).__name__.lower()] += 1
        if isinstance(event, Open):
            self.hosts |= set() if event.inbound else {event.host}
        elif isinstance(event, Failure):
            self.failures[event.detail] += 1
        elif isinstance(event, Message):
            self.counts["unheard"] += not event.heard
