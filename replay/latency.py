"""Latencies for recordings that have none: drawn from what the scenario says of each endpoint."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from perfscan.errors import InputError
from perfscan.replay.exchanges import Exchange, exchanges
from perfscan.replay.items import request_matches
from perfscan.replay.model import Event, Failure, LatencyRule, Recording, Response
from perfscan.replay.secret_places import normalise_secrets

Z95 = 1.6448536269514722
"""The 95th percentile of the standard normal distribution."""
EVERYTHING = "*"
"""The request pattern that every request fits."""


def with_latency(recording: Recording, rules: Sequence[LatencyRule], seed: int) -> Recording:
    """Return ``recording`` with service times drawn for the requests that ``rules`` name.

    The first rule that fits decides. Both sides of a comparison draw the same: the n-th request
    that a rule decides has the n-th draw for ``seed``. Events that
    get times are all held in memory, since that changes their order; what comes without times is
    cassettes, which are small. Raises InputError where a recording without times has a request
    that no rule fits.
    """
    timed = recording.header.latency == "recorded"
    if timed and not rules:
        return recording
    calls = [call for call in exchanges(recording) if not call.is_websocket]
    drawn_ns: dict[int, int] = {}
    draws = [_draws(rule, seed) for rule in rules]
    for call in calls:
        place = _place_of(rules, call)
        if place is not None:
            drawn_ns[call.request.exchange] = next(draws[place])
        elif not timed:
            raise _missing(recording, call)
    sent_ns = {call.request.exchange: call.request.at_ns for call in calls}
    events = sorted(_moved(recording.events, sent_ns, drawn_ns), key=lambda event: event.at_ns)
    note = "latencies: drawn from the distributions of the scenario"
    header = replace(recording.header, latency="recorded", notes=(*recording.header.notes, note))
    return replace(recording, header=header, events=tuple(events))


def _place_of(rules: Sequence[LatencyRule], call: Exchange) -> int | None:
    fits = (
        place
        for place, rule in enumerate(rules)
        if rule.request == EVERYTHING
        or request_matches(rule.request, call.request.method, call.url)
    )
    return next(fits, None)


def _draws(rule: LatencyRule, seed: int) -> Iterator[int]:
    """Yield service times in nanoseconds, for ever."""
    dice = random.Random(f"{seed}/{rule.request}")
    while True:
        if rule.values_ms:
            yield round(dice.choice(rule.values_ms) * 1e6)
        else:
            spread = math.log(rule.p95_ms / rule.p50_ms) / Z95
            yield round(dice.lognormvariate(math.log(rule.p50_ms), spread) * 1e6)


def _moved(
    events: Iterable[Event], sent_ns: dict[int, int], drawn_ns: dict[int, int]
) -> Iterator[Event]:
    for event in events:
        drawn = None
        if isinstance(event, Response | Failure) and event.exchange is not None:
            drawn = drawn_ns.get(event.exchange)
        if drawn is None or not isinstance(event, Response | Failure):
            yield event
            continue
        at_ns = sent_ns[event.exchange or 0] + drawn
        if isinstance(event, Response):
            yield replace(event, at_ns=at_ns, end_ns=at_ns + max(0, event.end_ns - event.at_ns))
        else:
            yield replace(event, at_ns=at_ns)


def _missing(recording: Recording, call: Exchange) -> InputError:
    return InputError(
        f"the recording has no latencies, and the scenario gives none for "
        f"{call.request.method} {normalise_secrets(call.url).partition('?')[0][:200]}",
        where=str(recording.path) if recording.path else None,
        remedy="add latency: {'*': {p50_ms: 80, p95_ms: 300}}, say, to the scenario",
    )
