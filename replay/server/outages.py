"""Faults that come by the clock: hosts that are away, WebSockets that drop. Pure: told the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from perfscan.replay.model import Fault


@dataclass(frozen=True, slots=True)
class Cut:
    """Connections are reset ``after_ns``, and again and again where ``every_ns`` is not 0."""

    after_ns: int
    every_ns: int
    host: str
    """Empty for all hosts."""
    only_websockets: bool
    until_ns: int = 0
    """No more cuts from then on; 0 for no end."""

    def next(self) -> Cut | None:
        """Return the cut that follows on this one, if any does."""
        after_ns = self.after_ns + self.every_ns
        if not self.every_ns or (self.until_ns and after_ns >= self.until_ns):
            return None
        return replace(self, after_ns=after_ns)


class Outages:
    """Counts from one moment, the same on both sides of a comparison."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._outages = [fault for fault in faults if fault.kind == "outage"]
        self._drops = [fault for fault in faults if fault.kind == "ws-drop"]
        self._begun_ns: int | None = None

    def begin(self, now_ns: int) -> tuple[Cut, ...]:
        """Count from now, once; return the cuts that are to come."""
        if self._begun_ns is not None:
            return ()
        self._begun_ns = now_ns
        away = [
            Cut(fault.window_ns[0], 0, fault.host, only_websockets=False) for fault in self._outages
        ]
        drops = [first for fault in self._drops if (first := _first_drop(fault)) is not None]
        return (*away, *drops)

    def since_ns(self, now_ns: int) -> int | None:
        """Return for how long it has counted; None before it has begun."""
        return None if self._begun_ns is None else now_ns - self._begun_ns

    def away(self, host: str, now_ns: int) -> bool:
        """Tell whether ``host`` has an outage."""
        since_ns = self.since_ns(now_ns)
        return any(fault.host == host and fault.is_on(since_ns) for fault in self._outages)


def _first_drop(fault: Fault) -> Cut | None:
    """Return the first of the drops, which keep their beat in a window; None for none in it."""
    begin_ns, end_ns = fault.window_ns
    first_ns = max(1, -(-begin_ns // fault.time_ns)) * fault.time_ns
    if end_ns and first_ns >= end_ns:
        return None
    return Cut(first_ns, fault.time_ns, fault.host, only_websockets=True, until_ns=end_ns)
