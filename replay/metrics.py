"""Turns what the upstream server saw of a run into the figures of that run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate
from statistics import fmean

from perfscan.replay.beginning import Watched, beginning
from perfscan.replay.catalogue import TOTALS, of_latency, per_item
from perfscan.replay.exchanges import Exchange, exchanges, outbound
from perfscan.replay.items import any_matches, without_query
from perfscan.replay.model import (
    Driven,
    Emulated,
    Item,
    Message,
    Miss,
    Observation,
    Pushed,
    Recording,
    Run,
    Scenario,
    Served,
    UpdateStimulus,
)
from perfscan.replay.schedule import Slot
from perfscan.replay.stimuli import stimulus_kind
from perfscan.replay.stimuli.cycles import Cycles
from perfscan.replay.waits import most_open, waits_ms
from perfscan.replay.work import expected_items as _expected
from perfscan.replay.work import items_of_run

ENOUGH_FOR = {"p50": 1, "p95": 1, "p99": 1_000, "p99.9": 10_000}
"""Values without which a percentile is a guess, and is not given."""
_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


def expected_items(recording: Recording, scenario: Scenario, until_s: float | None = None) -> int:
    """Count the items that a perfect run handles, up to a time from the stream's start."""
    return _expected(recording, scenario.items, until_s)


def measure(
    recording: Recording,
    observation: Observation,
    scenario: Scenario,
    process: Mapping[str, float],
    *,
    slot: Slot,
    watched: Watched | None = None,
    problem: str = "",
    log: str = "",
    escapes: Sequence[str] = (),
) -> Run:
    """Compute a run's metrics and items.

    ``process`` holds what was measured outside the wire, under metric names (``peak_rss_mb``,
    ``cpu_s``, ``startup_s``), and is passed through; ``watched`` what was seen there and has its
    meaning by the traffic. The run is ok when it had no ``problem`` and, unless the scenario allows
    misses, every request was answered from the recording.
    """
    items = items_of_run(recording, observation, scenario.items)
    kind = stimulus_kind(scenario.items)
    if isinstance(kind, Cycles):
        observation = kind.owed(recording, observation)
    misses = tuple(
        event.miss
        for event in observation.events
        if isinstance(event, Served) and event.miss is not None
    )
    if misses and not problem and not scenario.match.allow_misses:
        problem = _describe(misses)
    metrics = {
        **item_metrics(items),
        "duplicates": sum(item.state == "duplicated" for item in items),
        **_wire_metrics(recording, observation, scenario),
        **process,
        **(beginning(watched, observation, items) if watched else {}),
    }
    handled = len(_latencies(items))
    return Run(
        side=slot.side,
        pair=slot.pair,
        slot=slot.position,
        ok=not problem,
        metrics={**metrics, **per_item_metrics(metrics, handled, scenario.counts)},
        items=items,
        misses=misses,
        problem=problem,
        log=log,
        escapes=tuple(escapes),
    )


def _wire_metrics(
    recording: Recording, observation: Observation, scenario: Scenario
) -> dict[str, float]:
    """Return all that the traffic alone tells."""
    calls = exchanges(observation)
    return {
        **traffic_metrics(observation, calls, recording, _polls(calls, scenario)),
        **inbound_metrics(observation),
        **_own_counts(calls, scenario.counts),
        **_own_latencies(calls, scenario.latencies),
        **schedule_metrics(observation),
        **emulation_metrics(observation, scenario.emulated),
    }


def item_metrics(items: Sequence[Item]) -> dict[str, float]:
    """Latency, throughput and success of a run; items beyond duty do not count.

    Time runs from the intended stimulus of the first item to the last effect.
    """
    expected = [item for item in items if item.expected]
    handled = _latencies(expected)
    metrics = summary("item_latency_ms", list(handled.values()))
    metrics |= {
        name.replace("item_latency_ms", "item_latency_all_ms"): value
        for name, value in metrics.items()
        if name.endswith(("p50", "p95", "mean"))
    }
    if handled:
        begun = {item.key: item.stimulus_ns for item in expected}
        ends = [begun[key] + latency_ms * 1e6 for key, latency_ms in handled.items()]
        span_s = (max(ends) - min(begun.values())) / 1e9
        metrics["makespan_s"] = span_s
        if span_s > 0:
            metrics["throughput_items_per_s"] = len(handled) / span_s
    if expected:
        metrics["success_rate"] = len(handled) / len(expected)
    return metrics


