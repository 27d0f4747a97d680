"""Finds the recorded answer for a request; it never has another source of answers."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Literal

from perfscan.replay.exchanges import exchanges, outbound
from perfscan.replay.keys import Asked, Call, Key, host_key, read_request
from perfscan.replay.model import Failure, MatchRules, Miss, Recording
from perfscan.replay.server.answers import (
    Answer,
    Recorded,
    join_batch,
    recorded_answers,
    refuse,
    refuse_element,
)
from perfscan.replay.server.nearest import describe, nearest

_DESCRIBED = 1000
"""Misses beyond so many different ones are named without their nearest requests."""


@dataclass(slots=True)
class _Sequence:
    """The recorded answers for one key, and how many of them are used up."""

    answers: list[Recorded] = field(default_factory=list)
    exact: dict[str, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    used: set[int] = field(default_factory=set)
    first_unused: int = 0
    asked: int = 0
    last_successful: Recorded | None = None
    salt: bytes = b""

    def add(self, call: Call, answer: Recorded) -> None:
        self.exact[call.exact].append(len(self.answers))
        self.answers.append(answer)
        if answer.successful:
            self.last_successful = answer

    def take(self, call: Call) -> Recorded | None:
        """Return the next unused answer, one to the very same request first."""
        self.asked += 1
        index = self._next_exact(call.exact)
        if index is None:
            while self.first_unused in self.used:
                self.first_unused += 1
            if self.first_unused == len(self.answers):
                return None
            index = self.first_unused
        self.used.add(index)
        return self.answers[index]

    def lasting(self) -> Recorded:
        """Return the answer that stands when all are used up: the last successful one."""
        return self.last_successful or self.answers[-1]

    def _next_exact(self, exact: str) -> int | None:
        waiting = self.exact.get(exact)
        while waiting:
            index = waiting.popleft()
            if index not in self.used:
                return index
        return None


class Matcher:
    """Answers requests from a recording, the n-th request for a thing with its n-th answer.

    It has no clock and no input or output; its state is what has been used up. ``any_host``
    accepts requests for hosts that were not recorded, as a mock server on localhost must.
    """

    def __init__(
        self,
        recording: Recording,
        rules: MatchRules = MatchRules(),  # noqa: B008 - frozen
        seed: int = 0,
        *,
        any_host: bool = False,
    ) -> None:
        self._rules = rules
        self._seed = seed
        self._any_host = any_host
        self._sequences: dict[Key, _Sequence] = defaultdict(_Sequence)
        self._misses: dict[Key, Miss] = {}
        self.hosts = {host_key(opened) for opened in outbound(recording)}
        self._load(recording)
        self._hostless = {replace(key, host=""): key for key in reversed(self._sequences)}

    def _load(self, recording: Recording) -> None:
        timed = recording.header.latency == "recorded"
        failures = {
            event.exchange: event
            for event in recording.events
            if isinstance(event, Failure) and event.exchange is not None
        }
        for exchange in exchanges(recording):
            if exchange.is_websocket:
                continue
            request = exchange.request
            asked = read_request(
                *(request.method, host_key(exchange.open), request.target),
                *(request.headers, request.body, self._rules),
            )
            failure = failures.get(request.exchange)
            for call, answer in recorded_answers(exchange, asked, failure, timed=timed):
                self._sequences[call.key].add(call, answer)

    @property
    def unused(self) -> int:
        """How many recorded answers nobody has asked for yet."""
        return sum(len(one.answers) - len(one.used) for one in self._sequences.values())

    def answer(self, asked: Asked) -> Answer:
        """Return the answer to a request; the recording's, or a refusal."""
        parts = [self._answer_call(call, in_batch=asked.is_batch) for call in asked.calls]
        return join_batch(asked, parts) if asked.is_batch else parts[0]

    def _answer_call(self, call: Call, *, in_batch: bool) -> Answer:
        sequence = self._find(call.key)
        if sequence is None:
            miss = self._miss(call.key)
            return refuse_element(call, miss) if in_batch else refuse(miss)
        recorded = sequence.take(call)
        if recorded is not None:
            return _serve(call, recorded, "hit", recorded.service_ns)
        return _serve(call, sequence.lasting(), "extra", self._drawn(call.key, sequence))

    def _find(self, key: Key) -> _Sequence | None:
        if key in self._sequences:
            return self._sequences[key]
        if self._any_host and key.host not in self.hosts:
            known = self._hostless.get(replace(key, host=""))
            return None if known is None else self._sequences[known]
        return None

    def _drawn(self, key: Key, sequence: _Sequence) -> int:
        """Draw a service time from the recorded ones: the same for the n-th request every time."""
        if not sequence.salt:
            sequence.salt = f"{self._seed}/{key}/".encode("utf-8", "backslashreplace")
        digest = blake2b(b"%b%d" % (sequence.salt, sequence.asked), digest_size=8).digest()
        answers = sequence.answers
        return answers[int.from_bytes(digest) % len(answers)].service_ns

    def _miss(self, key: Key) -> Miss:
        if key not in self._misses:
            found: Sequence[str] = ()
            if len(self._misses) < _DESCRIBED:
                found = nearest(key, self._sequences)
            self._misses[key] = Miss(describe(key), tuple(found))
        return self._misses[key]


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
