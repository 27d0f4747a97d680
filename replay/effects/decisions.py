"""Decisions of cycles: which cycle each one belongs to, and what is said of those that differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from perfscan.replay.effects.kind import SHOWN, Judgement


@dataclass(slots=True)
class Decisions:
    """What one cycle of a run decided, compared with the same cycle of the recording."""

    made: list[str] = field(default_factory=list)
    """In its own time or late, and beyond what was asked."""
    missing: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    """Made in a later cycle."""
    twice: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)

    def judgement(self) -> Judgement | None:
        """Return what is to be said of the cycle; the worst counts."""
        if self.unasked:
            return Judgement("wrong", f"nothing asked for it: {_quoted(self.unasked)}")
        if self.twice:
            return Judgement("duplicated", f"sent again: {_quoted(self.twice)}")
        if self.missing:
            return Judgement("missed", f"not sent: {_quoted(self.missing)}")
        if self.late:
            return Judgement("late", f"sent in a later cycle: {_quoted(self.late)}")
        return None


def credited(owed: Sequence[Sequence[str]], sent: Sequence[Sequence[str]]) -> list[Decisions]:
    """Return for each cycle of a run what it made of the decisions that it owed.

    A decision counts for its own cycle; else for the first earlier one that still owes it, where it
    is late. What then is left over was sent again, or nothing had asked for it yet.
    """
    found = [Decisions() for _ in range(max(len(owed), len(sent)))]
    owing, making = _by_decision(owed), _by_decision(sent)
    for decision in owing.keys() | making.keys():
        _credit(found, decision, owing[decision], making[decision])
    return found[: len(sent)]


def _credit(
    found: Sequence[Decisions], decision: str, owing: Counter[int], made: Counter[int]
) -> None:
    """Say of one decision in which cycles it was owed and in which it was made."""
    in_time = owing & made
    spare = made - in_time
    for cycle in in_time.elements():
        found[cycle].made.append(decision)
    for cycle in sorted((owing - in_time).elements()):
        later = min((one for one in spare if one > cycle), default=None)
        if later is None:
            found[cycle].missing.append(decision)
        else:
            spare -= Counter([later])
            found[cycle].made.append(decision)
            found[cycle].late.append(decision)
    for cycle in sorted(spare.elements()):
        found[cycle].made.append(decision)
        again = any(one <= cycle for one in owing)
        (found[cycle].twice if again else found[cycle].unasked).append(decision)


def _by_decision(cycles: Sequence[Sequence[str]]) -> defaultdict[str, Counter[int]]:
    """Return for each decision how often it is in each cycle."""
    found: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for cycle, decisions in enumerate(cycles):
        for decision in decisions:
            found[decision][cycle] += 1
    return found


def _quoted(decisions: Sequence[str]) -> str:
    more = f" and {len(decisions) - 1} more" if len(decisions) > 1 else ""
    return f"{min(decisions)[:SHOWN]}{more}"
