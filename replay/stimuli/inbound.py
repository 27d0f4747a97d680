"""Stimuli that come to the bot: requests of its users, and messages of its WebSocket clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfscan.replay.exchanges import exchanges, websockets
from perfscan.replay.items import (
    effect_payload,
    holds,
    inbound_matches,
    read_key,
    text_of,
    without_query,
)
from perfscan.replay.model import (
    ClientStimulus,
    Driven,
    InboundStimulus,
    Observation,
    Open,
    Recording,
    Request,
)
from perfscan.replay.stimuli.kind import Clock, Stimulus

URL = "inbound"
"""Under which the beginning of the inbound traffic stands in an observation."""


def inbound_starts_ns(recording: Recording) -> int:
    """Return when the recorded bot was first connected to."""
    opens = (event for event in recording.events if isinstance(event, Open) and event.inbound)
    return min((opened.at_ns for opened in opens), default=0)


def clients(recording: Recording, path: str) -> dict[int, int]:
    """Return a number from 1 for each recorded client of the bot's WebSocket, by connection."""
    sessions = (
        session
        for session in websockets(recording, inbound=True)
        if without_query(f"http://bot{session.request.target}")
        == without_query(f"http://bot{path}")
    )
    return {session.open.connection: number for number, session in enumerate(sessions, 1)}


def for_client(key: str, number: int) -> str:
    """Return the key of an item that concerns one client alone."""
    return f"{key} (client {number})"


class _Inbound:
    """What the inbound driver sends. It never waits, so all of it reaches the bot."""

    never_began = "did not accept a connection from its users"

    def found(self, recording: Recording) -> Sequence[Stimulus]:
        raise NotImplementedError

    def starts_ns(self, recording: Recording) -> int:
        """Return when the recorded bot was first connected to."""
        return inbound_starts_ns(recording)

    def played(self, recording: Recording, observation: Observation) -> Mapping[int, int]:
        """Place them on the driver's clock."""
        return Clock.of(observation, URL, self.starts_ns(recording)).times(self.found(recording))

    def reached(self, recording: Recording, observation: Observation) -> Mapping[int, int]:
        """Return what was sent."""
        events = observation.events
        return {event.event: event.at_ns for event in events if isinstance(event, Driven)}


class InboundRequests(_Inbound):
    """Requests to the bot begin items; ``mark`` is the index of the recorded event."""

    def __init__(self, rule: InboundStimulus) -> None:
        self._rule = rule

    def found(self, recording: Recording) -> Sequence[Stimulus]:
        """Return the recorded requests that fit."""
        indexes = {
            event.exchange: index
            for index, event in enumerate(recording.events)
            if isinstance(event, Request)
        }
        found: list[Stimulus] = []
        for call in exchanges(recording, inbound=True):
            request = call.request
            if call.is_websocket or not self._fits(request):
                continue
            key = self._key(request, len(found) + 1)
            if key is not None:
                payload = effect_payload(request)
                mark = indexes[request.exchange]
                found.append(Stimulus(key, mark, request.at_ns, payload, key))
        return found

    def _fits(self, request: Request) -> bool:
        text = f"{request.target}\n{text_of(request.body)}"
        return inbound_matches(self._rule.inbound, request.method, request.target) and holds(
            self._rule.containing, text
        )

    def _key(self, request: Request, number: int) -> str | None:
        if self._rule.key is None:
            return f"{request.method} {without_query(f'http://bot{request.target}')[10:]} #{number}"
        return read_key(self._rule.key, effect_payload(request))


class ClientMessages(_Inbound):
    """Messages of the bot's clients begin items; ``mark`` is the index of the recorded event."""

    def __init__(self, rule: ClientStimulus) -> None:
        self._rule = rule

    def found(self, recording: Recording) -> Sequence[Stimulus]:
        """Return the recorded messages that fit."""
        numbers = clients(recording, self._rule.client)
        found = []
        for session in websockets(recording, inbound=True):
            number = numbers.get(session.open.connection)
            for message, index in zip(session.messages, session.indexes, strict=True):
                text = text_of(message.data)
                fits = message.direction == "received" and holds(self._rule.containing, text)
                value = read_key(self._rule.key, text) if number and fits else None
                if number and value is not None:
                    key = for_client(value, number)
                    found.append(Stimulus(key, index, message.at_ns, text, value))
        return sorted(found, key=lambda one: one.at_ns)
