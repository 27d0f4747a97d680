"""The least latency that each item could have: what it had to wait for, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from perfscan.replay.effects import Effect
from perfscan.replay.exchanges import Exchange, exchanges
from perfscan.replay.floor.belonging import Asked, asked_of, belonging, rare, read_calls
from perfscan.replay.floor.cycles import asked_in_cycles, cycle_ns, fits
from perfscan.replay.floor.waits import Waits
from perfscan.replay.model import CycleEffect, MatchRules, Recording, Scenario
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
    done = {key: found[0] for key, found in effects(recording, scenario.items).items()}
    begun = owed(stimuli(recording, scenario.items), done, until_s)
    calls = [call for call in exchanges(recording) if not call.is_websocket]
    if scenario.critical_path and isinstance(scenario.items.effect, CycleEffect):
        times = _of_cycles(calls, scenario, begun, done)
    elif scenario.critical_path:
        times = _declared(calls, scenario, begun, done)
    else:
        times = _inferred(recording, calls, scenario, begun, done)
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


# --- Declared: the scenario says which requests wait for each other -------------------------------


def _declared(
    calls: Sequence[Exchange],
    scenario: Scenario,
    begun: Mapping[str, Stimulus],
    done: Mapping[str, Effect],
) -> dict[str, int]:
    read = rare(read_calls(calls, scenario.match), [one.value for one in begun.values()])
    times = {}
    cached: set[Asked] = set()
    for key, stimulus in begun.items():
        needed = belonging(stimulus.value, stimulus.at_ns, done[key].at_ns, read)
        fresh = [call for asked, call in needed.items() if asked not in cached]
        times[key] = _stages_ns(fresh, scenario.critical_path)
        cached |= needed.keys()
    return times


def _stages_ns(calls: Sequence[Exchange], path: Sequence[Collection[str]]) -> int:
    """Add up the slowest request of each stage; a stage without requests costs nothing."""
    return sum(
        max((call.service_ns or 0 for call in calls if fits(stage, call)), default=0)
        for stage in path
    )


def _of_cycles(
    calls: Sequence[Exchange],
    scenario: Scenario,
    begun: Mapping[str, Stimulus],
    done: Mapping[str, Effect],
) -> dict[str, int]:
    """Cycles are keyed by their number."""
    asked = asked_in_cycles(calls, scenario, {int(key): done[key].at_ns for key in begun})
    return {key: cycle_ns(asked.get(int(key), ()), scenario) for key in begun}


# --- Inferred: the values say it ------------------------------------------------------------------


def _inferred(
    recording: Recording,
    calls: Sequence[Exchange],
    scenario: Scenario,
    begun: Mapping[str, Stimulus],
    done: Mapping[str, Effect],
) -> dict[str, int]:
    """Trace each effect back; empty where no value proves any wait: that is no floor of zero."""
    waits, rule = Waits(recording), scenario.items.effect
    known_ns = _first_answers(calls, scenario.match)
    times = {}
    for key, stimulus in begun.items():
        begin_ns, effect = stimulus.at_ns, done[key]
        if isinstance(rule, CycleEffect):
            ends = [
                call
                for call in calls
                if begin_ns <= call.request.at_ns < effect.at_ns and fits(rule.all_requests, call)
            ]
            times[key] = max((waits.done_ns(call, begin_ns) for call in ends), default=0)
        else:
            is_free = _known_before(begin_ns, known_ns)
            text = effect.values.encode()
            times[key] = waits.ready_ns(text, effect.at_ns, begin_ns, is_free)
    return times if any(times.values()) else {}


def _known_before(begin_ns: int, known_ns: Mapping[int, int]) -> Callable[[Exchange], bool]:
    return lambda call: known_ns[call.request.exchange] <= begin_ns


def _first_answers(calls: Iterable[Exchange], rules: MatchRules) -> dict[int, int]:
    """Return per exchange when the same thing was first answered."""
    firsts: dict[Asked, int] = {}
    found = {}
    for call in sorted(calls, key=lambda call: call.response.end_ns if call.response else 1 << 63):
        asked = asked_of(call, rules)
        if call.response is not None:
            firsts.setdefault(asked, call.response.end_ns)
        found[call.request.exchange] = firsts.get(asked, 1 << 63)
    return found
