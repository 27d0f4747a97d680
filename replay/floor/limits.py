"""How long a service's own rate limits make a number of requests last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from perfscan.replay.exchanges import Exchange
from perfscan.replay.items import any_matches, request_matches
from perfscan.replay.keys import host_key
from perfscan.replay.model import HostLimits, RateLimit


def limited_s(calls: Sequence[Exchange], limits: Iterable[HostLimits]) -> float:
    """Return the least time in which ``calls`` are let through, in seconds of the recording."""
    times = [
        _bucket_s([call for call in calls if _is_at(one.host, call)], one.rate)
        for one in limits
        if one.rate is not None
    ]
    return max(times, default=0.0)


def crowded_s(calls: Sequence[Exchange], limits: Iterable[HostLimits]) -> float:
    """Return the least time in which ``calls`` are worked on, in seconds of the recording.

    A host works on so many at once; and HTTP/1.1 has one at a time on each of its connections.
    """
    times = [
        sum(call.service_ns or 0 for call in calls if _is_at(one.host, call)) / most / 1e9
        for one in limits
        for most in (one.concurrency, one.connections)
        if most is not None
    ]
    return max(times, default=0.0)


def _is_at(host: str, call: Exchange) -> bool:
    return host_key(call.open) == host


def _bucket_s(calls: Iterable[Exchange], limit: RateLimit) -> float:
    """Return how long the last call waits: a full bucket lets a burst through at once."""
    weight = sum(_weight(call, limit) for call in calls)
    return max(0.0, weight - limit.burst) * limit.rate.per_ns / limit.rate.amount / 1e9


def _weight(call: Exchange, limit: RateLimit) -> float:
    method, url = call.request.method, call.url
    if limit.requests and not any_matches(limit.requests, method, url):
        return 0.0
    weights = limit.weights.items()
    return next((weight for one, weight in weights if request_matches(one, method, url)), 1.0)
