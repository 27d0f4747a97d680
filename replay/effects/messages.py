"""Effects that are messages to the clients of the bot's own WebSocket."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from perfscan.replay.effects.kind import Effect, compared
from perfscan.replay.exchanges import exchanges, websockets
from perfscan.replay.items import read_key, text_of, values_at
from perfscan.replay.json_text import json_of
from perfscan.replay.model import DRIVEN, Close, MessageEffect, Observation, Recording
from perfscan.replay.stimuli import Stimulus
from perfscan.replay.stimuli.inbound import clients, for_client


class Messages:
    """A message to one client ends one item: a push to fifty clients is fifty items.

    So its latency is what each client saw, and one that is left out is one item missed. A dashboard
    may send more than is asked for.
    """

    strays = False

    def __init__(self, rule: MessageEffect) -> None:
        self._rule = rule
        self.repeats = rule.repeats

    def done(
        self, recording: Recording, traffic: Recording | Observation, begun: Sequence[Stimulus]
    ) -> dict[str, list[Effect]]:
        """Return what each recorded client got, by key."""
        numbers = clients(recording, self._rule.message)
        found: dict[str, list[Effect]] = defaultdict(list)
        parts: dict[str | bytes, list[tuple[str, str]]] = {}  # the same goes to many clients
        for session in websockets(traffic, inbound=True):
            number = numbers.get(session.open.connection % DRIVEN)
            for message in session.messages if number else ():
                if message.direction == "sent":
                    if message.data not in parts:
                        parts[message.data] = list(self._parts(message.data))
                    for value, values in parts[message.data]:
                        key = for_client(value, number or 0)
                        found[key].append(Effect(key, message.at_ns, values))
        return dict(found)

    def away(
        self, recording: Recording, observation: Observation, due: Mapping[str, int]
    ) -> Collection[str]:
        """Return the keys whose client was not connected yet, or had left by itself.

        A client that the bot turned away, or cut off, was there: that it hears nothing is a miss.
        """
        numbers = clients(recording, self._rule.message)
        left = {
            event.connection: event.at_ns
            for event in observation.events
            if isinstance(event, Close) and event.by == "upstream"
        }
        there = {
            for_client("", numbers[line % DRIVEN]): (call.response.at_ns, left.get(line))
            for call in exchanges(observation, inbound=True)
            if (line := call.open.connection) % DRIVEN in numbers and call.response is not None
        }
        away = set()
        for key, due_ns in due.items():
            from_ns, until_ns = there.get(key[key.rfind(" (client ") :], (due_ns + 1, None))
            if due_ns < from_ns or (until_ns is not None and until_ns < due_ns):
                away.add(key)
        return away

    def _parts(self, data: str | bytes) -> Iterator[tuple[str, str]]:
        """Yield key and content of each part of a message."""
        text = text_of(data)
        parts: list[Any] = [text]
        if self._rule.each is not None:
            parts = values_at(self._rule.each, json_of(text))
        for part in parts:
            key = read_key(self._rule.key, part)
            if key is not None:
                payload = json_of(part) if isinstance(part, str) else part
                yield key, compared(self._rule.compare, part if payload is None else payload)
