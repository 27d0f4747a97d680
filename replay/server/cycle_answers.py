"""The recorded answers to one thing that a bot asks for in each of its cycles."""

from __future__ import annotations

from bisect import bisect_right

from perfscan.replay.server.sequences import AnswerSequence


class CycleAnswers:
    """One sequence for each recorded cycle in which the thing was asked for.

    So what a bot no longer asks for in one cycle does not move the answers of the next. A cycle for
    which nothing is recorded is told what stood at the end of the one before it that has something,
    or of the first. 0 is the number of what was asked before the first cycle.
    """

    __slots__ = ("_cycles", "_numbers")

    def __init__(self) -> None:
        self._cycles: dict[int, AnswerSequence] = {}
        self._numbers: list[int] = []

    def of(self, cycle: int) -> AnswerSequence:
        """Return the sequence of a recorded cycle, to be filled."""
        return self._cycles.setdefault(cycle, AnswerSequence())

    def drop_unanswered(self) -> bool:
        """Forget the requests that were never answered; False where nothing is left."""
        cycles = self._cycles.items()
        self._cycles = {number: one for number, one in cycles if one.drop_unanswered()}
        self._numbers = sorted(self._cycles)
        return bool(self._cycles)

    @property
    def unused(self) -> int:
        """How many answers nobody has asked for yet."""
        return sum(one.unused for one in self._cycles.values())

    def at(self, cycle: int) -> tuple[AnswerSequence, bool]:
        """Return the sequence that counts in a cycle, and whether it is the cycle's own."""
        place = max(0, bisect_right(self._numbers, cycle) - 1)
        number = self._numbers[place]
        return self._cycles[number], number == cycle
