"""Reads the WebSocket traffic of a recording once, in time order: columns instead of messages.

Some 30 bytes are kept of a message; its frame goes to a :class:`Reel` on disk.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from perfscan.replay.exchanges import WebSocketSession
from perfscan.replay.keys import Key, host_key, read_request
from perfscan.replay.model import (
    Close,
    MatchRules,
    Message,
    Open,
    Ping,
    Recording,
    Request,
    Response,
)
from perfscan.replay.server.frames import frame_of, ping_of
from perfscan.replay.server.reel import Reel
from perfscan.replay.server.subscriptions import address_units
from perfscan.replay.server.topics import Case, Vocabulary, recurs
from perfscan.replay.server.transcript import Transcript
from perfscan.replay.stored_events import select

Begins = Callable[[str, Message], bool] | None
"""Whether a message to a URL begins an item; None where nobody said so, and all count."""
PING = -1
"""In the place of a message's index: what everybody gets and nobody counts."""
PROBED = 100
"""So many messages are searched for the words of their address."""


class Rows:
    """Messages of one address in columns, in time order."""

    def __init__(self, reel: Reel) -> None:
        self.reel = reel
        self.at_ns = array("q")
        self.message = array("i")
        """Index among the recording's events, or :data:`PING`."""
        self.begin = array("q")
        self.size = array("I")
        """Where the frame stands on the reel."""
        self.begins = bytearray()
        """1 where the message begins an item."""

    def __len__(self) -> int:
        return len(self.at_ns)

    def add(self, at_ns: int, message: int, frame: bytes, *, begins: bool) -> None:
        """Put a frame at the end."""
        self.at_ns.append(at_ns)
        self.message.append(message)
        self.begin.append(self.reel.add(frame))
        self.size.append(len(frame))
        self.begins.append(begins)

    def read(self, row: int) -> bytes:
        """Return the frame of a row."""
        return self.reel.read(self.begin[row], self.begin[row] + self.size[row])

    def take(self, places: array[int]) -> Rows:
        """Return some of the rows."""
        taken = Rows(self.reel)
        for name in ("at_ns", "message", "begin", "size"):
            column = getattr(self, name)
            setattr(taken, name, array(column.typecode, map(column.__getitem__, places)))
        taken.begins = bytearray(map(self.begins.__getitem__, places))
        return taken


class Draft:
    """All sessions with one address, as they were recorded."""

    def __init__(self, key: Key, rules: MatchRules, begins: Begins) -> None:
        self.units = address_units(key)
        """The topics that the address names."""
        self.rows = Rows(Reel())
        self.session = array("i")
        """Number of the session in which each row was recorded."""
        self.case = array("i")
        self.text = array("q")
        """Hash of the frame, by which the same message is known in two sessions."""
        self.heard = bytearray()
        self.sessions: list[Transcript] = []
        self.cases: dict[Case, int] = {}
        self.common: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        """Id of a subscription (JSON) for all sessions to the subscription; ``common`` is the way
        back."""
        self.greetings: list[array[int]] = []
        """For each session the rows that may greet."""
        self.topical = False
        """Whether what the address names recurs in its messages, so that no other will do."""
        self._rules = rules
        self._begins = begins
        self._vocabulary = Vocabulary(rules)

    def open(self, session: WebSocketSession) -> Transcript:
        """Begin a session."""
        transcript = Transcript(
            session, self.units, self._rules, self._vocabulary, self.common, self.ids
        )
        self.sessions.append(transcript)
        self.greetings.append(array("q"))
        return transcript

    def ping(self, number: int, ping: Ping) -> None:
        """Keep a ping of the service in a session."""
        self._add(number, Case(frozenset()), ping, ping_of(ping.data), PING, begins=False)

    def receive(self, number: int, index: int, message: Message) -> None:
        """Keep what the service said in a session."""
        transcript = self.sessions[number]
        if message.heard:
            transcript.last_heard_ns = max(transcript.last_heard_ns, message.at_ns)
        is_item = self._begins is not None and self._begins(transcript.url, message)
        if transcript.answers(message, by_word=not is_item):
            return
        if transcript.greets(message):
            self.greetings[number].append(len(self.rows))
        if not self.topical and len(self.rows) < PROBED:
            self.topical = any(recurs(unit, message.data) for unit in self.units)
        case, data = transcript.case(message.data, heard=message.heard)
        frame = frame_of(data, message.frames)
        self._add(number, case, message, frame, index, begins=is_item or self._begins is None)

    def let_go(self) -> None:
        """Forget what is needed to plan streams; the sessions stay."""
        self.rows = Rows(self.rows.reel)
        self.session, self.case, self.text, self.heard = (
            array("i"),
            array("i"),
            array("q"),
            bytearray(),
        )

    def _add(
        self,
        number: int,
        case: Case,
        event: Message | Ping,
        frame: bytes,
        index: int,
        *,
        begins: bool,
    ) -> None:
        self.rows.add(event.at_ns, index, frame, begins=begins)
        self.session.append(number)
        self.case.append(self.cases.setdefault(case, len(self.cases)))
        self.text.append(hash(frame))
        self.heard.append(isinstance(event, Ping) or event.heard)


def read_drafts(recording: Recording, rules: MatchRules, begins: Begins) -> Mapping[Key, Draft]:
    """Return what the recording holds of each WebSocket address that the bot connected to."""
    drafts: dict[Key, Draft] = {}
    talks: dict[int, tuple[Draft, int]] = {}
    # A recorder that held a stream notes what it heard before the bot had opened its connection.
    for session in _sessions(recording):
        key = websocket_key(host_key(session.open), session.request.target, rules)
        draft = drafts.get(key) or drafts.setdefault(key, Draft(key, rules, begins))
        draft.open(session)
        talks[session.open.connection] = draft, len(draft.sessions) - 1
    for index, event in select(recording, Message, Ping, Close):
        if event.connection in talks:
            _note(*talks[event.connection], index, event)
    return drafts


def _sessions(recording: Recording) -> Iterator[WebSocketSession]:
    """Yield the WebSockets that the bot opened, without their messages."""
    opens: dict[int, Open] = {}
    requests: dict[int, Request] = {}
    for _, event in select(recording, Open, Request, Response):
        connection = event.connection
        if isinstance(event, Open):
            if not event.inbound:
                opens[connection] = event
        elif isinstance(event, Request):
            requests[connection] = event
        elif event.status == 101 and connection in opens and connection in requests:
            request = requests.pop(connection)
            yield WebSocketSession(opens[connection], request, event, (), (), None)


def _note(draft: Draft, number: int, index: int, event: Message | Ping | Close) -> None:
    transcript = draft.sessions[number]
    if isinstance(event, Close):
        transcript.close = transcript.close or event
    elif isinstance(event, Message) and event.direction == "sent":
        transcript.send(event)
    elif isinstance(event, Message):
        draft.receive(number, index, event)
    elif event.direction == "received":
        draft.ping(number, event)


def websocket_key(host: str, target: str, rules: MatchRules) -> Key:
    """Return the key of a WebSocket address."""
    (call,) = read_request("GET", host, target, (), b"", rules).calls
    return replace(call.key, method="WEBSOCKET")
