"""One recorded WebSocket session read as a conversation: who answered what, under which id."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from perfscan.replay.exchanges import WebSocketSession
from perfscan.replay.json_text import around, elements
from perfscan.replay.model import Close, MatchRules, Message
from perfscan.replay.server.subscriptions import ID_KEYS, Ask, payload_of, read_asks
from perfscan.replay.server.topics import Case, Vocabulary, says_all

MADE_UP_ID = 1_000_000_000
GREETING_NS = 1_000_000_000
"""What comes this soon after the opening, before the bot has said anything, is a greeting."""
REPLY_NS = 10_000_000_000
"""What speaks of a request so soon after it is its answer, also without its id."""
_SUBSCRIPTION = re.compile(r'"subscription"\s*:\s*("[^"\\]*"|\d+)')
_FIRST = re.compile(r"\s*\[\s*(\d+)\s*,")
_OUTCOMES = frozenset(["result", "error", "success"])


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The answer to a message of the bot, cut where the id of the request goes."""

    delay_ns: int
    before: str
    after: str | None = None
    """None where it carries no id."""
    unit: str = ""
    """The one topic that it speaks of; empty where it answers the message as a whole."""

    def text_for(self, rpc_id: Any) -> str:
        """Return the message with the id that the client used."""
        return (
            self.before if self.after is None else f"{self.before}{json.dumps(rpc_id)}{self.after}"
        )


@dataclass(slots=True)
class Asked:
    """One thing that the bot asked for, and what it was answered."""

    ask: Ask
    at_ns: int
    answers: list[Acknowledgement] = field(default_factory=list)

    @property
    def awaits(self) -> bool:
        """Whether an answer is still to come; a topic each may be answered."""
        return len(self.answers) < max(1, len(self.ask.units))


