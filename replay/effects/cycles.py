"""Effects of a cycle: everything that it did, ended by the last answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from perfscan.replay.effects.kind import Effect, compared
from perfscan.replay.exchanges import exchanges
from perfscan.replay.items import effect_payload
from perfscan.replay.model import CycleEffect, CycleStimulus, Observation, Recording
from perfscan.replay.stimuli import Stimulus
from perfscan.replay.stimuli.cycles import Cycle, cycles_of


class CycleEnds:
    """The answer to the last effect before the next cycle begins ends the item.

    What the effects of a cycle say is compared in any order, since a faster bot may overlap them.
    """

    strays = False
    repeats = False

    def __init__(self, rule: CycleEffect, begins: CycleStimulus) -> None:
        self._rule = rule
        self._begins = begins

    def done(
        self, recording: Recording, traffic: Recording | Observation, begun: Sequence[Stimulus]
    ) -> dict[str, list[Effect]]:
        """Return the end of each cycle that has one, by its number."""
        cycles = cycles_of(exchanges(traffic), self._begins, self._rule)
        return {
            str(number): [Effect(str(number), cycle.ended_ns, self._values(cycle))]
            for number, cycle in enumerate(cycles, 1)
            if cycle.ended_ns is not None
        }

    def away(
        self, recording: Recording, observation: Observation, due: Mapping[str, int]
    ) -> Collection[str]:
        """Return nothing: services are always there."""
        return ()

    def _values(self, cycle: Cycle) -> str:
        if not self._rule.compare:
            return ""
        said = (
            compared(self._rule.compare, effect_payload(call.request)) for call in cycle.effects
        )
        return json.dumps(sorted(said), ensure_ascii=False)
