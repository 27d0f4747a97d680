"""Finds the recorded answer for a request; it never has another source of answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from perfscan.replay.exchanges import Exchange, exchanges, outbound
from perfscan.replay.items import any_matches, request_matches
from perfscan.replay.keys import OF_ITEM, Asked, Call, Key, host_key, read_request, url_like
from perfscan.replay.model import (
    Failure,
    MatchMode,
    MatchRules,
    Miss,
    Open,
    Recording,
    Request,
    Response,
)
from perfscan.replay.server.answers import (
    Answer,
    Recorded,
    compressed,
    join_batch,
    pack,
    recorded_answers,
    refuse,
    refuse_element,
    unpack,
)
from perfscan.replay.server.bounded import Bounded
from perfscan.replay.server.cycle_answers import CycleAnswers
from perfscan.replay.server.nearest import describe, nearest
from perfscan.replay.server.sequences import AnswerSequence
from perfscan.replay.server.spool import Spool
from perfscan.replay.stimuli.cycles import cycle_numbers
from perfscan.replay.stored_events import select

_DESCRIBED = 100
"""Misses beyond so many different ones are named without their nearest requests: nobody reads them,
and to find those takes a tenth of a second in a large recording, in which nothing else happens."""
WARM_BYTES = 32 * 1024 * 1024
"""Bodies of answers that were sent more than once and stay in memory."""


class Matcher:
    """Answers requests from a recording, the n-th request for a thing with its n-th answer.

    It has no clock; its state is what has been used up. Answers wait in a spool on disk until they
    are asked for. ``any_host`` accepts requests for hosts that were not recorded, as a mock server
    on localhost must. ``deadline_s`` is how long attempts to begin one recorded cycle may last.
    """

    def __init__(
        self,
        recording: Recording,
        rules: MatchRules = MatchRules(),  # noqa: B008 - frozen
        seed: int = 0,
        *,
        any_host: bool = False,
        compresses: Sequence[str] = (),
        deadline_s: float = math.inf,
    ) -> None:
        self._rules = rules
        self._deadline_s = deadline_s
        self._compresses = compresses
        self._seed = seed
        self._spool = Spool()
        self._warm: Bounded[int, tuple[Recorded, Answer]] = Bounded(WARM_BYTES)
        self._sequences: dict[Key, AnswerSequence | CycleAnswers] = {}
        self._misses: dict[Key, Miss] = {}
        self.first_ns = 0
        """When the first request was recorded."""
        self.hosts = {host_key(opened) for opened in outbound(recording)}
        self._load(recording)
        self.unused = sum(sequence.unused for sequence in self._sequences.values())
        """How many recorded answers nobody has asked for yet."""
        self._items: frozenset[str] = frozenset()
        self._lent: dict[Key, AnswerSequence] = {}
        """For each request that ends items the answers to one of them: an item that another request
        ended in the recording is answered like those."""
        if rules.effect is not None and len(rules.effect.request) > 1:
            self._lend()
        self._hostless: dict[Key, AnswerSequence | CycleAnswers] = {}
        if any_host:
            for key, sequence in self._sequences.items():
                self._hostless.setdefault(replace(key, host=""), sequence)

    def answer(self, asked: Asked, recorded_ns: int = 0, cycle: int = 0) -> Answer:
        """Return the answer to a request; the recording's, or a refusal.

        ``recorded_ns`` is the present moment on the recording's clock, for the mode ``by-time``;
        ``cycle`` the number of the bot's cycle, for the mode ``by-cycle``.
        """
        if not asked.is_batch:
            return self._answer_call(asked.calls[0], recorded_ns, cycle, in_batch=False)
        parts = [self._answer_call(call, recorded_ns, cycle, in_batch=True) for call in asked.calls]
        return join_batch(asked, parts)

    def _answer_call(self, call: Call, recorded_ns: int, cycle: int, *, in_batch: bool) -> Answer:
        sequence, own = self._sequences.get(call.key), True
        if not isinstance(sequence, AnswerSequence):  # it is for nearly all requests
            sequence, own = self._find(call.key, cycle)
            if sequence is None:
                miss = self._miss(call.key)
                return refuse_element(call, miss) if in_batch else refuse(miss)
        number = sequence.take(call.exact, recorded_ns) if own else None
        if number is None:
            return self._repeat(call, sequence, recorded_ns)
        self.unused -= 1
        recorded = unpack(self._spool.read(sequence.places[number]))
        return _serve(call, recorded, "hit", sequence.service_ns(number))

    def _repeat(self, call: Call, sequence: AnswerSequence, recorded_ns: int) -> Answer:
        service_ns = sequence.drawn_service_ns(self._seed, call.key)
        place = sequence.places[sequence.standing(recorded_ns)]
        recorded, answer = self._warm.get(place) or self._warm_up(place, call)
        if not recorded.is_for(call):
            return _serve(call, recorded, "extra", service_ns)
        return answer if answer.service_ns == service_ns else replace(answer, service_ns=service_ns)

    def _warm_up(self, place: int, call: Call) -> tuple[Recorded, Answer]:
        recorded = unpack(self._spool.read(place))
        pair = recorded, _serve(call, recorded, "extra", recorded.service_ns)
        self._warm.put(place, pair, len(recorded.body))
        return pair

    def _find(self, key: Key, cycle: int) -> tuple[AnswerSequence | None, bool]:
        """Return the answers to ``key``, and whether they are its own and not just lent."""
        found = self._sequences.get(key)
        if found is None and self._hostless and key.host not in self.hosts:
            found = self._hostless.get(replace(key, host=""))
        if isinstance(found, CycleAnswers):
            return found.at(cycle)
        if found is None and key.body in self._items:
            return self._lent.get(replace(key, body="")), False
        return found, True

    def _miss(self, key: Key) -> Miss:
        if key not in self._misses:
            found: Sequence[str] = ()
            if len(self._misses) < _DESCRIBED:
                found = nearest(key, self._sequences)
            self._misses[key] = Miss(describe(key), tuple(found))
        return self._misses[key]

    def _lend(self) -> None:
        ends = {key: one for key, one in self._sequences.items() if key.body.startswith(OF_ITEM)}
        self._items = frozenset(key.body for key in ends)
        for key, sequence in ends.items():
            if isinstance(sequence, AnswerSequence):
                self._lent.setdefault(replace(key, body=""), sequence)

    # --- Loading ----------------------------------------------------------------------------------

    def _load(self, recording: Recording) -> None:
        timed = recording.header.latency == "recorded"
        cycles = self._recorded_cycles(recording)
        opens = {opened.connection: opened for opened in outbound(recording)}
        waiting: dict[int, _Waiting] = {}
        early: dict[int, Response | Failure] = {}
        """Ends that stand before their request, where a recording's clock went backwards."""
        for _, event in select(recording, Request, Response, Failure):
            if isinstance(event, Request):
                if event.connection in opens:
                    cycle = cycles.get(event.exchange, 0)
                    asking = self._expect(opens[event.connection], event, cycle)
                    waiting[event.exchange] = asking
                    if event.exchange in early:
                        self._keep(asking, early.pop(event.exchange), timed=timed)
            elif event.exchange in waiting:
                self._keep(waiting.pop(event.exchange), event, timed=timed)
            elif event.exchange is not None and event.connection in opens:
                early[event.exchange] = event
        answered = self._sequences.items()
        self._sequences = {key: one for key, one in answered if one.drop_unanswered()}

    def _recorded_cycles(self, recording: Recording) -> dict[int, int]:
        """Return the cycle of each recorded exchange where one of them is answered by it."""
        rules = self._rules
        if rules.cycle is None or all(mode != "by-cycle" for _, mode in rules.modes):
            return {}
        return cycle_numbers(exchanges(recording), rules.cycle, self._deadline_s)

    def _expect(self, opened: Open, request: Request, cycle: int) -> _Waiting:
        """Make room for the answers to a recorded request."""
        host = host_key(opened)
        if not self.first_ns:
            self.first_ns = request.at_ns
        asked = read_request(
            *(request.method, host, request.target, request.headers, request.body, self._rules)
        )
        places = []
        for call in asked.calls:
            sequence = self._sequences.get(call.key)
            if sequence is None:
                mode = _mode(self._rules, request.method, host, request.target)
                sequence = CycleAnswers() if mode == "by-cycle" else AnswerSequence(mode)
                self._sequences[call.key] = sequence
            if isinstance(sequence, CycleAnswers):
                sequence = sequence.of(cycle)
            places.append((sequence, sequence.reserve(call.exact, request.at_ns)))
        return _Waiting(opened, request, asked, places)

    def _keep(self, waiting: _Waiting, end: Response | Failure, *, timed: bool) -> None:
        """Keep the answers that came, each where there is room for it."""
        response = end if isinstance(end, Response) else None
        failure = end if isinstance(end, Failure) else None
        exchange = Exchange(0, waiting.open, waiting.request, response)
        if exchange.is_websocket:
            return
        sent = waiting.request
        answers = recorded_answers(exchange, waiting.asked, failure, timed=timed)
        for (sequence, number), answer in zip(waiting.places, answers, strict=True):
            if answer is not None:
                if any_matches(self._compresses, sent.method, exchange.url):
                    answer = compressed(answer)
                place = self._spool.add(pack(answer))
                sequence.fill(number, place, answer.service_ns, successful=answer.successful)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A recorded request whose answer was not met yet."""

    open: Open
    request: Request
    asked: Asked
    places: Sequence[tuple[AnswerSequence, int]]


def _mode(rules: MatchRules, method: str, host: str, target: str) -> MatchMode:
    for pattern, mode in rules.modes:
        if request_matches(pattern, method, url_like(pattern, host, target)):
            return mode
    return "sequence"


def _serve(
    call: Call, recorded: Recorded, outcome: Literal["hit", "extra"], service_ns: int
) -> Answer:
    return Answer(
        outcome,
        *(recorded.exchange, recorded.status, recorded.reason, recorded.headers),
        recorded.body_for(call),
        *(service_ns, recorded.body_ns, recorded.closes, recorded.broke),
        encoding=recorded.encoding,
        pieces=recorded.pieces,
        chunked=recorded.chunked,
    )
