"""An answer on its way: which of its parts are written, which are still to come. Told the time."""

from __future__ import annotations

from perfscan.replay.server.scripts import Script


class Delivery:
    """Follows a script from the moment at which its first byte is written."""

    def __init__(self, script: Script, begun_ns: int) -> None:
        self.script = script
        self.begun_ns = begun_ns
        self._written = 0
        self._awaited_ns = -1

    def take(self, now_ns: int) -> bytes:
        """Return what is due by now and was not taken yet."""
        parts, first = self.script.parts, self._written
        while not self.complete and self.begun_ns + parts[self._written][0] <= now_ns:
            self._written += 1
        return b"".join(data for _, data in parts[first : self._written])

    @property
    def complete(self) -> bool:
        """Whether all is taken."""
        return self._written == len(self.script.parts)

    def wait_until(self) -> int | None:
        """Return when the next part is due, once for each; None where all is taken."""
        if self.complete:
            return None
        due_ns = self.begun_ns + self.script.parts[self._written][0]
        if due_ns == self._awaited_ns:
            return None
        self._awaited_ns = due_ns
        return due_ns
