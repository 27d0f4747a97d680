"""Load: more (or fewer) items in a recording, its shape kept. Pure; what is drawn is seeded.

Above 1, every item is copied: its stimulus, and the recorded exchanges that belong to it by value
flow, with new values in place of its key, of what its answers led on to, and of whatever the
scenario lists under ``load.vary``. A copy comes between its original and the next item, so bursts
stay bursts and pauses pauses. Below 1, items are left out, evenly drawn.

The bot's own WebSocket clients stay as many as were recorded: each is told of more.

Of a bot that works in cycles the things in a cycle are multiplied, not the cycles: identifiers that
match ``load.vary`` are copied in the lists of answers, in requests, and in the environment of the
bots, where wallets or symbols are listed.
"""

from __future__ import annotations

from dataclasses import replace

from perfscan.errors import InputError
from perfscan.replay.amounts import read_factor
from perfscan.replay.load.copies import with_copies
from perfscan.replay.load.thinning import thinned
from perfscan.replay.load.widening import copies_of, widened, widened_environment
from perfscan.replay.model import CycleStimulus, Implementation, Recording, Scenario

__all__ = ["multiply", "parse_factor", "with_load"]


def parse_factor(text: str) -> float:
    """Return the factor that ``10`` or ``10x`` stands for. Raises InputError."""
    try:
        return read_factor(text)
    except ValueError as error:
        raise InputError(
            f"not a load: {text!r}", where="--load", remedy="give a factor such as 10x or 0.5"
        ) from error


def multiply(recording: Recording, scenario: Scenario, factor: float, seed: int) -> Recording:
    """Return ``recording`` with ``factor`` times the items."""
    if factor == 1:
        return recording
    if isinstance(scenario.items.stimulus, CycleStimulus):
        copies = copies_of(recording, scenario, _whole(factor), seed)
        events = widened(recording, scenario.vary, copies)
    elif factor < 1:
        events = thinned(recording, scenario.items, factor, seed)
    else:
        events = with_copies(recording, scenario, factor, seed)
    ordered = tuple(sorted(events, key=lambda event: event.at_ns))
    note = f"load x{factor:g}, seed {seed}"
    header = replace(recording.header, notes=(*recording.header.notes, note))
    return replace(recording, header=header, events=ordered)


def with_load(recording: Recording, scenario: Scenario, factor: float, seed: int) -> Scenario:
    """Return ``scenario`` with more in the environment of bots that work in cycles."""
    if factor == 1 or not isinstance(scenario.items.stimulus, CycleStimulus):
        return scenario
    copies = copies_of(recording, scenario, _whole(factor), seed)

    def widen(side: Implementation) -> Implementation:
        names = {
            name: widened_environment(value, scenario.vary, copies)
            for name, value in side.environment.items()
        }
        return replace(side, environment=names)

    original, optimized = widen(scenario.original), widen(scenario.optimized)
    return replace(scenario, original=original, optimized=optimized)


def _whole(factor: float) -> int:
    if factor != int(factor) or factor < 1:
        raise InputError(
            f"what a cycle deals with cannot be multiplied by {factor:g}",
            where="--load",
            remedy="give a whole number",
        )
    return int(factor)
