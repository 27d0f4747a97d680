"""The least latency that each item could have: what it had to wait for, one after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from perfscan.replay.effects import Effect
from perfscan.replay.exchanges import Exchange, exchanges
from perfscan.replay.floor.flow import Asked, Call, Waits, belonging, rare, read_calls
from perfscan.replay.items import request_matches
from perfscan.replay.model import CycleEffect, Recording, Scenario
from perfscan.replay.stimuli import Stimulus
from perfscan.replay.work import effects, stimuli


def item_floors(
    recording: Recording, scenario: Scenario, *, speed: float = 1.0, until_s: float | None = None
) -> dict[str, float]:
    """Return the least latency of each item, ms, by key.

    ``speed`` divides recorded times; items that begin after ``until_s`` seconds are left out. Empty
    where the recording holds no delays, or no critical path is declared and none can be inferred.
    """
    if recording.header.latency != "recorded":
        return {}
    inferred = not scenario.critical_path
    done = effects(recording, scenario.items)
    begun = owed(stimuli(recording, scenario.items), done, until_s)
    own = [call for call in exchanges(recording) if not call.is_websocket]
    calls = rare(
        read_calls(own, scenario.match, news=inferred), [one.value for one in begun.values()]
    )
    times: dict[str, int] = {}
    cached: set[Asked] = set()
    for key, stimulus in begun.items():
        effect = done[key][0]
        needed = _needed(scenario, stimulus, effect, calls)
        if inferred:
            times[key] = _inferred_ns(needed, effect, scenario, cached)
        else:
            fresh = [call.exchange for asked, call in needed.items() if asked not in cached]
            times[key] = _declared_ns(fresh, scenario.critical_path)
        cached |= needed.keys()
    if inferred and not any(times.values()):
        return {}  # no value proves that anything waits: that is not a floor of zero
    return {key: time_ns / 1e6 / speed for key, time_ns in times.items()}


def owed(
    begun: Mapping[str, Stimulus], done: Collection[str], until_s: float | None
) -> dict[str, Stimulus]:
    """Return the stimuli that have an effect, up to a time from the first stimulus."""
    first_ns = min((one.at_ns for one in begun.values()), default=0)
    return {
        key: one
        for key, one in begun.items()
        if key in done and (until_s is None or one.at_ns - first_ns <= until_s * 1e9)
    }


def _needed(
    scenario: Scenario, stimulus: Stimulus, effect: Effect, calls: Sequence[Call]
) -> dict[Asked, Call]:
    """Return the requests of one item; all that a cycle asked for belongs to it."""
    begin_ns, end_ns = stimulus.at_ns, effect.at_ns
    if isinstance(scenario.items.effect, CycleEffect):
        return {
            call.asked: call for call in calls if begin_ns <= call.exchange.request.at_ns < end_ns
        }
    return belonging(stimulus.value, begin_ns, end_ns, calls)


def _inferred_ns(
    needed: Mapping[Asked, Call], effect: Effect, scenario: Scenario, cached: Collection[Asked]
) -> int:
    """Return when the effect could be sent; a cycle ends with the last answer to its effects."""
    rule = scenario.items.effect
    if not isinstance(rule, CycleEffect):
        return Waits([*needed.values()], cached).ready_ns(effect.values.encode(), effect.at_ns)
    ends = {
        asked
        for asked, call in needed.items()
        if any(
            request_matches(one, call.exchange.request.method, call.exchange.url)
            for one in rule.request
        )
    }
    # What a cycle does must be done in each, so that nothing of it was known before.
    finished = Waits([*needed.values()], ()).finished
    return max((finished[asked] for asked in ends), default=0)


def _declared_ns(calls: Iterable[Exchange], path: Sequence[Sequence[str]]) -> int:
    """Add up the slowest request of each stage; a stage without requests costs nothing."""
    fresh = list(calls)
    total_ns = 0
    for stage in path:
        times = [
            call.service_ns
            for call in fresh
            if call.service_ns is not None
            and any(request_matches(one, call.request.method, call.url) for one in stage)
        ]
        total_ns += max(times, default=0)
    return total_ns
