"""Which moment of the recording it is."""

from __future__ import annotations

from perfscan.replay.model import StreamStart


class RecordedClock:
    """Turns run time into recorded time.

    It starts with the first request, which stands for the first recorded one, and is set right by
    the first stream that starts, because what happens in a run follows from what is pushed.
    """

    def __init__(self, first_ns: int, speed: float) -> None:
        self._recorded_ns = first_ns
        self._speed = speed
        self._began_ns: int | None = None
        self._streaming = False

    def at(self, now_ns: int) -> int:
        """Return the recorded time of ``now_ns``; the first call starts the clock."""
        if self._began_ns is None:
            self._began_ns = now_ns
        return self._recorded_ns + round((now_ns - self._began_ns) * self._speed)

    def follow(self, start: StreamStart) -> None:
        """Go by a stream that has started."""
        if not self._streaming:
            self._streaming = True
            self._began_ns, self._recorded_ns = start.at_ns, start.recorded_ns
