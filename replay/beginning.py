"""How a bot begins: when it is ready for work, and what it holds by then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perfscan.replay.model import Item, Observation, StreamStart


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of a bot's processes, on the clock of the run."""

    started_ns: int
    resident_mb: Sequence[tuple[int, float]] = ()
    """Times, and the memory then."""


def beginning(
    watched: Watched, observation: Observation, items: Sequence[Item]
) -> dict[str, float]:
    """Return the time from the start to the first poll, subscription or cycle, and the memory then.

    Memory is that when the first item began: with all modules loaded and nothing worked on yet.
    """
    starts = [event.at_ns for event in observation.events if isinstance(event, StreamStart)]
    began_ns = min((item.stimulus_ns for item in items), default=-1)
    ready_ns = min(starts, default=began_ns)
    found: dict[str, float] = {}
    if ready_ns >= watched.started_ns:
        found["ready_s"] = (ready_ns - watched.started_ns) / 1e9
    if began_ns >= watched.started_ns and watched.resident_mb:
        before = [size for at_ns, size in watched.resident_mb if at_ns <= began_ns]
        found["baseline_rss_mb"] = before[-1] if before else watched.resident_mb[0][1]
    return found
