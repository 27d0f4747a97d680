"""Effects of a cycle: everything that it did, ended by the last answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence

from perfscan.replay.effects.decisions import Decisions, credited
from perfscan.replay.effects.kind import Effect, compared
from perfscan.replay.items import any_matches, effect_payload
from perfscan.replay.model import CycleEffect, CycleStimulus, Observation, Recording
from perfscan.replay.stimuli import Stimulus
from perfscan.replay.stimuli.cycles import Cycle, cycles_of


class CycleEnds:
    """The answer to the last effect before the next cycle begins ends the item.

    What the effects of a cycle say is compared in any order, since a faster bot may overlap them.
    Where the decisions among them are named, each is compared by itself: a cycle in which one is
    missing is missed, and one that comes a cycle later is late. What is sent in a cycle in which
    the recorded bot sent nothing is wrong.
    """

    strays = False
    repeats = False

    def __init__(self, rule: CycleEffect, begins: CycleStimulus, deadline_s: float) -> None:
        self._rule = rule
        self._begins = begins
        self._deadline_s = deadline_s

    def done(
        self, recording: Recording, traffic: Recording | Observation, begun: Sequence[Stimulus]
    ) -> dict[str, list[Effect]]:
        """Return the end of each cycle that has one, by its number."""
        recorded, cycles = self._cycles(recording), self._cycles(traffic)
        owed, sent = ([list(self._said(one)) for one in each] for each in (recorded, cycles))
        if self._rule.compare_in:
            found = credited(owed, sent)
        else:
            idle = _idle(recorded)
            found = [
                Decisions(said, unasked=said if place in idle else [])
                for place, said in enumerate(sent)
            ]
        return {
            str(number): [
                Effect(str(number), cycle.ended_ns, _values(decisions), decisions.judgement())
            ]
            for number, (cycle, decisions) in enumerate(zip(cycles, found, strict=True), 1)
            if cycle.ended_ns is not None and number - 1 != _broken_off(recorded)
        }

    def away(
        self, recording: Recording, observation: Observation, due: Mapping[str, int]
    ) -> Collection[str]:
        """Return nothing: services are always there."""
        return ()

    def _cycles(self, traffic: Recording | Observation) -> list[Cycle]:
        return cycles_of(traffic, self._begins, self._rule, self._deadline_s)

    def _said(self, cycle: Cycle) -> Iterator[str]:
        """Yield what is compared of each effect of a cycle."""
        rule = self._rule
        if not (rule.compare or rule.compare_in):
            return
        for call in cycle.effects:
            sent = call.request
            if not rule.compare_in or any_matches(rule.compare_in, sent.method, call.url):
                yield compared(rule.compare, effect_payload(sent))


def _idle(recorded: Sequence[Cycle]) -> frozenset[int]:
    """Return the places of the cycles in which the recorded bot sent nothing that ends one."""
    return frozenset(place for place, one in enumerate(recorded) if one.ended_ns is None)


def _broken_off(recorded: Sequence[Cycle]) -> int | None:
    """Return the place of a last cycle that may have gone on when the recording ended."""
    return len(recorded) - 1 if recorded and recorded[-1].ended_ns is None else None


def _values(decisions: Decisions) -> str:
    return json.dumps(sorted(decisions.made), ensure_ascii=False) if decisions.made else ""
