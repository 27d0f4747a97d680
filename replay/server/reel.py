"""The frames of recorded streams one behind the other on disk, so that many are read at once."""

from __future__ import annotations

import os
import weakref

from perfscan.replay.recording_store import no_room, temporary_file

FLUSHED_AT = 1 << 20


class Reel:
    """A temporary file without a name that grows at its end; kept pages are the system's, not ours.

    Unlike a spool it can be read over the boundaries of what was added: whoever adds remembers
    where that begins and ends. Raises InputError where the disk is full.
    """

    def __init__(self) -> None:
        with temporary_file() as file:
            self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)
        self._unwritten = bytearray()
        self.end = 0
        """Where the next bytes will stand."""

    def add(self, data: bytes) -> int:
        """Put ``data`` at the end; returns where it begins."""
        begin = self.end
        self._unwritten += data
        self.end += len(data)
        if len(self._unwritten) >= FLUSHED_AT:
            self._flush()
        return begin

    def read(self, begin: int, end: int) -> bytes:
        """Return what stands between two places."""
        if self._unwritten:
            self._flush()
        return os.pread(self._descriptor, end - begin, begin)

    def _flush(self) -> None:
        try:
            while self._unwritten:
                begin = self.end - len(self._unwritten)
                written = os.pwrite(self._descriptor, self._unwritten, begin)
                del self._unwritten[:written]
        except OSError as error:
            raise no_room(error) from error
