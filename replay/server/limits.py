"""What hosts allow: request rates with bans, connections, requests at once. Pure: told the time.

Times are those of the recording, so that a replay at ten times the speed is allowed ten times as
much per second.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from perfscan.replay.items import request_matches
from perfscan.replay.keys import url_like
from perfscan.replay.model import Headers, HostLimits, Rate, RateLimit

_ROUNDING_NS = 0.5
"""So much may be lacking of what a request takes, lest it waits for a fraction of a fraction."""


class TokenBucket:
    """Holds ``burst`` tokens, is filled with ``rate`` and begins full.

    All that it keeps is when it will be full again.
    """

    def __init__(self, rate: Rate, burst: float) -> None:
        self._token_ns = rate.per_ns / rate.amount
        self._burst_ns = burst * self._token_ns
        self._full_at_ns = 0.0

    def wait_ns(self, now_ns: int, tokens: float) -> int:
        """Return how long until so many tokens are there; 0 where they are."""
        short_ns = self._missing_ns(now_ns) + tokens * self._token_ns - self._burst_ns
        return max(0, ceil(short_ns - _ROUNDING_NS))

    def take(self, now_ns: int, tokens: float) -> None:
        """Take tokens that are there."""
        self._full_at_ns = now_ns + self._missing_ns(now_ns) + tokens * self._token_ns

    def missing(self, now_ns: int) -> int:
        """Return how many tokens are taken and not filled in yet, in whole ones."""
        return ceil((self._missing_ns(now_ns) - _ROUNDING_NS) / self._token_ns)

    def _missing_ns(self, now_ns: int) -> float:
        return max(0.0, self._full_at_ns - now_ns)


class Address(NamedTuple):
    """What of a request decides which limits are for it."""

    method: str
    host: str
    target: str

    def fits(self, pattern: str) -> bool:
        """Tell whether a request pattern is for it."""
        return request_matches(pattern, self.method, url_like(pattern, self.host, self.target))


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A request that a limit refuses."""

    limit: RateLimit
    status: int
    wait_ns: int
    """Until the same request would be allowed."""


class Throttle:
    """The state of one rate limit."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._bucket = TokenBucket(limit.rate, limit.burst)
        self._refused: deque[int] = deque()
        self._banned_until_ns = 0

    def concerns(self, asked: Address) -> bool:
        """Tell whether such requests count."""
        wanted = self.limit.requests
        return not wanted or any(asked.fits(pattern) for pattern in wanted)

    def weight(self, asked: Address) -> float:
        """Return what such a request takes."""
        return next((w for pattern, w in self.limit.weights.items() if asked.fits(pattern)), 1.0)

    def ban(self, now_ns: int) -> Exceeded | None:
        """Return the refusal while the client is banned."""
        left_ns = self._banned_until_ns - now_ns
        if self.limit.ban is None or left_ns <= 0:
            return None
        return Exceeded(self.limit, self.limit.ban.status, left_ns)

    def check(self, now_ns: int, weight: float) -> Exceeded | None:
        """Return the refusal of a request that exceeds the rate; takes nothing."""
        wait_ns = self._bucket.wait_ns(now_ns, weight)
        if not wait_ns:
            return None
        self._note_refusal(now_ns)
        return self.ban(now_ns) or Exceeded(self.limit, self.limit.refusal.status, wait_ns)

    def take(self, now_ns: int, weight: float) -> None:
        """Count a request that was allowed."""
        self._bucket.take(now_ns, weight)

    def header(self, now_ns: int) -> Headers:
        """Return the header that tells what is used, where there is one."""
        name = self.limit.weight_header
        return ((name, str(self._bucket.missing(now_ns))),) if name else ()

    def _note_refusal(self, now_ns: int) -> None:
        ban = self.limit.ban
        if ban is None:
            return
        self._refused.append(now_ns)
        while self._refused[0] <= now_ns - self.limit.rate.per_ns:
            self._refused.popleft()
        if len(self._refused) >= ban.after:
            self._banned_until_ns = now_ns + ban.for_ns
            self._refused.clear()


class Gate:
    """All limits of one host."""

    def __init__(self, limits: Sequence[HostLimits]) -> None:
        self._throttles = [Throttle(one.rate) for one in limits if one.rate]
        self._new = [
            TokenBucket(one.new_connections, max(1, one.new_connections.amount))
            for one in limits
            if one.new_connections
        ]
        self._connections = _least(one.connections for one in limits)
        self._websockets = _least(one.websockets for one in limits)
        self._workers = _least(one.concurrency for one in limits)
        self.full_status = next((one.full_status for one in limits if one.full_status), None)
        self._open: set[int] = set()
        self._streaming: set[int] = set()
        self._busy_until_ns: list[int] = []

    def request(self, now_ns: int, asked: Address) -> Exceeded | None:
        """Return why a request is refused; one that is not counts in all limits it concerns."""
        for throttle in self._throttles:
            if banned := throttle.ban(now_ns):
                return banned
        concerned = [
            (throttle, throttle.weight(asked))
            for throttle in self._throttles
            if throttle.concerns(asked)
        ]
        for throttle, weight in concerned:
            if exceeded := throttle.check(now_ns, weight):
                return exceeded
        for throttle, weight in concerned:
            throttle.take(now_ns, weight)
        return None

    def headers(self, now_ns: int, asked: Address) -> Headers:
        """Return the headers that tell a client how much it has used."""
        return tuple(
            pair
            for throttle in self._throttles
            if throttle.concerns(asked)
            for pair in throttle.header(now_ns)
        )

    def connect(self, now_ns: int, connection: int) -> bool:
        """Count a connection unless it is one too many."""
        full = self._connections is not None and len(self._open) >= self._connections
        if full or any(bucket.wait_ns(now_ns, 1) for bucket in self._new):
            return False
        for bucket in self._new:
            bucket.take(now_ns, 1)
        self._open.add(connection)
        return True

    def connect_websocket(self, connection: int) -> bool:
        """Count a WebSocket unless it is one too many."""
        if self._websockets is not None and len(self._streaming) >= self._websockets:
            return False
        self._streaming.add(connection)
        return True

    def leave(self, connection: int) -> None:
        """Forget a connection that has closed."""
        self._open.discard(connection)
        self._streaming.discard(connection)

    def queue(self, now_ns: int, service_ns: int) -> int:
        """Return how long a request waits for its turn; the service then works on it."""
        if self._workers is None:
            return 0
        begins_ns = now_ns
        if len(self._busy_until_ns) >= self._workers:
            begins_ns = max(now_ns, heapq.heappop(self._busy_until_ns))
        heapq.heappush(self._busy_until_ns, begins_ns + service_ns)
        return begins_ns - now_ns


def _least(values: Iterable[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)
