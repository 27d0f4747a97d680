"""Lines up what a run sent under one key with what was recorded, where some of it is missing.

By number alone one lost reply would make every later one of its chat the wrong one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from perfscan.replay.effects.kind import Effect, Judgement

MOST_STEPS = 4_000_000
"""Pairs of a recorded and a sent effect that are weighed against each other, for one key; where
there are more, effects are told by their number alone."""

# What each explanation costs; the cheapest counts, of equal ones that with the quickest replies.
_APOLOGY_TOO_MANY = 1
_APOLOGISED = 2
_MISSING = 3
_AGAIN = 3
_WRONG = 4
_STRAY = 4
_EARLY = 5
_OF_ANOTHER = 7
"""More than that one is missing and another was sent again."""

Cost = tuple[int, int]
Step = tuple[int, int]
"""How many recorded and how many sent effects it explains, at most one of each."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A recorded effect and when the run told the bot to do the same."""

    recorded: Effect
    told_ns: int


def line_up(
    slots: Sequence[Slot], sent: Sequence[Effect]
) -> tuple[list[list[Effect]], list[Effect]]:
    """Return what was sent for each slot, in order of sending, and what belongs to none.

    An effect that was sent again stands with the first of its kind; one that overtook another is
    wrong in its own place.
    """
    same = len(slots) == len(sent) and all(map(_equal, slots, sent))
    if same or len(slots) * len(sent) > MOST_STEPS:
        spare = list(sent[len(slots) :])
        return [[one] for one in sent[: len(slots)]] + [[]] * (len(slots) - len(sent)), spare
    placed: list[list[Effect]] = [[] for _ in slots]
    spare = []
    slot = place = 0
    for taken, given in _cheapest(slots, sent):
        if taken and given:
            placed[slot].append(sent[place])
        elif given:
            spare.append(sent[place])
        slot, place = slot + taken, place + given
    return placed, [one for one in spare if not _take_in(one, slots, placed)]


def _take_in(spare: Effect, slots: Sequence[Slot], placed: Sequence[list[Effect]]) -> bool:
    """Put an effect where it belongs though it came out of turn; False where it belongs nowhere."""
    for slot, done in zip(slots, placed, strict=True):
        missing = not done and spare.at_ns >= slot.told_ns
        if missing and spare.judgement is not None:
            done.append(spare)
            return True
        if missing and _equal(slot, spare):
            done.append(replace(spare, judgement=Judgement("wrong", "sent out of its turn")))
            return True
    for slot, done in zip(slots, placed, strict=True):
        if done and _equal(slot, spare) and spare.content == done[0].content:
            done.append(spare)
            done.sort(key=lambda one: one.at_ns)
            return True
    return False


def _cheapest(slots: Sequence[Slot], sent: Sequence[Effect]) -> list[Step]:
    """Return the steps that explain all slots and all that was sent, in order."""
    recorded = {slot.recorded.content for slot in slots}
    extra = [_too_many(one, recorded) for one in sent]
    contents = [one.content for one in sent]
    best: list[Cost] = [(0, 0)]
    for cost in extra:
        best.append((best[-1][0] + cost, 0))
    steps: list[list[Step]] = [[(0, 1)] * len(best)]
    for slot in slots:
        row: list[Cost] = [(best[0][0] + _MISSING, best[0][1])]
        taken: list[Step] = [(1, 0)]
        wanted = slot.recorded.content
        for place, one in enumerate(sent):
            other = _WRONG if extra[place] == _STRAY else _OF_ANOTHER
            cost, late_ns = _together(slot, one, 0 if contents[place] == wanted else other)
            choices = (
                ((best[place][0] + cost, best[place][1] + late_ns), (1, 1)),
                ((best[place + 1][0] + _MISSING, best[place + 1][1]), (1, 0)),
                ((row[place][0] + extra[place], row[place][1]), (0, 1)),
            )
            cheapest, step = min(choices)
            row.append(cheapest)
            taken.append(step)
        best = row
        steps.append(taken)
    return _way_back(steps)


def _way_back(steps: Sequence[Sequence[Step]]) -> list[Step]:
    slot, place = len(steps) - 1, len(steps[0]) - 1
    way: list[Step] = []
    while slot or place:
        step = steps[slot][place]
        way.append(step)
        slot, place = slot - step[0], place - step[1]
    return way[::-1]


def _together(slot: Slot, sent: Effect, unlike: int) -> Cost:
    """Return what it costs to take one for the other; ``unlike`` is 0 where they are equal."""
    late_ns = sent.at_ns - slot.told_ns
    early = _EARLY if late_ns < 0 else 0
    if unlike and sent.judgement is not None:
        unlike = _APOLOGISED
    return early + unlike, abs(late_ns)


def _too_many(sent: Effect, recorded: set[str]) -> int:
    if sent.judgement is not None:
        return _APOLOGY_TOO_MANY
    return _AGAIN if sent.content in recorded else _STRAY


def _equal(slot: Slot, sent: Effect) -> bool:
    return slot.recorded.content == sent.content