def per_item_metrics(
    metrics: Mapping[str, float], handled: int, counts: Iterable[str]
) -> dict[str, float]:
    """Divide totals by the items handled: sides that did unequal amounts compare by these."""
    if not handled:
        return {}
    found = {
        per_item(name): metrics[name] / handled for name in (*TOTALS, *counts) if name in metrics
    }
    if "cpu_s" in metrics:
        found[per_item("cpu_s")] = metrics["cpu_s"] * 1000 / handled
    return found


def common_latencies(
    original: Sequence[Item], optimized: Sequence[Item]
) -> tuple[dict[str, float], dict[str, float]]:
    """Latency of both runs of a pair over the items that both of them handled."""
    before, after = _latencies(original), _latencies(optimized)
    both = common_keys(original, optimized)
    return (
        summary("item_latency_ms", [before[key] for key in both]),
        summary("item_latency_ms", [after[key] for key in both]),
    )


def common_keys(original: Sequence[Item], optimized: Sequence[Item]) -> list[str]:
    """Return the items that both runs of a pair handled."""
    after = _latencies(optimized)
    return [key for key in _latencies(original) if key in after]


def _latencies(items: Sequence[Item]) -> dict[str, float]:
    return {
        item.key: item.latency_ms
        for item in items
        if item.expected and item.state == "handled" and item.latency_ms is not None
    }


def _polls(calls: Sequence[Exchange], scenario: Scenario) -> frozenset[int]:
    """Return the exchanges that are long polls, which wait because nothing has happened yet."""
    rule = scenario.items.stimulus
    if not isinstance(rule, UpdateStimulus):
        return frozenset()
    return frozenset(call.request.exchange for call in calls if _fits((rule.poll,), call))


def traffic_metrics(
    observation: Observation,
    calls: Sequence[Exchange],
    recording: Recording,
    polls: Collection[int] = (),
) -> dict[str, float]:
    """Count requests, connections and payload as the bot caused them.

    WebSocket handshakes are counted apart from requests. The first request on a connection waits
    from the connection's opening, as the bot did. Payload is bodies and messages, without heads.
    What long ``polls`` waited for is no latency of a service.
    """
    requests = [call for call in calls if not call.is_websocket]
    waits = [ms for call, ms in waits_ms(calls) if call.request.exchange not in polls]
    latency = summary("upstream_latency_ms", waits)
    opens = outbound(observation)
    streams = Counter(without_query(call.url) for call in calls if call.is_websocket)
    return {
        "upstream_requests": len(requests),
        **{name: value for name, value in latency.items() if name.endswith(("p50", "p95"))},
        "connections_opened": len(opens),
        "connections_open_max": most_open(observation),
        "tls_handshakes": sum(opened.scheme == "https" for opened in opens),
        "websocket_connects": sum(streams.values()),
        "websocket_reconnects": sum(times - 1 for times in streams.values()),
        "max_in_flight": _most_at_once(requests),
        "bytes_in": _bytes_in(observation, recording),
        "wire_bytes_in": _bytes_in(observation, recording, written=True),
        "bytes_out": (sent := _bytes_out(observation, requests)),
        "wire_bytes_out": sent + sum(map(_head_size, calls)),
    }


def emulation_metrics(observation: Observation, emulated: Emulated) -> dict[str, float]:
    """Count what the emulated limits refused and the injected faults took, where there are any."""
    outcomes = Counter(event.outcome for event in observation.events if isinstance(event, Served))
    found: dict[str, float] = {}
    if emulated.limits:
        found["requests_refused"] = outcomes["refused"]
    if emulated.faults:
        found["requests_failed_by_fault"] = outcomes["fault"]
    return found


