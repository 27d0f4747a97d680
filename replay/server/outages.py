"""Faults that come by the clock: hosts that are away, WebSockets that drop. Pure: told the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perfscan.replay.model import Fault


@dataclass(frozen=True, slots=True)
class Cut:
    """Connections are reset ``after_ns``, and again and again where ``every_ns`` is not 0."""

    after_ns: int
    every_ns: int
    host: str
    """Empty for all hosts."""
    only_websockets: bool


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
        drops = [
            Cut(fault.time_ns, fault.time_ns, fault.host, only_websockets=True)
            for fault in self._drops
        ]
        return (*away, *drops)

    def away(self, host: str, now_ns: int) -> bool:
        """Tell whether ``host`` has an outage."""
        if self._begun_ns is None:
            return False
        since_ns = now_ns - self._begun_ns
        return any(
            fault.host == host and fault.window_ns[0] <= since_ns < fault.window_ns[1]
            for fault in self._outages
        )
