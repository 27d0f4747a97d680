"""What a bot that works in cycles has to ask for in each of them, and the least time for that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from perfscan.replay.exchanges import Exchange
from perfscan.replay.floor.belonging import Asked, asked_of
from perfscan.replay.floor.chains import chained_ns
from perfscan.replay.floor.limits import crowded_s, limited_s
from perfscan.replay.items import any_matches
from perfscan.replay.model import CycleEffect, CycleStimulus, MatchRules, Scenario
from perfscan.replay.stimuli.cycles import CycleStarts


def asked_in_cycles(
    calls: Iterable[Exchange], scenario: Scenario, ends_ns: Mapping[int, int] | None = None
) -> dict[int, list[Exchange]]:
    """Return the different requests of each cycle, of equal ones the quickest; 0 is before all.

    With ``ends_ns`` only those of its cycles, each before it ended. Each cycle asks anew. Only what
    brings the same answer again, where the server's answers do not go by the cycle, could have been
    kept since an earlier one and is left out.
    """
    begins, effect = scenario.items.stimulus, scenario.items.effect
    if not isinstance(begins, CycleStimulus) or not isinstance(effect, CycleEffect):
        raise TypeError("only a cycle has requests of its own")
    starts = CycleStarts(begins, effect, scenario.items.deadline_s)
    found: dict[int, dict[Asked, Exchange]] = defaultdict(dict)
    known: dict[Asked, tuple[int, bytes]] = {}
    for call in calls:
        cycle, asked = starts.add(call), asked_of(call, scenario.match)
        ended = ends_ns is not None and call.request.at_ns >= ends_ns.get(cycle, 0)
        if call.response is None or (ended and cycle):
            continue
        since, body = known.get(asked, (cycle, b""))
        if since < cycle and body == call.response.body and _keeps(call, scenario.match, begins):
            continue
        known[asked] = cycle, call.response.body
        quickest = found[cycle].get(asked)
        if quickest is None or (call.service_ns or 0) < (quickest.service_ns or 0):
            found[cycle][asked] = call
    return {cycle: list(one.values()) for cycle, one in found.items()}


def cycle_ns(calls: Sequence[Exchange], scenario: Scenario) -> int:
    """Return the least time for the different requests of one cycle, ns of the recording."""
    limits = scenario.emulated.limits
    waits_s = max(limited_s(calls, limits), crowded_s(calls, limits))
    return max(chained_ns(calls, scenario.critical_path), round(waits_s * 1e9))


def fits(patterns: Iterable[str], call: Exchange) -> bool:
    """Tell whether a request fits one of ``patterns``."""
    return any_matches(patterns, call.request.method, call.url)


def _keeps(call: Exchange, rules: MatchRules, begins: CycleStimulus) -> bool:
    """Tell whether a bot may keep an answer for later cycles; with some request each must begin."""
    if call.request.method != "GET" or fits(begins.cycle, call):
        return False
    fitting = (mode for one, mode in rules.modes if fits((one,), call))
    return next(fitting, "sequence") != "by-cycle"
