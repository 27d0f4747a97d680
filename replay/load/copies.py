"""Copies of items: each with its stimulus, its exchanges, and values of its own."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from perfscan.replay.exchanges import exchanges
from perfscan.replay.floor.belonging import Call, all_belonging, rare, read_calls
from perfscan.replay.load.updates import numbered_anew, only_update
from perfscan.replay.load.values import Exchanging, Stand, matches, texts
from perfscan.replay.model import (
    Event,
    Message,
    MessageEffect,
    Open,
    Recording,
    Request,
    Response,
    Scenario,
    UpdateStimulus,
)
from perfscan.replay.stimuli import Stimulus, stimulus_kind
from perfscan.replay.work import effects, stimuli

WITHOUT_EFFECT_NS = 10_000_000_000
"""What belongs to a stimulus that had no effect is looked for in this time after it."""


@dataclass(frozen=True, slots=True)
class Group:
    """A recorded item and all events that are its own."""

    stimulus: Stimulus
    events: tuple[Event, ...]
    values: frozenset[str]
    """What must be new in a copy."""


def with_copies(recording: Recording, scenario: Scenario, factor: float, seed: int) -> list[Event]:
    """Return the events of a recording with ``factor`` times its items."""
    groups = list(_groups(recording, scenario))
    rule = scenario.items.stimulus
    known = frozenset[str]().union(*(group.values for group in groups))
    copies = _Copies(recording, Stand(seed, known))
    found = list(recording.events)
    draw = random.Random(f"{seed}/copies")
    times = [group.stimulus.at_ns for group in groups]
    for place, group in enumerate(groups):
        wanted = int(factor) - 1 + (draw.random() < factor % 1)
        for copy in range(1, wanted + 1):
            found += copies.of(group, copy, _delay(times, place, draw))
    return numbered_anew(found, rule) if isinstance(rule, UpdateStimulus) else found


def _delay(times: Sequence[int], place: int, draw: random.Random) -> int:
    """Return how much later a copy begins: before the next item, of the last one earlier."""
    if place + 1 < len(times):
        return round(draw.random() * (times[place + 1] - times[place]))
    gaps = [after - before for before, after in pairwise(times)]
    return -round(draw.random() * median(gaps)) if gaps else 0


# --- What belongs to an item ----------------------------------------------------------------------


def _groups(recording: Recording, scenario: Scenario) -> Iterator[Group]:
    ends = _ends(recording, scenario)
    found = stimulus_kind(scenario.items).found(recording)
    calls = [call for call in exchanges(recording) if not call.is_websocket]
    if isinstance(scenario.items.stimulus, UpdateStimulus):
        polled = {one.mark for one in found}
        calls = [
            call for call in calls if not _hands(scenario.items.stimulus, call.response, polled)
        ]
    flow = rare(read_calls(calls, scenario.match), [one.value for one in found])
    inbound = {call.request.exchange: call.response for call in exchanges(recording, inbound=True)}
    for one in found:
        end_ns = ends.get(one.mark, one.at_ns + WITHOUT_EFFECT_NS)
        mine = all_belonging(one.value, one.at_ns, end_ns + 1, flow)
        events = [event for call in mine for event in _events(call)]
        events += _stimulus_events(recording, scenario, one, inbound)
        events += _told(recording, scenario, one, end_ns)
        said = [text for event in events for text in texts(event)]
        values = {one.value} | _led_on(mine) | matches(scenario.vary, said)
        yield Group(one, tuple(events), frozenset(values))


def _ends(recording: Recording, scenario: Scenario) -> Mapping[int, int]:
    """Return when each stimulus had its last effect, by mark."""
    done = effects(recording, scenario.items)
    ends: dict[int, int] = {}
    for key, stimulus in stimuli(recording, scenario.items).items():
        if key in done:
            end_ns = done[key][0].at_ns
            ends[stimulus.mark] = max(end_ns, ends.get(stimulus.mark, end_ns))
    return ends


def _hands(rule: UpdateStimulus, response: Response | None, polled: Iterable[int]) -> bool:
    return response is not None and only_update(rule, response, polled) is not None


def _events(call: Call) -> list[Event]:
    exchange = call.exchange
    return [exchange.request, *([exchange.response] if exchange.response else [])]


def _stimulus_events(
    recording: Recording,
    scenario: Scenario,
    stimulus: Stimulus,
    inbound: Mapping[int, Response | None],
) -> list[Event]:
    rule = scenario.items.stimulus
    if isinstance(rule, UpdateStimulus):
        for call in exchanges(recording):
            answer = call.response
            if answer and (alone := only_update(rule, answer, [stimulus.mark])) is not None:
                return [replace(call.request, at_ns=answer.at_ns - 1), alone]
        return []
    event = recording.events[stimulus.mark]
    if isinstance(event, Request):
        answer = inbound.get(event.exchange)
        return [event, answer] if answer else [event]
    return [event]


def _told(
    recording: Recording, scenario: Scenario, stimulus: Stimulus, end_ns: int
) -> list[Message]:
    """Return the messages to the bot's own clients that hold the item's key."""
    if not isinstance(scenario.items.effect, MessageEffect):
        return []
    opened = {one.connection for one in recording.events if isinstance(one, Open) and one.inbound}
    return [
        event
        for event in recording.events
        if isinstance(event, Message)
        and event.connection in opened
        and event.direction == "sent"
        and stimulus.at_ns <= event.at_ns <= end_ns
        and stimulus.value in texts(event)[0]
    ]


def _led_on(calls: Sequence[Call]) -> set[str]:
    """Return the values that one answer of an item brought and a later request of it sent."""
    brought: set[bytes] = set()
    used: set[bytes] = set()
    for call in calls:
        used |= brought & call.sent
        brought |= call.received
    return {value.decode() for value in used}


# --- Copying --------------------------------------------------------------------------------------


class _Copies:
    """Copies events under numbers and values that the recording does not hold."""

    def __init__(self, recording: Recording, stand: Stand) -> None:
        self._opens = {one.connection: one for one in recording.events if isinstance(one, Open)}
        numbers = [one.exchange for one in recording.events if isinstance(one, Request)]
        self._exchanges = max(numbers, default=0)
        self._connections = max(self._opens, default=0)
        self._lines: dict[tuple[int, int], int] = {}
        self._stand = stand

    def of(self, group: Group, copy: int, delay_ns: int) -> Iterator[Event]:
        """Yield the events of one copy."""
        new = Exchanging({value: self._stand.value(value, copy) for value in group.values})
        exchange_of: dict[int, int] = {}
        for event in group.events:
            if isinstance(event, Message):
                data = new.text(event.data) if isinstance(event.data, str) else event.data
                yield replace(event, at_ns=event.at_ns + delay_ns, data=data, frames=())
            elif isinstance(event, Request):
                self._exchanges += 1
                exchange_of[event.exchange] = self._exchanges
                line, opened = self._line(event.connection, copy)
                yield from opened
                yield replace(
                    event,
                    exchange=self._exchanges,
                    connection=line,
                    at_ns=event.at_ns + delay_ns,
                    target=new.text(event.target),
                    body=new.data(event.body),
                )
            elif isinstance(event, Response):
                line, _ = self._line(event.connection, copy)
                yield replace(
                    event,
                    exchange=exchange_of[event.exchange],
                    connection=line,
                    at_ns=event.at_ns + delay_ns,
                    end_ns=event.end_ns + delay_ns,
                    body=(body := new.data(event.body)),
                    pieces=event.pieces if len(body) == len(event.body) else (),
                )

    def _line(self, connection: int, copy: int) -> tuple[int, list[Event]]:
        """Return the connection of a copy, and its opening where it is new."""
        place = (connection, copy)
        if place in self._lines:
            return self._lines[place], []
        self._connections += 1
        self._lines[place] = self._connections
        opened = self._opens.get(connection)
        return self._connections, [replace(opened, connection=self._connections)] if opened else []
