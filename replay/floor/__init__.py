"""The best that the recorded traffic permits, to set beside what was measured.

Floors are worked out from recording and scenario alone. :func:`assumptions` says of each what it
assumes; what cannot be bounded has none. Nothing here is a promise that a bot can be at all of its
floors at once: HTTP/1.1 needs a connection for each request that is open at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfscan.replay.catalogue import per_item
from perfscan.replay.exchanges import Exchange, exchanges, websockets
from perfscan.replay.floor.belonging import asked_of
from perfscan.replay.floor.cycles import asked_in_cycles, fits
from perfscan.replay.floor.latency import item_floors, owed
from perfscan.replay.floor.limits import limited_s
from perfscan.replay.items import without_query
from perfscan.replay.keys import OF_ITEM, host_key
from perfscan.replay.metrics import summary
from perfscan.replay.model import CycleStimulus, Recording, Scenario
from perfscan.replay.work import effects, stimuli

__all__ = ["assumptions", "floors", "item_floors"]


def floors(
    recording: Recording, scenario: Scenario, *, speed: float = 1.0, until_s: float | None = None
) -> dict[str, float]:
    """Return the best possible value per metric; only metrics for which one can be given.

    ``speed`` divides recorded times. With ``until_s`` only a part of the streams is played, for
    which totals have no floor.
    """
    items = item_floors(recording, scenario, speed=speed, until_s=until_s)
    calls = [call for call in exchanges(recording) if not call.is_websocket]
    streams = {without_query(session.url) for session in websockets(recording)}
    hosts = {host_key(call.open) for call in calls}
    best = {
        **_latencies(list(items.values())),
        "success_rate": 1.0,
        "websocket_connects": float(len(streams)),
        "websocket_reconnects": 0.0,
        "duplicates": 0.0,
        "connections_opened": float(len(streams) + len(hosts)),
    }
    if until_s is not None:
        return best
    done = effects(recording, scenario.items)
    begun = owed(stimuli(recording, scenario.items), done, None)
    totals = _totals(_needed(calls, scenario, begun), scenario.counts)
    best |= totals
    if begun:
        best |= {per_item(name): total / len(begun) for name, total in totals.items()}
    if begun and not isinstance(scenario.items.stimulus, CycleStimulus):
        times_s = {key: one.at_ns / 1e9 / speed for key, one in begun.items()}
        least_s = limited_s(_distinct(calls, scenario), scenario.emulated.limits) / speed
        best |= _spans(times_s, items, least_s)
    return best


def _latencies(floors_ms: Sequence[float]) -> dict[str, float]:
    """Return mean and percentiles; none of zero, which is what a warm cache answers at once."""
    return {
        name: value for name, value in summary("item_latency_all_ms", floors_ms).items() if value
    }


def _needed(
    calls: Sequence[Exchange], scenario: Scenario, begun: Mapping[str, object]
) -> list[Exchange]:
    """Return the requests without which the work cannot be done."""
    if not isinstance(scenario.items.stimulus, CycleStimulus):
        return _distinct(calls, scenario)
    cycles = asked_in_cycles(calls, scenario).items()
    return [call for cycle, asked in cycles if cycle <= len(begun) for call in asked]


def _distinct(calls: Sequence[Exchange], scenario: Scenario) -> list[Exchange]:
    """Return one recorded request for each different thing that was asked for.

    Effects that are told apart by their number are all different, however alike they look.
    """
    found: dict[object, Exchange] = {}
    for call in calls:
        asked = asked_of(call, scenario.match)
        numbered = scenario.items.numbered and asked[0].body.startswith(OF_ITEM)
        found[(asked, call.ordinal if numbered else 0)] = call
    return list(found.values())


def _totals(distinct: Sequence[Exchange], counts: Mapping[str, Sequence[str]]) -> dict[str, float]:
    totals = {"upstream_requests": float(len(distinct))}
    for name, patterns in counts.items():
        totals[name] = float(sum(fits(patterns, one) for one in distinct))
    return totals


def _spans(
    begun_s: Mapping[str, float], items: Mapping[str, float], least_s: float
) -> dict[str, float]:
    """Return the least time for all items and the throughput that follows from it."""
    ends = [at_s + items.get(key, 0.0) / 1000 for key, at_s in begun_s.items()]
    span_s = max(max(ends) - min(begun_s.values()), least_s)
    if span_s <= 0:
        return {}
    return {"makespan_s": span_s, "throughput_items_per_s": len(begun_s) / span_s}


# --- What they assume -----------------------------------------------------------------------------

_WARM = (
    "warm connections, no queueing, no repeated attempts, a cache that never expires and a bot "
    "that takes no time"
)
_DECLARED = (
    f"{_WARM}: per item the largest recorded service time of each stage of the critical path, "
    "added up"
)
_INFERRED = (
    f"{_WARM}: per item only those requests one after the other of which a value in the recording "
    "proves that the later one needed the answer to the earlier one"
)
_CYCLES = (
    "warm connections, no queueing, no repeated attempts and a bot that takes no time: per cycle "
    "the slowest chain of requests through the stages of the critical path; each waits for those "
    "of an earlier stage with which it shares values, for all of them where no value tells, and "
    "is asked for once, answered in the least time that it took in that cycle"
)
_ARRIVAL = "items come when they were recorded; the last of them still takes its own least latency"
_ONCE = "each different recorded request once, as with a cache that never expires, and no batches"
_ONCE_A_CYCLE = (
    "each different recorded request once in each cycle, but not again for an answer that an "
    "earlier cycle had already and that nothing changes, and no batches"
)
_UNLIMITED = ", and no limit is exceeded"


def assumptions(best: Mapping[str, float], scenario: Scenario) -> dict[str, str]:
    """Return what each floor in ``best`` assumes, in words for a report, by metric."""
    limited = any(one.rate is not None for one in scenario.emulated.limits)
    in_cycles = isinstance(scenario.items.stimulus, CycleStimulus)
    latency, once = _DECLARED if scenario.critical_path else _INFERRED, _ONCE
    if in_cycles:
        once = _ONCE_A_CYCLE
        if scenario.critical_path:
            latency = _CYCLES + (_UNLIMITED if scenario.emulated.limits else "")
    span = f"{_ARRIVAL}, and no rate limit is exceeded" if limited else _ARRIVAL
    told = {
        "success_rate": "every item is handled in time",
        "websocket_connects": "one connection for each stream, which is never lost",
        "websocket_reconnects": "no stream is ever lost",
        "duplicates": "no effect is sent twice",
        "connections_opened": "one connection for each host and each stream, kept open",
        "makespan_s": span,
        "throughput_items_per_s": span,
    }
    found = {name: told.get(name, once) for name in best}
    for name in best:
        if name.startswith("item_latency_all_ms."):
            found[name] = found[name.replace("_all_ms.", "_ms.")] = latency
    return found
