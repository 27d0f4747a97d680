"""What ends an item, one module a kind: requests, answers, messages, ends of cycles."""

from __future__ import annotations

from perfscan.replay.effects.answers import Answers
from perfscan.replay.effects.cycles import CycleEnds
from perfscan.replay.effects.kind import Effect, EffectKind
from perfscan.replay.effects.messages import Messages
from perfscan.replay.effects.requests import Requests
from perfscan.replay.model import (
    AnswerEffect,
    CycleEffect,
    CycleStimulus,
    ItemRules,
    MessageEffect,
)

__all__ = ["Effect", "EffectKind", "effect_kind"]


def effect_kind(rules: ItemRules) -> EffectKind:
    """Return the kind that finds the effects of ``rules``."""
    match rules.effect, rules.stimulus:
        case AnswerEffect() as rule, _:
            return Answers(rule)
        case MessageEffect() as rule, _:
            return Messages(rule)
        case CycleEffect() as rule, CycleStimulus() as begins:
            return CycleEnds(rule, begins, rules.deadline_s)
        case CycleEffect(), _:
            raise TypeError("only a cycle ends with a CycleEffect")
        case rule, _:
            return Requests(rule)
