"""Fewer items: some stimuli are left out, with the answers of inbound ones."""

from __future__ import annotations

import random

from perfscan.replay.load.updates import changed
from perfscan.replay.model import Event, ItemRules, Recording, Request, Response, UpdateStimulus
from perfscan.replay.stimuli import stimulus_kind


def thinned(recording: Recording, rules: ItemRules, factor: float, seed: int) -> list[Event]:
    """Return the events of a recording with a share ``factor`` of its items, at least one."""
    found = stimulus_kind(rules).found(recording)
    keys = sorted({one.key for one in found})
    kept = set(random.Random(f"{seed}/thin").sample(keys, max(1, round(factor * len(keys)))))
    gone = {one.mark for one in found if one.key not in kept}
    rule = rules.stimulus
    if isinstance(rule, UpdateStimulus):
        return [
            changed(rule, event, lambda number, update: None if number in gone else update)
            if isinstance(event, Response)
            else event
            for event in recording.events
        ]
    unasked = {
        event.exchange for mark in gone if isinstance(event := recording.events[mark], Request)
    }
    return [
        event
        for index, event in enumerate(recording.events)
        if index not in gone and not (isinstance(event, Response) and event.exchange in unasked)
    ]
