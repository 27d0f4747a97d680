"""Effects that are the bot's own answers to the requests that began the items."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from perfscan.replay.effects.kind import Effect, compared
from perfscan.replay.exchanges import exchanges
from perfscan.replay.items import text_of
from perfscan.replay.json_text import json_of
from perfscan.replay.model import (
    DRIVEN,
    AnswerEffect,
    Observation,
    Recording,
    Request,
    Response,
)
from perfscan.replay.stimuli import Stimulus


class Answers:
    """The last byte of an answer ends an item; status and content must be as recorded."""

    strays = False
    repeats = False

    def __init__(self, rule: AnswerEffect) -> None:
        self._rule = rule

    def done(
        self, recording: Recording, traffic: Recording | Observation, begun: Sequence[Stimulus]
    ) -> dict[str, list[Effect]]:
        """Return the answer to each recorded request that was answered; each has its own key."""
        added = DRIVEN if isinstance(traffic, Observation) else 0
        answers = {
            call.request.exchange: call.response for call in exchanges(traffic, inbound=True)
        }
        found: dict[str, list[Effect]] = {}
        for stimulus in begun:
            request = recording.events[stimulus.mark]
            answer = answers.get(request.exchange + added) if type(request) is Request else None
            if answer is not None:
                found[stimulus.key] = [Effect(stimulus.key, answer.end_ns, self._values(answer))]
        return found

    def away(
        self, recording: Recording, observation: Observation, due: Mapping[str, int]
    ) -> Collection[str]:
        """Return nothing: the inbound driver waits for every answer."""
        return ()

    def _values(self, answer: Response) -> str:
        body = json_of(answer.body)
        parts = compared(self._rule.compare, text_of(answer.body) if body is None else body)
        return f"{answer.status} {parts}"
