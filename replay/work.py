"""Items: which work the recording asks for, and what one run made of it."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from perfscan.replay.exchanges import Exchange, exchanges, websockets
from perfscan.replay.items import (
    effect_key,
    effect_payload,
    request_matches,
    stimulus_key,
    values_at,
    without_query,
)
from perfscan.replay.model import (
    Close,
    EffectRule,
    Item,
    ItemRules,
    ItemState,
    Message,
    Observation,
    Pushed,
    Recording,
    StreamStart,
)
from perfscan.replay.redaction import normalise_secrets

REFUSED = 400
"""An effect answered with this status or above did not happen; sending it again is right."""
LISTENED_NS = 1_000_000_000
"""A message pushed this shortly before the bot closed the connection may never have been read:
a client that closes drops what it has not taken from its buffers yet."""
SHOWN = 60
"""Characters of a differing value that a detail quotes."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A request that ended an item and was accepted."""

    key: str
    at_ns: int
    values: str
    """Canonical JSON of the parts that must be equal."""

    @property
    def content(self) -> str:
        """Hash of the parts that must be equal."""
        return hashlib.sha256(self.values.encode()).hexdigest()[:16]


def stimuli(recording: Recording, rules: ItemRules) -> dict[str, Message]:
    """Return the recorded messages that begin items, by key; the first of equal keys counts."""
    wanted = without_query(rules.stimulus.websocket)
    found: dict[str, Message] = {}
    for session in websockets(recording):
        if without_query(session.url) != wanted:
            continue
        for message in session.messages:
            key = stimulus_key(rules.stimulus, message)
            if key is not None and (key not in found or message.at_ns < found[key].at_ns):
                found[key] = message
    return dict(sorted(found.items(), key=lambda entry: entry[1].at_ns))


def effects(traffic: Recording | Observation, rule: EffectRule) -> dict[str, list[Effect]]:
    """Return all accepted effects by key, in the order in which they were sent."""
    found: dict[str, list[Effect]] = defaultdict(list)
    for exchange in exchanges(traffic):
        if not _accepted(exchange, rule):
            continue
        key = effect_key(rule, exchange.request)
        if key is not None:
            values = _compared(rule, effect_payload(exchange.request))
            found[key].append(Effect(key, exchange.request.at_ns, values))
    return dict(found)


def expected_items(recording: Recording, rules: ItemRules, until_s: float | None = None) -> int:
    """Count the recorded stimuli with a recorded effect, up to a time from the stream's start."""
    done = effects(recording, rules.effect)
    begun = stimuli(recording, rules)
    start_ns = _recorded_start(recording, rules)
    return sum(
        key in done and (until_s is None or message.at_ns - start_ns <= until_s * 1e9)
        for key, message in begun.items()
    )


def items_of_run(
    recording: Recording, observation: Observation, rules: ItemRules
) -> tuple[Item, ...]:
    """Judge what a run did with every recorded stimulus.

    An item is owed where the recording holds both stimulus and effect. A stimulus without a
    recorded effect owes nothing: an effect for one that the recorded bot heard is wrong, since
    that bot decided against it; for one that it could not hear it is work beyond duty, as is
    right for a bot that stays connected. An effect that no stimulus asked for is wrong.
    """
    begun = stimuli(recording, rules)
    recorded = effects(recording, rules.effect)
    done = effects(observation, rules.effect)
    clock = _Clock.of(observation, rules, _recorded_start(recording, rules))
    heard = _heard(recording, observation, rules)
    made = [
        replace(
            _judge(message, key, recorded.get(key), done.get(key, []), clock, rules),
            away=key not in heard,
        )
        for key, message in begun.items()
        if clock.played(message) and (key in recorded or key in done)
    ]
    made += [
        Item(key, sent[0].at_ns, "wrong", None, sent[0].content, "nothing asked for it", False)
        for key, sent in done.items()
        if key not in begun
    ]
    return tuple(made)


