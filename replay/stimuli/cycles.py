"""Stimuli of bots that work in cycles: the request with which each cycle begins."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from perfscan.replay.exchanges import Exchange, exchanges
from perfscan.replay.items import any_matches, request_matches
from perfscan.replay.keys import Key, host_key, things_asked
from perfscan.replay.model import (
    Close,
    CycleEffect,
    CycleStimulus,
    MatchRules,
    Observation,
    Recording,
    Request,
    Served,
)
from perfscan.replay.stimuli.kind import Clock, Stimulus

REFUSED = 400
TAKEN = ("fault", "refused")
"""Outcomes of requests that the recording could have answered."""
Things = tuple[Key, ...]
"""What a request asks for, by which it is known when it is asked again."""


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


class CycleStarts:
    """Tells the number of the cycle that each request belongs to, from 1; 0 before the first.

    It is told of requests as they are sent and as they end: live, by a server that does not know
    yet when; or from a record, where the end, which lies in the future, is told at once. A cycle
    whose beginning was refused or never answered goes on with the next attempt to begin it, and so
    does one of which a fault or a limit took a request that was not asked again with more luck: the
    bot broke it off or got through in part. What it finds then is what it would have found before.

    Where several requests may come first, one that was not asked yet in the cycle that is under way
    still belongs to it, however long the bot was busy with other things.

    No cycle is waited for beyond ``deadline_s``: where faults never end, the next attempt is one.
    Recording and runs must be parted with the same.
    """

    def __init__(
        self,
        begins: CycleStimulus,
        effect: CycleEffect | None = None,
        deadline_s: float = math.inf,
    ) -> None:
        self.number = 0
        self._begun_ns = 0
        self._deadline_ns = deadline_s * 1e9
        self._begins = begins
        self._effects = effect.all_requests if effect else ()
        self._pause_ns = round(begins.pause_s * 1e9)
        self._under_way = 0
        self._effects_under_way = 0
        self._quiet_from_ns = 0
        self._ended_ns: int | None = None
        self._answered = True
        self._failed: set[Things] = set()
        """What a fault or a limit took in this attempt."""
        self._asked: set[str] = set()
        """Which of the requests that may come first were asked in this attempt."""

    def sent(self, method: str, url: str, at_ns: int) -> int:
        """Note a request; returns the number of its cycle."""
        first = {one for one in self._begins.cycle if request_matches(one, method, url)}
        if first and self._may_begin(at_ns, first):
            if not (self._pause_ns and self._goes_on(at_ns)):
                self.number += 1
                self._begun_ns = at_ns
            self._ended_ns = None
            self._answered = False
            self._failed.clear()
            self._asked.clear()
        self._asked |= first
        self._under_way += 1
        self._effects_under_way += any_matches(self._effects, method, url)
        return self.number

    def ended(
        self,
        method: str,
        url: str,
        at_ns: int,
        status: int | None,
        things: Things = (),
        *,
        taken: bool = False,
    ) -> None:
        """Note the end of a request for ``things``; without ``status`` it was never answered.

        ``taken`` are those that a fault or a limit kept from being carried out.
        """
        self._under_way -= 1
        self._quiet_from_ns = max(self._quiet_from_ns, at_ns)
        accepted = status is not None and status < REFUSED
        if taken:
            self._failed.add(things)
        elif accepted:
            self._failed.discard(things)
        if accepted and not self._answered:
            self._answered = any_matches(self._begins.cycle, method, url)
        if any_matches(self._effects, method, url):
            self._effects_under_way -= 1
            if accepted:
                self._ended_ns = max(self._ended_ns or 0, at_ns)

    def add(self, call: Exchange, *, taken: bool = False) -> int:
        """Note a request with its end; returns the number of its cycle."""
        sent, answer = call.request, call.response
        number = self.sent(sent.method, call.url, sent.at_ns)
        ended_ns, status = sent.at_ns, None
        if answer is not None:
            ended_ns, status = answer.end_ns, answer.status
        things = things_of(sent, host_key(call.open))
        self.ended(sent.method, call.url, ended_ns, status, things, taken=taken)
        return number

    def _goes_on(self, sent_ns: int) -> bool:
        if not self.number or sent_ns - self._begun_ns >= self._deadline_ns:
            return False
        return not self._answered or bool(self._failed)

    def _may_begin(self, sent_ns: int, first: Set[str]) -> bool:
        if not self.number:
            return True
        if self._pause_ns:
            asked_again = not self._asked.isdisjoint(first)
            return (
                asked_again
                and not self._under_way
                and sent_ns - self._quiet_from_ns >= self._pause_ns
            )
        ended_ns = None if self._effects_under_way else self._ended_ns
        return ended_ns is not None and ended_ns <= sent_ns


def cycles_of(
    traffic: Recording | Observation,
    begins: CycleStimulus,
    effect: CycleEffect,
    deadline_s: float = math.inf,
) -> list[Cycle]:
    """Split a bot's requests, in order of sending, into cycles."""
    starts, cycles = CycleStarts(begins, effect, deadline_s), list[Cycle]()
    taken = _taken(traffic)
    for call in exchanges(traffic):
        if starts.add(call, taken=call.request.exchange in taken) > len(cycles):
            cycles.append(Cycle(call.request.at_ns))
        if cycles and _is_effect(effect, call):
            cycles[-1].effects.append(call)
    return cycles


