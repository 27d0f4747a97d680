"""Which side runs when: pairs in A B B A order, one after the other or side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from perfscan.replay.model import Side

SIDES: tuple[Side, Side] = ("original", "optimized")


@dataclass(frozen=True, slots=True)
class Slot:
    """One run to be made."""

    side: Side
    pair: int
    """Number of the pair, or of the round of an ablation."""
    position: int
    """0 starts first in its pair, 1 second."""
    variant: str = ""
    """Which optimisations are on, where an ablation runs; empty for the side as it is."""
    stage: str = ""
    """Name of the other circumstances it is made under; empty for those of the bench itself."""

    @property
    def folder(self) -> str:
        """Name of the folder in which the run leaves its files, no other run's of its stage."""
        return (
            f"variant-{self.pair}-{self.position}" if self.variant else f"{self.side}-{self.pair}"
        )


Turn = tuple[Slot, ...]
"""Runs that go side by side."""
Batch = tuple[Turn, ...]
"""Turns that follow each other and are only worth something together: whole pairs."""


def pair_slots(pair: int) -> tuple[Slot, Slot]:
    """Both runs of a pair. Every other pair turns the order, so that neither side owns a slot.

    On identical code "all before, then all after" called a difference in up to 31 % of trials and
    A B A B in up to 78 % on machines whose second slot is slower; A B B A stayed within 7 %.
    """
    first, second = SIDES if pair % 2 == 0 else reversed(SIDES)
    return Slot(first, pair, 0), Slot(second, pair, 1)


def pair_batches(pairs: Sequence[int], lanes: int, only: Side | None = None) -> tuple[Batch, ...]:
    """Split the runs of ``pairs`` into batches, of both sides or of one alone.

    With one lane a batch is a pair, one run after the other. With more it is ``lanes`` whole pairs
    at once, so that both sides of a pair meet the same machine at the same time.
    """
    return _batches(
        [[slot for slot in pair_slots(pair) if only in (None, slot.side)] for pair in pairs], lanes
    )


def stage_batches(pairs: Sequence[tuple[str, int]], lanes: int) -> tuple[Batch, ...]:
    """Split the runs of ``pairs``, each the name of a stage and a number, into batches.

    Pairs of several stages share a batch, so that no lane stands empty before the last one.
    """
    return _batches(
        [[replace(slot, stage=stage) for slot in pair_slots(pair)] for stage, pair in pairs], lanes
    )


def _batches(slots: Sequence[Sequence[Slot]], lanes: int) -> tuple[Batch, ...]:
    if lanes < 2:
        return tuple(tuple((slot,) for slot in both) for both in slots)
    return tuple(
        (tuple(chain.from_iterable(slots[start : start + lanes])),)
        for start in range(0, len(slots), lanes)
    )


def round_batches(variants: Sequence[str], rounds: int, lanes: int) -> tuple[Batch, ...]:
    """Split the runs of an ablation into rounds, each with every variant of the optimized side.

    Each round begins elsewhere in the list and every other one goes backwards: over two rounds
    each variant has the same mean position, and each two of them have met in both orders.
    """
    if not variants:
        return ()
    step = -(-len(variants) // max(1, -(-rounds // 2)))
    batches = []
    for number in range(rounds):
        shift = number // 2 * step % len(variants)
        order = [*variants[shift:], *variants[:shift]]
        slots = [
            Slot("optimized", number, position, variant)
            for position, variant in enumerate(reversed(order) if number % 2 else order)
        ]
        width = 1 if lanes < 2 else 2 * lanes
        turns = (tuple(slots[start : start + width]) for start in range(0, len(slots), width))
        batches.append(tuple(turns))
    return tuple(batches)
