"""What begins an item, one module a kind: pushes, updates, inbound requests, cycles."""

from __future__ import annotations

from perfscan.replay.model import (
    ClientStimulus,
    CycleEffect,
    CycleStimulus,
    InboundStimulus,
    ItemRules,
    PushStimulus,
)
from perfscan.replay.stimuli.cycles import Cycles
from perfscan.replay.stimuli.inbound import ClientMessages, InboundRequests
from perfscan.replay.stimuli.kind import Stimulus, StimulusKind
from perfscan.replay.stimuli.pushes import Pushes
from perfscan.replay.stimuli.updates import Updates

__all__ = ["Stimulus", "StimulusKind", "stimulus_kind"]


def stimulus_kind(rules: ItemRules) -> StimulusKind:
    """Return the kind that finds the stimuli of ``rules``."""
    match rules.stimulus, rules.effect:
        case PushStimulus() as rule, _:
            return Pushes(rule)
        case InboundStimulus() as rule, _:
            return InboundRequests(rule)
        case ClientStimulus() as rule, _:
            return ClientMessages(rule)
        case CycleStimulus() as rule, CycleEffect() as effect:
            return Cycles(rule, effect, rules.deadline_s)
        case CycleStimulus(), _:
            raise TypeError("a cycle ends with a CycleEffect")
        case rule, _:
            return Updates(rule)