def _taken(traffic: Recording | Observation) -> frozenset[int]:
    """Return the requests of a run that faults and limits kept from being carried out.

    A recording has none. One that was under way when its connection was cut has no end at all.
    """
    if isinstance(traffic, Recording):
        return frozenset()
    served = {event.exchange: event for event in traffic.events if isinstance(event, Served)}
    cut = {
        event.connection
        for event in traffic.events
        if isinstance(event, Close) and event.by == "upstream"
    }
    return frozenset(
        call.request.exchange
        for call in exchanges(traffic)
        if (
            end.outcome in TAKEN
            if (end := served.get(call.request.exchange))
            else call.open.connection in cut
        )
    )


def cycle_numbers(
    calls: Iterable[Exchange], begins: CycleStimulus, deadline_s: float = math.inf
) -> dict[int, int]:
    """Return for each exchange the number of its cycle, where a pause parts them."""
    starts = CycleStarts(begins, deadline_s=deadline_s)
    return {call.request.exchange: starts.add(call) for call in calls}


def things_of(sent: Request, host: str) -> Things:
    """Return what a request asks for, whatever time and signature it carries."""
    return things_asked(sent, host, MatchRules())


def _is_effect(effect: CycleEffect, call: Exchange) -> bool:
    answered = call.response is not None and call.response.status < REFUSED
    return answered and any_matches(effect.all_requests, call.request.method, call.url)


class Cycles:
    """The first request of a cycle begins an item, keyed by the cycle's number from 1.

    The bot itself decides when, so its latency counts from when it began.
    """

    def __init__(self, rule: CycleStimulus, effect: CycleEffect, deadline_s: float) -> None:
        self._rule = rule
        self._effect = effect
        self._deadline_s = deadline_s
        self.never_began = f"began no cycle ({', '.join(rule.cycle)})"

    def found(self, recording: Recording) -> Sequence[Stimulus]:
        """Return the recorded cycles; ``mark`` is the number."""
        cycles = self._cycles(recording)[: self._rule.cycles]
        return [
            Stimulus(str(number), number, cycle.begun_ns, value=str(number))
            for number, cycle in enumerate(cycles, 1)
        ]

    def starts_ns(self, recording: Recording) -> int:
        """Return when the first cycle began."""
        return next((one.at_ns for one in self.found(recording)), 0)

    def played(self, recording: Recording, observation: Observation) -> Mapping[int, int]:
        """Return when the run began each cycle, or would have at the recorded rate."""
        cycles = self._cycles(observation)
        begun = {number: cycle.begun_ns for number, cycle in enumerate(cycles, 1)}
        starts_ns = self.starts_ns(recording)
        clock = Clock(starts_ns, begun.get(1, 0), observation.speed, observation.until_ns)
        due = clock.times(self.found(recording))
        return {mark: begun.get(mark, at_ns) for mark, at_ns in due.items()}

    def reached(self, recording: Recording, observation: Observation) -> Mapping[int, int]:
        """Return all of them: a cycle is the bot's own doing."""
        return self.played(recording, observation)

    def owed(self, recording: Recording, observation: Observation) -> Observation:
        """Return a run without the cycle in which it was stopped, which nobody asked for."""
        surplus = self._cycles(observation)[len(self.found(recording)) :]
        if not surplus:
            return observation
        until_ns = surplus[0].begun_ns
        kept = tuple(event for event in observation.events if event.at_ns < until_ns)
        return replace(observation, events=kept)

    def _cycles(self, traffic: Recording | Observation) -> list[Cycle]:
        return cycles_of(traffic, self._rule, self._effect, self._deadline_s)
