"""Recorded WebSocket sessions as streams that can be played to any number of clients.

A *subscription* is a message that the bot sent; an *acknowledgement* is the received message with
its id. What else was received belongs to a stream with a clock of its own, except for what greets
a client on every new connection. Everything here is worked out once, when a recording is loaded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from websockets.frames import Frame, Opcode

from perfscan.replay.exchanges import WebSocketSession
from perfscan.replay.items import without_query
from perfscan.replay.json_text import around
from perfscan.replay.model import MatchRules, Message
from perfscan.replay.server.transcript import Acknowledgement, Transcript

MADE_UP_ID = 1_000_000_000
GREETING_NS = 1_000_000_000
"""What comes this soon after the opening, before the bot has said anything, is a greeting."""


ECHO_NS = 2_000_000_000
"""The same text on two connections within this time is one message of the service."""


@dataclass(frozen=True, slots=True)
class Push:
    """A recorded message for whoever has sent one of the subscriptions in ``gate``."""

    at_ns: int
    message: int
    """Index of the Message among the recording's events."""
    frame: bytes
    """The whole WebSocket frame, written as it is."""
    gate: frozenset[str] = frozenset()
    """Empty where the recorded bot had sent nothing before."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """The service closed the connections of the stream."""

    at_ns: int
    code: int | None
    reason: str


StreamEvent = Push | Hangup


@dataclass(frozen=True, slots=True)
class Greeting:
    """A message that every new connection gets, ``after_ns`` after its opening."""

    after_ns: int
    message: int
    frame: bytes


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """All that the recording knows of one WebSocket address."""

    url: str
    """Without query."""
    recorded_ns: int
    """Where on the recording's clock the stream starts: the first subscription, or the opening."""
    gated: bool
    """Whether the clock waits for a subscription."""
    events: tuple[StreamEvent, ...]
    known: frozenset[str]
    """Keys of all messages that the recorded bot sent."""
    acknowledgements: Mapping[str, tuple[Acknowledgement, ...]] = field(default_factory=dict)
    greetings: tuple[tuple[Greeting, ...], ...] = ()
    """Per recorded connection."""


def frame_of(data: str | bytes) -> bytes:
    """Return ``data`` as one WebSocket frame from a server."""
    if isinstance(data, str):
        return Frame(Opcode.TEXT, data.encode("utf-8", "surrogatepass")).serialize(mask=False)
    return Frame(Opcode.BINARY, data).serialize(mask=False)


def plan_stream(sessions: Sequence[WebSocketSession], rules: MatchRules) -> StreamPlan:
    """Return the stream behind ``sessions``, all for one address and in order of opening.

    Sessions that were open at the same time saw the same messages. For each topic the session that
    saw most tells the story; others add what came while that one was closed, and what a recorder
    that held the stream noted (once) while the bot was away.
    """
    transcripts = [Transcript(session, rules) for session in sessions]
    ids = _common_ids(transcripts)
    views = [_view(transcript, ids) for transcript in transcripts]
    pushes = _without_echoes(views)
    gated = bool(pushes) and all(push.gate for push in pushes)
    opened_ns = min(session.response.at_ns for session in sessions)
    subscribed_ns = min((view.first_sent_ns for view in views if view.known), default=opened_ns)
    hangups = [view.hangup for view in views if view.hangup is not None]
    acknowledgements = defaultdict(list)
    for view in views:
        for key, acknowledgement in view.acknowledgements:
            acknowledgements[key].append(acknowledgement)
    return StreamPlan(
        url=without_query(sessions[0].url),
        recorded_ns=subscribed_ns if gated else opened_ns,
        gated=gated,
        events=tuple(sorted((*pushes, *hangups), key=lambda event: event.at_ns)),
        known=frozenset(key for view in views for key in view.known),
        acknowledgements={key: tuple(given) for key, given in acknowledgements.items()},
        greetings=tuple(tuple(view.greetings) for view in views),
    )


def _common_ids(transcripts: Iterable[Transcript]) -> dict[str, str]:
    """Return for each subscription the one id (as JSON) under which it is played.

    A service gives a new id on every connection; a client that stays connected knows only one.
    """
    ids: dict[str, str] = {}
    for transcript in transcripts:
        for own, key in transcript.topics.items():
            if key not in ids:
                ids[key] = own if own not in ids.values() else str(MADE_UP_ID + len(ids))
    return ids


