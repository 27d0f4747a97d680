"""Stimuli that are pushed: messages of a service's WebSocket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfscan.replay.exchanges import WebSocketSession, websockets
from perfscan.replay.items import holds, read_key, text_of, without_query
from perfscan.replay.model import Close, Message, Observation, Pushed, PushStimulus, Recording
from perfscan.replay.stimuli.kind import Clock, Stimulus

LISTENED_NS = 1_000_000_000
"""A message pushed this shortly before the bot closed the connection may never have been read:
a client that closes drops what it has not taken from its buffers yet."""


def push_key(rule: PushStimulus, message: Message) -> str | None:
    """Return the key of the item that ``message`` begins; its URL is the caller's to compare."""
    if message.direction != "received":
        return None
    text = text_of(message.data)
    return read_key(rule.key, text) if holds(rule.containing, text) else None


class Pushes:
    """Pushed messages begin items. A live stream does not wait for a bot that is away."""

    def __init__(self, rule: PushStimulus) -> None:
        self._rule = rule
        self.never_began = "did not subscribe to the recorded stream"

    def found(self, recording: Recording) -> Sequence[Stimulus]:
        """Return every recorded copy of them; ``mark`` is the index of the event."""
        found = []
        for session in self._sessions(recording):
            for message, index in zip(session.messages, session.indexes, strict=True):
                key = push_key(self._rule, message)
                if key is not None:
                    text = text_of(message.data)
                    found.append(Stimulus(key, index, message.at_ns, text, key, message.heard))
        return sorted(found, key=lambda one: one.at_ns)

    def starts_ns(self, recording: Recording) -> int:
        """Return when the recorded bot first had the stream open."""
        return min((one.response.at_ns for one in self._sessions(recording)), default=0)

    def played(self, recording: Recording, observation: Observation) -> Mapping[int, int]:
        """Place them on the stream's clock."""
        clock = Clock.of(observation, self._rule.websocket, self.starts_ns(recording))
        return clock.times(self.found(recording))

    def reached(self, recording: Recording, observation: Observation) -> Mapping[int, int]:
        """Return what was pushed to the bot while it went on listening."""
        events = observation.events
        closed = {event.connection: event.at_ns for event in events if isinstance(event, Close)}
        reached: dict[int, int] = {}
        for event in events:
            if isinstance(event, Pushed):
                left_ns = closed.get(event.connection)
                if left_ns is None or left_ns - event.at_ns >= LISTENED_NS:
                    reached.setdefault(event.message, event.at_ns)
        return reached

    def _sessions(self, recording: Recording) -> list[WebSocketSession]:
        wanted = without_query(self._rule.websocket)
        return [one for one in websockets(recording) if without_query(one.url) == wanted]