def _heard(recording: Recording, observation: Observation, rules: ItemRules) -> set[str]:
    """Return the keys of stimuli that were pushed to the bot while it went on listening."""
    closed = {
        event.connection: event.at_ns for event in observation.events if isinstance(event, Close)
    }
    heard = set()
    for event in observation.events:
        if not isinstance(event, Pushed):
            continue
        left_ns = closed.get(event.connection)
        if left_ns is not None and left_ns - event.at_ns < LISTENED_NS:
            continue
        message = recording.events[event.message]
        if isinstance(message, Message) and (key := stimulus_key(rules.stimulus, message)):
            heard.add(key)
    return heard


@dataclass(frozen=True, slots=True)
class _Clock:
    """Turns recorded stream time into run time."""

    recorded_ns: int
    at_ns: int
    speed: float
    until_ns: int | None

    @classmethod
    def of(cls, observation: Observation, rules: ItemRules, recorded_start_ns: int) -> _Clock:
        """Anchor at the start of the stimulus stream; at 0 where it never started."""
        wanted = without_query(rules.stimulus.websocket)
        for event in observation.events:
            if isinstance(event, StreamStart) and without_query(event.url) == wanted:
                return cls(event.recorded_ns, event.at_ns, observation.speed, observation.until_ns)
        return cls(recorded_start_ns, 0, observation.speed, observation.until_ns)

    def played(self, message: Message) -> bool:
        return self.until_ns is None or message.at_ns - self.recorded_ns <= self.until_ns

    def run_ns(self, message: Message) -> int:
        return self.at_ns + round((message.at_ns - self.recorded_ns) / self.speed)


def _recorded_start(recording: Recording, rules: ItemRules) -> int:
    """Return when the recorded bot first had the stimulus stream open."""
    wanted = without_query(rules.stimulus.websocket)
    sessions = (one for one in websockets(recording) if without_query(one.url) == wanted)
    return min((session.response.at_ns for session in sessions), default=0)


def _judge(
    message: Message,
    key: str,
    recorded: Sequence[Effect] | None,
    done: Sequence[Effect],
    clock: _Clock,
    rules: ItemRules,
) -> Item:
    stimulus_ns = clock.run_ns(message)
    if not done:
        return Item(key, stimulus_ns, "missed", None, detail="no effect in time")
    first = done[0]
    latency_ms = (first.at_ns - stimulus_ns) / 1e6
    state, detail = _state(message, recorded, done, latency_ms, rules)
    return Item(
        key, stimulus_ns, state, latency_ms, first.content, detail, expected=recorded is not None
    )


def _state(
    message: Message,
    recorded: Sequence[Effect] | None,
    done: Sequence[Effect],
    latency_ms: float,
    rules: ItemRules,
) -> tuple[ItemState, str]:
    if recorded is None and message.heard:
        return "wrong", "the recorded bot heard this and sent nothing"
    if recorded is not None:
        unlike = next((one for one in done if one.content != recorded[0].content), None)
        if unlike is not None:
            return "wrong", _difference(recorded[0].values, unlike.values)
    if len(done) > 1:
        return "duplicated", f"sent {len(done)} times"
    if latency_ms > rules.deadline_s * 1000:
        return "late", f"{latency_ms / 1000:.1f} s after its stimulus"
    return "handled", ""


def _accepted(exchange: Exchange, rule: EffectRule) -> bool:
    if exchange.response is None or exchange.response.status >= REFUSED:
        return False
    return request_matches(rule.request, exchange.request.method, exchange.url)


def _compared(rule: EffectRule, payload: Any) -> str:
    """Return what must be equal; secrets are levelled, since a recording holds stand-ins."""
    parts: Any = [values_at(path, payload) for path in rule.compare] if rule.compare else payload
    return normalise_secrets(json.dumps(parts, sort_keys=True, ensure_ascii=False))


def _difference(recorded: str, sent: str) -> str:
    """Quote both from just before the place where they part."""
    steps = enumerate(zip(recorded, sent, strict=False))
    shorter = min(len(recorded), len(sent))
    place = next((index for index, (a, b) in steps if a != b), shorter)
    begin = max(0, place - SHOWN // 3)
    return f"recorded {recorded[begin : begin + SHOWN]}, sent {sent[begin : begin + SHOWN]}"