@dataclass(slots=True)
class _View:
    """One session, its messages told apart."""

    known: set[str] = field(default_factory=set)
    first_sent_ns: int = 0
    acknowledgements: list[tuple[str, Acknowledgement]] = field(default_factory=list)
    greetings: list[Greeting] = field(default_factory=list)
    pushes: dict[frozenset[str], list[Push]] = field(default_factory=lambda: defaultdict(list))
    """By topic: what has to be sent for the first of them."""
    opened_ns: int = 0
    closed_ns: int = 0
    """When the session ended, or its last sign of life."""
    unheard: set[int] = field(default_factory=set)
    """Messages that were recorded while the bot was away."""
    hangup: Hangup | None = None


def _view(transcript: Transcript, ids: Mapping[str, str]) -> _View:
    close = transcript.session.close
    heard_ns = [line.message.at_ns for line in transcript.lines if line.message.heard]
    view = _View(
        opened_ns=transcript.session.response.at_ns,
        closed_ns=max(heard_ns, default=0) if close is None else close.at_ns,
        unheard={line.index for line in transcript.lines if not line.message.heard},
    )
    untold: frozenset[str] | None = None
    for place, line in enumerate(transcript.lines):
        message = line.message
        if message.direction == "sent":
            if not view.known:
                view.first_sent_ns = message.at_ns
            view.known.add(transcript.sent_key(place, ids))
        elif place in transcript.answered:
            view.acknowledgements.append(transcript.acknowledgement(place, ids))
        elif _greets(transcript, view, message):
            after_ns = message.at_ns - view.opened_ns
            greeting = Greeting(after_ns, line.index, frame_of(message.data))
            view.greetings.append(greeting)
        else:
            topic = transcript.topics.get(line.subscription)
            gate = frozenset(view.known) if topic is None else frozenset([topic])
            untold = gate if topic is None and untold is None else untold
            group = untold if topic is None and untold is not None else gate
            frame = frame_of(_renamed(message.data, line.subscription, topic, ids))
            view.pushes[group].append(Push(message.at_ns, line.index, frame, gate))
    if close is not None and close.by == "upstream":
        view.hangup = Hangup(close.at_ns, close.code, close.reason)
    return view


def _greets(transcript: Transcript, view: _View, message: Message) -> bool:
    """Tell whether a message is the service's answer to the opening alone."""
    early = message.at_ns - view.opened_ns <= GREETING_NS
    return bool(transcript.sends) and not view.known and early and message.heard


def _renamed(
    data: str | bytes, subscription: str, topic: str | None, ids: Mapping[str, str]
) -> str | bytes:
    """Return a message under the id by which all clients know its subscription."""
    if topic is None or ids[topic] == subscription or isinstance(data, bytes):
        return data
    cut = around(data, ("params", "subscription"))
    return data if cut is None else ids[topic].join(cut)


def _without_echoes(views: Sequence[_View]) -> list[Push]:
    """Return the pushes of all views, each of the service's messages once."""
    kept: list[Push] = []
    for group in {group for view in views for group in view.pushes}:
        told: list[_View] = []
        texts: dict[bytes, list[int]] = defaultdict(list)
        tellers = [view for view in views if group in view.pushes]
        for view in sorted(tellers, key=lambda view: len(view.pushes[group]), reverse=True):
            added = [
                push
                for push in view.pushes[group]
                if not _is_echo(push, view, told, texts.get(push.frame, ()))
            ]
            for push in added:
                texts[push.frame].append(push.at_ns)
            told.append(view)
            kept += added
    return kept


def _is_echo(push: Push, view: _View, told: Sequence[_View], same: Sequence[int]) -> bool:
    """Tell whether another session has told of ``push`` already.

    Two sessions that were open at one time saw the same, even where their texts differ (numbers
    that count per connection). What came while the bot was away was noted for nobody else.
    """
    if told and any(abs(push.at_ns - at_ns) <= ECHO_NS for at_ns in same):
        return True
    if push.message in view.unheard:
        return False
    return any(other.opened_ns <= push.at_ns <= other.closed_ns for other in told)
