"""What is still to be sent, kept on disk in the form in which it is sent.

Playing a recording must not need memory in proportion to it, so answers that were made when it was
loaded wait in a file without a name until they are due::

    spool = Spool()
    place = spool.add(answer)    # an integer is all that has to be remembered
    spool.read(place)            # the answer
"""

from __future__ import annotations

from perfscan.replay.server.reel import Reel

_LENGTH = 4


class Spool:
    """Keeps pieces of bytes in a temporary file; each is known by its place.

    Every read fetches ``ahead`` bytes and serves what lies behind from memory: about 3 us for
    16 KiB. Larger pieces than that are read alone. Raises InputError where the disk is full.
    """

    def __init__(self, ahead: int = 16 * 1024) -> None:
        self._reel = Reel()
        self._ahead = ahead
        self._window = b""
        self._window_begin = 0

    def add(self, data: bytes) -> int:
        """Keep ``data``; returns its place."""
        return self._reel.add(len(data).to_bytes(_LENGTH, "little") + data)

    def read(self, place: int) -> bytes:
        """Return what was kept at ``place``."""
        begin = place - self._window_begin
        window = self._window
        if not 0 <= begin <= len(window) - _LENGTH:
            begin, window = 0, self._look(place)
        body = begin + _LENGTH
        size = int.from_bytes(window[begin:body], "little")
        if body + size <= len(window):
            return window[body : body + size]
        if size > self._ahead - _LENGTH:
            return self._reel.read(place + _LENGTH, place + _LENGTH + size)
        return self._look(place)[_LENGTH : _LENGTH + size]

    def _look(self, place: int) -> bytes:
        self._window_begin = place
        self._window = self._reel.read(place, place + self._ahead)
        return self._window
