"""What all kinds of stimuli have in common: how one is known, and when a run played it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from perfscan.replay.items import without_query
from perfscan.replay.model import Observation, Recording, StreamStart


@dataclass(frozen=True, slots=True)
class Stimulus:
    """A recorded beginning of an item."""

    key: str
    """Of the item."""
    mark: int
    """By which its kind knows it again in a run; two stimuli of one item may differ in it."""
    at_ns: int
    payload: Any = None
    """What it says: text or JSON."""
    value: str = ""
    """What was read from the payload: the key, before it was numbered."""
    heard: bool = True
    """False where the recorded bot could not know of it."""


class StimulusKind(Protocol):
    """One kind of stimulus, by its rule."""

    never_began: str
    """What to say of a bot for which no stimulus was ever due."""

    def found(self, recording: Recording) -> Sequence[Stimulus]:
        """Return the recorded stimuli in time order."""

    def starts_ns(self, recording: Recording) -> int:
        """Return the recorded time from which their times are counted."""

    def played(self, recording: Recording, observation: Observation) -> Mapping[int, int]:
        """Return the marks of the stimuli that a run owed to the bot, each with its run time."""

    def reached(self, recording: Recording, observation: Observation) -> Mapping[int, int]:
        """Return the marks of those of which the bot was told, each with the time of that."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns recorded time into run time."""

    recorded_ns: int
    at_ns: int
    speed: float
    until_ns: int | None

    @classmethod
    def of(cls, observation: Observation, url: str, starts_ns: int) -> Clock:
        """Anchor at the start of a stream; at 0 where it never started."""
        for event in observation.events:
            if isinstance(event, StreamStart) and without_query(event.url) == without_query(url):
                starts_ns, at_ns = event.recorded_ns, event.at_ns
                break
        else:
            at_ns = 0
        return cls(starts_ns, at_ns, observation.speed, observation.until_ns)

    def times(self, stimuli: Iterable[Stimulus]) -> dict[int, int]:
        """Return marks and run times of what is played."""
        return {
            one.mark: self.at_ns + round((one.at_ns - self.recorded_ns) / self.speed)
            for one in stimuli
            if self.until_ns is None or one.at_ns - self.recorded_ns <= self.until_ns
        }