def inbound_metrics(observation: Observation) -> dict[str, float]:
    """Count what the bot's own users asked and got; empty where it has none.

    An error is an answer with a status from 500, or none at all.
    """
    calls = [one for one in exchanges(observation, inbound=True) if not one.is_websocket]
    if not calls:
        return {}
    served = [call.response for call in calls if call.response and call.response.status < 500]
    begun_ns = min(call.request.at_ns for call in calls)
    seconds = (max((one.end_ns for one in served), default=begun_ns) - begun_ns) / 1e9
    found: dict[str, float] = {
        "inbound_requests": len(calls),
        "inbound_errors": len(calls) - len(served),
    }
    return found | ({"inbound_served_per_s": len(served) / seconds} if seconds > 0 else {})


def schedule_metrics(observation: Observation) -> dict[str, float]:
    """How late the server itself was against the recorded times; empty when it served nothing."""
    late = [
        (event.at_ns - event.due_ns) / 1e6
        for event in observation.events
        if isinstance(event, Pushed | Driven)
        or (isinstance(event, Served) and event.outcome != "fault")
    ]
    if not late:
        return {}
    return {
        "schedule_lateness_ms.p50": percentile(late, 0.5),
        "schedule_lateness_ms.p99": percentile(late, 0.99),
        "schedule_lateness_ms.max": max(late),
    }


def summary(prefix: str, values: Sequence[float]) -> dict[str, float]:
    """Return the mean and those percentiles that the number of values supports."""
    if not values:
        return {}
    found = {
        f"{prefix}.{name}": percentile(values, share)
        for name, share in _SHARES.items()
        if len(values) >= ENOUGH_FOR[name]
    }
    return {**found, f"{prefix}.mean": fmean(values)}


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile, linear between the two nearest values."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _own_counts(calls: Sequence[Exchange], counts: Mapping[str, Sequence[str]]) -> dict[str, float]:
    return {name: sum(_fits(patterns, call) for call in calls) for name, patterns in counts.items()}


def _own_latencies(
    calls: Sequence[Exchange], rules: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, patterns in rules.items():
        values = summary(name, [ms for call, ms in waits_ms(calls) if _fits(patterns, call)])
        found |= {one: values[one] for one in of_latency(name) if one in values}
    return found


def _fits(patterns: Iterable[str], call: Exchange) -> bool:
    return any_matches(patterns, call.request.method, call.url)


def _most_at_once(calls: Sequence[Exchange]) -> int:
    """Count the requests that waited for their answer at the same time, at the worst moment."""
    steps = []
    for call in calls:
        if call.response is not None:
            steps += [(call.request.at_ns, 1), (call.response.end_ns, -1)]
    return max(accumulate(step for _, step in sorted(steps)), default=0)


def _bytes_in(observation: Observation, recording: Recording, *, written: bool = False) -> int:
    """Payload that reached the bot: answers, and the messages of the recorded streams.

    Or what was ``written`` of the answers, with their heads and compressed where they are.
    """
    total = 0
    for event in observation.events:
        if isinstance(event, Served):
            total += event.written if written else event.size
        elif isinstance(event, Pushed):
            message = recording.events[event.message]
            total += _size(message.data) if isinstance(message, Message) else 0
    return total


def _bytes_out(observation: Observation, requests: Sequence[Exchange]) -> int:
    own = {opened.connection for opened in outbound(observation)}
    sent = (
        _size(event.data)
        for event in observation.events
        if isinstance(event, Message) and event.direction == "sent" and event.connection in own
    )
    return sum(sent) + sum(len(call.request.body) for call in requests)


def _head_size(call: Exchange) -> int:
    """Bytes of a request's head as HTTP/1.1 writes it."""
    sent = call.request
    line = len(f"{sent.method} {sent.target} HTTP/1.1\r\n".encode())
    return line + sum(len(f"{name}: {value}\r\n".encode()) for name, value in sent.headers) + 2


def _size(data: str | bytes) -> int:
    return len(data.encode() if isinstance(data, str) else data)


def _describe(misses: Sequence[Miss]) -> str:
    rest = f" and {len(misses) - 1} more" if len(misses) > 1 else ""
    return f"the recording does not hold {misses[0].request}{rest}"
