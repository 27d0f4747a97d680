"""What is made of the recorded services on purpose: faults that happen, limits that hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from perfscan.replay.model.traffic import Headers

FaultKind = Literal[
    "loss",
    "latency",
    "jitter",
    "reset",
    "status",
    "slow-body",
    "stall",
    "malformed",
    "ws-drop",
    "outage",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which network or service misbehave. Times are those of the recording."""

    kind: FaultKind
    spec: str
    """As it is written, such as ``loss=50%@api.example.com``; what it draws depends on it."""
    host: str = ""
    """The only host that is concerned; empty for all."""
    share: float = 1.0
    """Share of requests (packets, for ``loss``) that meet it."""
    time_ns: int = 0
    """``latency``, ``jitter``: how much. ``ws-drop``: how often."""
    status: int = 0
    bytes_per_s: float = 0.0
    window_ns: tuple[int, int] = (0, 0)
    """From and to, counted from the start of what is played; (0, 0) for always."""

    def is_on(self, since_ns: int | None) -> bool:
        """Tell whether it is there ``since_ns`` after that start; None: nothing is played yet."""
        begin_ns, end_ns = self.window_ns
        return not end_ns or (since_ns is not None and begin_ns <= since_ns < end_ns)


@dataclass(frozen=True, slots=True)
class Rate:
    """So much per interval."""

    amount: float
    per_ns: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a service answers what exceeds a limit."""

    status: int = 429
    retry_after_s: float | None = None
    """None: the time until the request would be allowed, in whole seconds."""
    headers: Headers = ()
    body: str | None = None
    """None: the words that such a service uses."""


@dataclass(frozen=True, slots=True)
class Ban:
    """What a client meets that goes on after it was refused."""

    after: int
    """Refusals within one interval of the rate that bring it about."""
    for_ns: int
    status: int = 418


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A token bucket that is filled with ``rate`` and holds ``burst``."""

    rate: Rate
    burst: float
    requests: tuple[str, ...] = ()
    """Patterns of the requests that it is for; empty for all of the host."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Request pattern to what such a request takes from the bucket; others take 1."""
    weight_header: str = ""
    """Header of every answer that tells how much is taken, such as ``X-MBX-USED-WEIGHT-1M``."""
    refusal: Refusal = Refusal()
    ban: Ban | None = None


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What one host allows. None: no limit."""

    host: str
    rate: RateLimit | None = None
    connections: int | None = None
    """Open at once."""
    new_connections: Rate | None = None
    websockets: int | None = None
    """Open at once."""
    full_status: int | None = None
    """Answer on a connection too many; None: it is reset."""
    concurrency: int | None = None
    """Requests that the service works on at once; others wait their turn."""


@dataclass(frozen=True, slots=True)
class Emulated:
    """All faults and limits of a run."""

    faults: tuple[Fault, ...] = ()
    limits: tuple[HostLimits, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.faults or self.limits)

    def with_faults(self, more: tuple[Fault, ...]) -> Emulated:
        """Return the same with further faults; one that is there already stays one."""
        return replace(self, faults=tuple(dict.fromkeys((*self.faults, *more))))
