"""What a request meets by chance: the same for its n-th repetition in every run with one seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import log
from typing import Literal
from urllib.parse import urlsplit

from perfscan.replay.model import Fault

RETRANSMITTED_NS = 200_000_000
"""When TCP first sends again on Linux (TCP_RTO_MIN); each time it waits twice as long."""
RETRANSMITTED_AT_MOST_NS = 120_000_000_000
"""The longest that it waits (TCP_RTO_MAX)."""
_REQUESTS = frozenset(
    ["loss", "latency", "jitter", "reset", "status", "slow-body", "stall", "malformed"]
)

_ON_STREAMS = frozenset(["loss", "latency", "jitter"])


@dataclass(frozen=True, slots=True)
class Damage:
    """How an answer goes wrong; ``where``, 0 to 1, is the draw that chooses the place."""

    kind: Literal["silence", "reset", "stall", "malformed"]
    where: float = 0.0


@dataclass(frozen=True, slots=True)
class Met:
    """What one request meets. At most one of ``status`` and ``damage`` is set."""

    delay_ns: int = 0
    status: int | None = None
    damage: Damage | None = None
    bytes_per_s: float | None = None


class Dice:
    """Draws by seed, fault, the thing that is asked for and how often it was asked for before.

    What takes longer than ``patience_ns`` never comes: nobody waits for it.
    """

    def __init__(self, faults: Sequence[Fault], seed: int, patience_ns: int) -> None:
        self._faults = [fault for fault in faults if fault.kind in _REQUESTS and fault.share]
        self._seed = seed
        self._patience_ns = patience_ns
        self._asked: Counter[str] = Counter()

    def meet(self, host: str, thing: str, since_ns: int | None = None) -> Met:
        """Return what the next request to ``host`` for ``thing`` meets.

        ``since_ns`` is the time since the start of what is played, for faults in a window.
        """
        number = self._asked[thing]
        self._asked[thing] += 1
        delay_ns, slowest, ending = 0, float("inf"), Met()
        for fault in self._faults:
            if fault.host not in ("", host) or not fault.is_on(since_ns):
                continue
            first, second = draws(f"{self._seed}/{fault.spec}/{thing}/{number}")
            if fault.kind == "latency":
                delay_ns += fault.time_ns
            elif fault.kind == "jitter":
                delay_ns += round(first * fault.time_ns)
            elif fault.kind == "loss":
                delay_ns += lost_ns(first, fault.share) + lost_ns(second, fault.share)
            elif first < fault.share and fault.kind == "slow-body":
                slowest = min(slowest, fault.bytes_per_s)
            elif first < fault.share and ending == Met():
                ending = _ending(fault, second)
        if delay_ns > self._patience_ns:
            return Met(damage=Damage("silence"))
        speed = None if slowest == float("inf") else slowest
        return Met(delay_ns, ending.status, ending.damage, speed)


def message_delays(
    faults: Sequence[Fault], seed: int, patience_ns: int, url: str, times_ns: Iterable[int]
) -> Iterator[int] | None:
    """Return how much later each message of the WebSocket at ``url`` comes; None for not at all.

    ``times_ns`` are the times of the messages since the start of the stream.
    """
    host = urlsplit(url).netloc
    mine = [fault for fault in faults if fault.kind in _ON_STREAMS and fault.host in ("", host)]
    if not mine:
        return None
    return (
        min(
            patience_ns,
            sum(
                _held_ns(fault, f"{seed}/{fault.spec}/{url}/{row}")
                for fault in mine
                if fault.is_on(since_ns)
            ),
        )
        for row, since_ns in enumerate(times_ns)
    )


def _held_ns(fault: Fault, about: str) -> int:
    if fault.kind == "latency":
        return fault.time_ns
    draw, _ = draws(about)
    return lost_ns(draw, fault.share) if fault.kind == "loss" else round(draw * fault.time_ns)


def lost_ns(draw: float, share: float) -> int:
    """Return how much later a packet arrives of which each copy is lost with ``share``.

    ``draw`` is uniform between 0 and 1: below ``share`` the first copy is lost, below its square
    the second one, too, and so on.
    """
    if share >= 1:
        return 1 << 62
    lost = int(log(max(draw, 1e-300)) / log(share)) if share > 0 else 0
    waits = (RETRANSMITTED_NS << number for number in range(min(lost, 64)))
    return sum(min(wait, RETRANSMITTED_AT_MOST_NS) for wait in waits)


def draws(about: str) -> tuple[float, float]:
    """Return two numbers between 0 and 1 that depend on ``about`` alone."""
    digest = blake2b(about.encode("utf-8", "backslashreplace"), digest_size=16).digest()
    return int.from_bytes(digest[:8]) / 2**64, int.from_bytes(digest[8:]) / 2**64


def _ending(fault: Fault, draw: float) -> Met:
    match fault.kind:
        case "status":
            return Met(status=fault.status)
        case "reset" | "stall" | "malformed" as kind:
            return Met(damage=Damage(kind, draw))
    return Met()
