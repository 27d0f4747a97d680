"""Stimuli of bots that work in cycles: the request with which each cycle begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from perfscan.replay.exchanges import Exchange, exchanges
from perfscan.replay.items import request_matches
from perfscan.replay.model import (
    CycleEffect,
    CycleStimulus,
    Observation,
    Recording,
)
from perfscan.replay.stimuli.kind import Clock, Stimulus

REFUSED = 400


@dataclass(slots=True)
class Cycle:
    """One round of the bot's work."""

    begun_ns: int
    effects: list[Exchange] = field(default_factory=list)
    """Its answered effects, by the time that they were sent."""

    @property
    def ended_ns(self) -> int | None:
        """When the last of its effects was answered."""
        ends = [call.response.end_ns for call in self.effects if call.response is not None]
        return max(ends, default=None)


class CycleReader:
    """Splits a bot's requests into cycles, one after the other, in order of sending."""

    def __init__(self, begins: CycleStimulus, effect: CycleEffect) -> None:
        self._begins = begins
        self._effect = effect
        self._pause_ns = round(begins.pause_s * 1e9)
        self._quiet_from_ns: int | None = None
        self.cycles: list[Cycle] = []

    def add(self, call: Exchange) -> None:
        """Read one request with its answer."""
        sent_ns = call.request.at_ns
        if _any_matches(self._begins.cycle, call) and self._may_begin(sent_ns):
            self.cycles.append(Cycle(sent_ns))
        if self.cycles and _is_effect(self._effect, call):
            self.cycles[-1].effects.append(call)
        end_ns = sent_ns if call.response is None else call.response.end_ns
        self._quiet_from_ns = max(end_ns, self._quiet_from_ns or end_ns)

    def _may_begin(self, sent_ns: int) -> bool:
        if not self.cycles:
            return True
        if self._pause_ns:
            return sent_ns - (self._quiet_from_ns or 0) >= self._pause_ns
        ended_ns = self.cycles[-1].ended_ns
        return ended_ns is not None and ended_ns <= sent_ns


def cycles_of(calls: Iterable[Exchange], begins: CycleStimulus, effect: CycleEffect) -> list[Cycle]:
    """Split a bot's requests, in order of sending, into cycles."""
    reader = CycleReader(begins, effect)
    for call in calls:
        reader.add(call)
    return reader.cycles


def _is_effect(effect: CycleEffect, call: Exchange) -> bool:
    answered = call.response is not None and call.response.status < REFUSED
    return answered and _any_matches(effect.request, call)


def _any_matches(patterns: Iterable[str], call: Exchange) -> bool:
    return any(request_matches(one, call.request.method, call.url) for one in patterns)


class Cycles:
    """The first request of a cycle begins an item, keyed by the cycle's number from 1.

    The bot itself decides when, so its latency counts from when it began.
    """

    def __init__(self, rule: CycleStimulus, effect: CycleEffect) -> None:
        self._rule = rule
        self._effect = effect
        self.never_began = f"began no cycle ({', '.join(rule.cycle)})"

    def found(self, recording: Recording) -> Sequence[Stimulus]:
        """Return the recorded cycles; ``mark`` is the number."""
        cycles = cycles_of(exchanges(recording), self._rule, self._effect)[: self._rule.cycles]
        return [
            Stimulus(str(number), number, cycle.begun_ns, value=str(number))
            for number, cycle in enumerate(cycles, 1)
        ]

    def starts_ns(self, recording: Recording) -> int:
        """Return when the first cycle began."""
        return next((one.at_ns for one in self.found(recording)), 0)

    def played(self, recording: Recording, observation: Observation) -> Mapping[int, int]:
        """Return when the run began each cycle, or would have at the recorded rate."""
        cycles = cycles_of(exchanges(observation), self._rule, self._effect)
        begun = {number: cycle.begun_ns for number, cycle in enumerate(cycles, 1)}
        starts_ns = self.starts_ns(recording)
        clock = Clock(starts_ns, begun.get(1, 0), observation.speed, observation.until_ns)
        due = clock.times(self.found(recording))
        return {mark: begun.get(mark, at_ns) for mark, at_ns in due.items()}

    def reached(self, recording: Recording, observation: Observation) -> Mapping[int, int]:
        """Return all of them: a cycle is the bot's own doing."""
        return self.played(recording, observation)
