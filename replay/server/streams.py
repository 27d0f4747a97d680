"""Recorded WebSocket sessions as streams that can be played to any number of clients.

A *subscription* is a message that the bot sent, or one of the topics in it; an *acknowledgement* is
the received message that answers it. What else was received belongs to a stream with a clock of its
own, except for what greets a client on every new connection. All this is worked out once, when a
recording is loaded.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from perfscan.replay.items import without_query
from perfscan.replay.server.draft import PING, Draft, Rows
from perfscan.replay.server.topics import gates
from perfscan.replay.server.transcript import Acknowledgement, Transcript

ECHO_NS = 2_000_000_000
"""The same text on two connections within this time is one message of the service."""

Gate = frozenset[str]
"""Units of which a client must have asked for one; empty for what everybody gets."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """The service closed the connections of the stream."""

    at_ns: int
    code: int | None
    reason: str
    gate: Gate = frozenset()


@dataclass(frozen=True, slots=True)
class Greeting:
    """A message that every new connection gets, ``after_ns`` after its opening."""

    after_ns: int
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
    rows: Rows
    """Its messages in time order."""
    gate: array[int]
    """For each row its place in ``gates``."""
    gates: tuple[Gate, ...]
    hangups: tuple[Hangup, ...]
    known: frozenset[str]
    """Everything that the recorded bot asked for, topic by topic."""
    answers: Mapping[str, tuple[tuple[Acknowledgement, ...], ...]] = field(default_factory=dict)
    """How it was answered: the first time, the second time, ..."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """Id (JSON) that the service gives to a subscription, to the subscription."""
    greetings: tuple[tuple[Greeting, ...], ...] = ()
    """Per recorded connection."""
    has_pings: bool = False
    prompt: Gate = frozenset()
    """Units of which the service spoke before it had answered the subscription to them."""


def plan_stream(draft: Draft, alone: int | None = None) -> StreamPlan:
    """Return the stream behind all sessions of an address, or behind session ``alone``.

    Sessions that were open at the same time saw the same messages. For each topic the session that
    saw most tells the story; others add what came while that one was closed, and what a recorder
    that held the stream noted (once) while the bot was away.
    """
    told = draft.sessions if alone is None else [draft.sessions[alone]]
    by_case = _gates(draft)
    rows, case = _told_rows(draft, by_case, alone)
    table: dict[Gate, int] = {}
    numbers = [table.setdefault(gate, len(table)) for gate, _ in by_case]
    gate = array("i", map(numbers.__getitem__, case))
    used = {number for number, message in zip(gate, rows.message, strict=True) if message != PING}
    asking = [session for session in told if session.first_sent_ns is not None]
    opened_ns = min(session.opened_ns for session in told)
    gated = bool(used and asking) and not any(session.address_units for session in told)
    gated = gated and all(wanted for wanted, number in table.items() if number in used)
    subscribed_ns = min((session.first_sent_ns or 0 for session in asking), default=opened_ns)
    return StreamPlan(
        url=without_query(told[0].url),
        recorded_ns=subscribed_ns if gated else opened_ns,
        gated=gated,
        rows=rows,
        gate=gate,
        gates=tuple(table),
        hangups=tuple(_hangups(told)),
        known=frozenset(unit for session in told for unit in session.units),
        answers=_answers(told),
        ids=draft.ids,
        greetings=tuple(
            tuple(_greetings(draft, number))
            for number in (range(len(draft.sessions)) if alone is None else [alone])
        ),
        has_pings=PING in rows.message,
        prompt=frozenset(
            unit
            for number, session in enumerate(draft.sessions)
            if session in told
            for unit in _prompt(draft, by_case, number)
        ),
    )


def _gates(draft: Draft) -> list[tuple[Gate, bool]]:
    """Return for each case its gate, and whether a topic was recognised."""
    units = {unit for session in draft.sessions for unit in session.subscribed}
    units.update(unit for session in draft.sessions for unit in session.address_units)
    cases = list(draft.cases)
    found = gates(cases, units)
    return [
        (case.active if gate is None else gate, gate is not None)
        for case, gate in zip(cases, found, strict=True)
    ]


def _told_rows(
    draft: Draft, by_case: Sequence[tuple[Gate, bool]], alone: int | None
) -> tuple[Rows, array[int]]:
    """Return the rows that are played, with the case of each."""
    left_out = {
        row
        for session, places in zip(draft.sessions, draft.greetings, strict=True)
        if session.first_sent_ns is not None
        for row in places
    }
    if alone is not None:
        places = array("q", (row for row, number in enumerate(draft.session) if number == alone))
    elif len(draft.sessions) > 1:
        places = _without_echoes(draft, by_case, left_out)
    elif not left_out:
        return draft.rows, draft.case
    else:
        places = array("q", range(len(draft.rows)))
    if left_out:
        places = array("q", (row for row in places if row not in left_out))
    return draft.rows.take(places), array("i", map(draft.case.__getitem__, places))


def _without_echoes(
    draft: Draft, by_case: Sequence[tuple[Gate, bool]], left_out: set[int]
) -> array[int]:
    """Return the rows of all sessions, each of the service's messages once."""
    told: dict[object, dict[int, array[int]]] = defaultdict(lambda: defaultdict(_places))
    untold: dict[int, Gate] = {}
    for row, (number, case) in enumerate(zip(draft.session, draft.case, strict=True)):
        if row in left_out:
            continue
        gate, is_topic = by_case[case]
        group: object = gate
        if draft.rows.message[row] == PING:
            group = PING
        elif not is_topic or not gate:
            group = (untold.setdefault(number, gate),)
        told[group][number].append(row)
    kept = array("q")
    for tellers in told.values():
        kept.extend(_story(draft, tellers))
    return array("q", sorted(kept))