class Transcript:
    """What is known of one session while its messages are read, in their order.

    ``common`` holds for each subscription the one id (as JSON) under which it is played: a service
    gives a new id on every connection, a client that stays connected knows only one. ``ids`` is
    the way back.
    """

    def __init__(
        self,
        session: WebSocketSession,
        address_units: tuple[str, ...],
        rules: MatchRules,
        vocabulary: Vocabulary,
        common: dict[str, str],
        ids: dict[str, str],
    ) -> None:
        self.session = session
        self.url = session.url
        self.opened_ns = session.response.at_ns
        self.last_heard_ns = 0
        self.first_sent_ns: int | None = None
        self.asked: list[Asked] = []
        self.subscribed: dict[str, None] = {}
        """Every unit that was ever subscribed to here."""
        self.close: Close | None = None
        self.address_units = address_units if len(address_units) > 1 else ()
        self._rules = rules
        self._vocabulary = vocabulary
        self._common = common
        self._ids = ids
        self._assigned: dict[str, str] = {}
        self._waiting: dict[str, list[Asked]] = defaultdict(list)
        self._unanswered: list[Asked] = []
        self._active = frozenset(self.address_units)
        self._said: frozenset[str] = frozenset()
        vocabulary.learn(self.address_units)

    @property
    def closed_ns(self) -> int:
        """When the session ended, or its last sign of life."""
        return self.last_heard_ns if self.close is None else self.close.at_ns

    @property
    def units(self) -> Iterator[str]:
        """Everything that the bot asked for in this session."""
        for asked in self.asked:
            yield from asked.ask.units

    def send(self, message: Message) -> None:
        """Read a message of the bot."""
        if self.first_sent_ns is None:
            self.first_sent_ns = message.at_ns
        own = {own: self._common[unit] for own, unit in self._assigned.items()}
        for ask in read_asks(message.data, self._rules, own):
            asked = Asked(ask, message.at_ns)
            self.asked.append(asked)
            if ask.rpc_id is not None:
                self._waiting[json.dumps(ask.rpc_id)].append(asked)
            else:
                self._unanswered.append(asked)
            self._said |= frozenset(ask.units)
            if ask.subscribes:
                self._vocabulary.learn(ask.units)
                self.subscribed.update(dict.fromkeys(ask.units))
                self._active |= frozenset(ask.units)
            ended = {self._ids.get(name, "") for name in ask.named}
            self._active -= ended.union(ask.leaves)

    def greets(self, message: Message) -> bool:
        """Tell whether a message may be the service's answer to the opening alone."""
        early = message.at_ns - self.opened_ns <= GREETING_NS
        return self.first_sent_ns is None and early and message.heard

    def answers(self, message: Message, *, by_word: bool = True) -> bool:
        """Keep a message that answers something; False for one that does not."""
        data = message.data
        if isinstance(data, bytes) or not message.heard:
            return False
        if self._waiting and any(f'"{name}"' in data for name in ID_KEYS):
            payload = payload_of(data)
            if isinstance(payload, list) and all(map(self._awaited, payload)) and payload:
                for text in elements(data):
                    self._answer_by_id(json.loads(text), text, message.at_ns)
                return True
            if self._answer_by_id(payload, data, message.at_ns):
                return True
        return by_word and bool(self._unanswered) and self._answer_by_word(message, data)

    def case(self, data: str | bytes, *, heard: bool = True) -> tuple[Case, str | bytes]:
        """Return to whom a pushed message belongs, and its text under the common id.

        One that was not ``heard`` came on a stream that the recorder held, so it belongs to what
        was subscribed to before this session.
        """
        if self._ids and isinstance(data, str):
            match = _FIRST.match(data) or _SUBSCRIPTION.search(data)
            # A stream that a recorder held keeps its id also before the bot subscribes again.
            unit = self._assigned.get(match[1]) or self._ids.get(match[1]) if match else None
            if match and unit:
                common = self._common[unit]
                if match[1] != common:
                    data = data[: match.start(1)] + common + data[match.end(1) :]
                return Case(frozenset([unit])), data
        active = self._active or frozenset(self.subscribed) or self._said
        if not active and not heard:
            active = frozenset(self._vocabulary.units)
        if len(active) < 2:
            return Case(active), data
        return Case(active, self._vocabulary.signature(data)), data

    # --- Answers ----------------------------------------------------------------------------------

    def _awaited(self, payload: object) -> bool:
        return isinstance(payload, dict) and _id_of(payload) in self._waiting

    def _answer_by_id(self, payload: Any, text: str, at_ns: int) -> bool:
        if not isinstance(payload, dict) or ("method" in payload and not _OUTCOMES & set(payload)):
            return False
        rpc_id = _id_of(payload)
        waiting = self._waiting.get(rpc_id, [])
        asked = next((one for one in waiting if not one.answers), None)
        if asked is None:  # each topic of one request is answered under the same id
            asked = next((one for one in waiting if one.awaits and _one_unit(one.ask, text)), None)
        if asked is None:
            return False
        self._answer(asked, payload, text, at_ns)
        if not asked.awaits:
            waiting.remove(asked)
            if not waiting:
                del self._waiting[rpc_id]
        return True

    def _answer_by_word(self, message: Message, data: str) -> bool:
        self._unanswered = [
            asked
            for asked in self._unanswered
            if asked.awaits and message.at_ns - asked.at_ns <= REPLY_NS
        ]
        lower = data.lower()
        for asked in self._unanswered:
            words = _answering(asked.ask.verb)
            if not any(word in lower for word in words):
                continue
            payload = payload_of(data)
            if any(word in one.lower() for one in _said(payload, data) for word in words):
                known = payload if isinstance(payload, dict) else {}
                self._answer(asked, known, data, message.at_ns)
                return True
        return False

    def _answer(self, asked: Asked, payload: Mapping[str, Any], text: str, at_ns: int) -> None:
        ask = asked.ask
        unit = _one_unit(ask, text)
        about = unit or (ask.units[0] if len(ask.units) == 1 else "")
        name, own = _assigned_id(payload) if ask.subscribes and about else ("", "")
        if own:
            self._assigned[own] = about
            if about not in self._common:
                common = own if own not in self._ids else str(MADE_UP_ID + len(self._common))
                self._common[about], self._ids[common] = common, about
            cut = around(text, (name,))
            text = self._common[about].join(cut) if cut else text
        before, after = (around(text, (ask.id_key,)) if ask.id_key else None) or (text, None)
        delay_ns = max(0, at_ns - asked.at_ns)
        asked.answers.append(Acknowledgement(delay_ns, before, after, unit))


def _one_unit(ask: Ask, text: str) -> str:
    """Return the topic that an answer repeats, where it is one."""
    if ask.positional or not ask.subscribes:
        return ""
    said = [unit for unit in ask.units if says_all(unit, text)]
    return said[0] if len(said) == 1 else ""


def _assigned_id(payload: Mapping[str, Any]) -> tuple[str, str]:
    """Return where an answer says the id of a subscription, and the id as JSON."""
    for name, value in payload.items():
        lower = name.lower()
        says = lower == "result" or (lower.endswith("id") and not lower.startswith("conn"))
        if says and name not in ID_KEYS and _is_id(value):
            return name, json.dumps(value)
    return "", ""


def _answering(verb: str) -> tuple[str, ...]:
    """Return the words of which an answer to a request says one, as ``subscribed`` does."""
    if verb == "ping":
        return ("pong", "ping")
    if "sub" in verb:
        return ("subscri", "subbed")
    return (verb,) if len(verb) >= 4 else ()


def _said(payload: Any, text: str) -> Iterator[str]:
    """Yield the words of a message that say what it is: those at its top."""
    if isinstance(payload, list):
        payload = next((one for one in payload if isinstance(one, dict)), None)
    if payload is None:
        yield text
    elif isinstance(payload, dict):
        yield from payload
        yield from (value for value in payload.values() if isinstance(value, str))


def _id_of(payload: Mapping[str, Any]) -> str:
    value = next((payload[name] for name in ID_KEYS if name in payload), None)
    return json.dumps(value) if _is_id(value) else ""


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)
