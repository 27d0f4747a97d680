"""One recorded WebSocket session read as a conversation: who answered what, under which id."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perfscan.replay.exchanges import WebSocketSession
from perfscan.replay.json_text import around
from perfscan.replay.keys import message_key
from perfscan.replay.model import MatchRules, Message


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The answer to a message of the bot, cut where the id of the request goes."""

    delay_ns: int
    before: str
    after: str

    def text_for(self, rpc_id: Any) -> str:
        """Return the message with the id that the client used."""
        return f"{self.before}{json.dumps(rpc_id)}{self.after}"


@dataclass(frozen=True, slots=True)
class Line:
    """One message and, where it is JSON, what it says about itself. Ids are JSON texts."""

    message: Message
    index: int
    """Among the recording's events."""
    rpc_id: str = ""
    result: str = ""
    subscription: str = ""
    is_request: bool = False


class Transcript:
    """The messages of one session with acknowledgements and subscriptions recognised."""

    def __init__(self, session: WebSocketSession, rules: MatchRules) -> None:
        self.session = session
        self._rules = rules
        pairs = zip(session.messages, session.indexes, strict=True)
        self.lines = [_line(message, index) for message, index in pairs]
        self.sends = any(line.message.direction == "sent" for line in self.lines)
        self.answered = _answers(self.lines)
        """Place of each acknowledgement to the place of what it answers."""
        pushed = {line.subscription for line in self.lines if line.subscription}
        self.topics = {
            self.lines[answer].result: self._key(asked)
            for answer, asked in self.answered.items()
            if self.lines[answer].result in pushed
        }
        """Id (JSON) that this session's service gave to a subscription, to the subscription."""

    def sent_key(self, place: int, ids: Mapping[str, str]) -> str:
        """Return the key of a sent message; an id that it names is the one of ``ids``."""
        data = self.lines[place].message.data
        cut = around(data, ("params",)) if isinstance(data, str) else None
        if cut is None:
            return self._key(place)
        params = json.loads(data)["params"]
        own = json.dumps(params[0]) if isinstance(params, list) and len(params) == 1 else ""
        if own not in self.topics:
            return self._key(place)
        return message_key(f"[{ids[self.topics[own]]}]".join(cut), self._rules)

    def acknowledgement(self, place: int, ids: Mapping[str, str]) -> tuple[str, Acknowledgement]:
        """Return what was acknowledged at ``place``, and the acknowledgement to send again."""
        asked = self.answered[place]
        message, key = self.lines[place].message, self._key(asked)
        text = str(message.data)
        renamed = around(text, ("result",)) if key in ids else None
        if renamed is not None:
            text = ids[key].join(renamed)
        before, after = around(text, ("id",)) or (text, "")
        delay_ns = max(0, message.at_ns - self.lines[asked].message.at_ns)
        return self.sent_key(asked, ids), Acknowledgement(delay_ns, before, after)

    def _key(self, place: int) -> str:
        return message_key(self.lines[place].message.data, self._rules)


def rpc_id_of(data: str | bytes) -> Any:
    """Return the ``id`` of a JSON message, None where it has none."""
    payload = _payload(data)
    return payload.get("id")


def _answers(lines: Sequence[Line]) -> dict[int, int]:
    waiting: dict[str, deque[int]] = defaultdict(deque)
    answers = {}
    for place, line in enumerate(lines):
        if not line.rpc_id:
            continue
        if line.message.direction == "sent":
            waiting[line.rpc_id].append(place)
        elif waiting[line.rpc_id] and not line.is_request:
            answers[place] = waiting[line.rpc_id].popleft()
    return answers


def _line(message: Message, index: int) -> Line:
    payload = _payload(message.data)
    params = payload.get("params")
    subscription = params.get("subscription") if isinstance(params, dict) else None
    return Line(
        message,
        index,
        rpc_id=_text(payload.get("id")),
        result=_text(payload.get("result")),
        subscription=_text(subscription),
        is_request="method" in payload,
    )


def _payload(data: str | bytes) -> dict[str, Any]:
    try:
        payload = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}


def _text(value: object) -> str:
    """Return an id as JSON text, an empty string for what is no id."""
    usable = isinstance(value, int | str) and not isinstance(value, bool)
    return json.dumps(value) if usable else ""