def _places() -> array[int]:
    return array("q")


def _story(draft: Draft, tellers: Mapping[int, array[int]]) -> Iterator[int]:
    """Yield the rows of one topic that no other session has told already.

    Two sessions that were open at one time saw the same, even where their texts differ (numbers
    that count per connection). What came while the bot was away was noted for nobody else.
    """
    texts: dict[int, list[int]] = defaultdict(list)
    heard_by: list[Transcript] = []
    for number in sorted(tellers, key=lambda number: len(tellers[number]), reverse=True):
        added = []
        for row in tellers[number]:
            at_ns = draft.rows.at_ns[row]
            same = texts.get(draft.text[row], ())
            if heard_by and any(abs(at_ns - other) <= ECHO_NS for other in same):
                continue
            if draft.heard[row] and any(
                other.opened_ns <= at_ns <= other.closed_ns for other in heard_by
            ):
                continue
            added.append(row)
        if len(tellers) > 1:
            for row in added:
                texts[draft.text[row]].append(draft.rows.at_ns[row])
        heard_by.append(draft.sessions[number])
        yield from added


def _hangups(told: Sequence[Transcript]) -> Iterator[Hangup]:
    """Yield when the service ended connections; several at one time end those of a client once."""
    last: dict[Gate, int] = {}
    closed = [(session.close, session) for session in told if session.close is not None]
    for close, session in sorted(closed, key=lambda pair: pair[0].at_ns):
        gate = frozenset(session.subscribed)
        if close.by == "upstream" and close.at_ns - last.get(gate, -ECHO_NS) >= ECHO_NS:
            last[gate] = close.at_ns
            yield Hangup(close.at_ns, close.code, close.reason, gate)


def _answers(told: Sequence[Transcript]) -> dict[str, tuple[tuple[Acknowledgement, ...], ...]]:
    answers: dict[str, list[tuple[Acknowledgement, ...]]] = defaultdict(list)
    for session in told:
        for asked in session.asked:
            for unit in asked.ask.units:
                given = tuple(one for one in asked.answers if one.unit in ("", unit))
                if given:
                    answers[unit].append(given)
    return {unit: tuple(given) for unit, given in answers.items()}


def _prompt(draft: Draft, by_case: Sequence[tuple[Gate, bool]], number: int) -> Iterator[str]:
    """Yield the units of a session's messages that came before the answers to all of their units.

    Such are those that belong to no topic, as a word on the state of the service.
    """
    session, at_ns = draft.sessions[number], draft.rows.at_ns
    answered_ns: dict[str, int] = {}
    for asked in session.asked:
        for unit, answer in itertools.product(asked.ask.units, asked.answers):
            if answer.unit in ("", unit):
                answered_ns.setdefault(unit, asked.at_ns + answer.delay_ns)
    seen = 0
    for asked in session.asked:
        last_ns = asked.at_ns + max((answer.delay_ns for answer in asked.answers), default=0)
        begin = max(seen, bisect_left(at_ns, asked.at_ns))
        seen = max(begin, bisect_left(at_ns, last_ns))
        for row in range(begin, seen):
            gate = by_case[draft.case[row]][0]
            if draft.session[row] == number and all(
                at_ns[row] < answered_ns.get(unit, 0) for unit in gate
            ):
                yield from gate


def _greetings(draft: Draft, number: int) -> Iterator[Greeting]:
    session = draft.sessions[number]
    if session.first_sent_ns is None:
        return
    rows = draft.rows
    for row in draft.greetings[number]:
        yield Greeting(rows.at_ns[row] - session.opened_ns, rows.read(row))
