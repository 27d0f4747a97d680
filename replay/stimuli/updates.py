"""Stimuli that wait to be fetched: updates, handed to the bot's long polls."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from perfscan.replay.exchanges import Exchange, exchanges
from perfscan.replay.items import holds, read_key, request_matches, values_at
from perfscan.replay.json_text import json_of
from perfscan.replay.model import Handed, Observation, Recording, UpdateStimulus
from perfscan.replay.stimuli.kind import Clock, Stimulus


def polls(rule: UpdateStimulus, recording: Recording) -> list[Exchange]:
    """Return the recorded long polls, by the time that they were sent."""
    return [
        call
        for call in exchanges(recording)
        if request_matches(rule.poll, call.request.method, call.url)
    ]


def updates_in(rule: UpdateStimulus, body: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and content of the updates in the answer to a long poll."""
    batch = values_at(rule.updates, json_of(body))
    for update in batch[0] if batch and isinstance(batch[0], list) else ():
        number = values_at(rule.id, update)
        if number and isinstance(number[0], int):
            yield number[0], update


class Updates:
    """Updates begin items, from when they became available, whether the bot asked or not."""

    def __init__(self, rule: UpdateStimulus) -> None:
        self._rule = rule
        self.never_began = f"did not ask for updates ({rule.poll})"

    def found(self, recording: Recording) -> Sequence[Stimulus]:
        """Return each recorded update once; ``mark`` is its number."""
        found: dict[int, Stimulus] = {}
        for call in polls(self._rule, recording):
            if call.response is None:
                continue
            for number, update in updates_in(self._rule, call.response.body):
                key = read_key(self._rule.key, update)
                text = json.dumps(update, ensure_ascii=False)
                if key is not None and number not in found and holds(self._rule.containing, text):
                    found[number] = Stimulus(key, number, call.response.at_ns, update, key)
        return sorted(found.values(), key=lambda one: (one.at_ns, one.mark))

    def starts_ns(self, recording: Recording) -> int:
        """Return when the recorded bot first asked."""
        return min((call.request.at_ns for call in polls(self._rule, recording)), default=0)

    def played(self, recording: Recording, observation: Observation) -> Mapping[int, int]:
        """Place them on the clock that the first poll starts."""
        clock = Clock.of(observation, self._rule.poll.partition(" ")[2], self.starts_ns(recording))
        return clock.times(self.found(recording))

    def reached(self, recording: Recording, observation: Observation) -> Mapping[int, int]:
        """Return what was handed over; what is not confirmed is handed over again."""
        reached: dict[int, int] = {}
        for event in observation.events:
            if isinstance(event, Handed):
                reached.setdefault(event.update, event.at_ns)
        return reached
