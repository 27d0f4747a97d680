"""Effects that are requests of the bot: a message sent, an order placed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from perfscan.replay.effects.kind import SHOWN, Effect, Judgement, compared
from perfscan.replay.exchanges import Exchange, exchanges
from perfscan.replay.items import all_text, effect_key, effect_payload, holds, request_matches
from perfscan.replay.model import Observation, Recording, RequestEffect
from perfscan.replay.stimuli import Stimulus

REFUSED = 400
"""An effect answered with this status or above did not happen; sending it again is right."""


class Requests:
    """Accepted requests end items. One that no stimulus asked for is wrong."""

    strays = True
    repeats = False

    def __init__(self, rule: RequestEffect) -> None:
        self._rule = rule

    def done(
        self, recording: Recording, traffic: Recording | Observation, begun: Sequence[Stimulus]
    ) -> dict[str, list[Effect]]:
        """Return all accepted effects by key, in the order in which they were sent."""
        found: dict[str, list[Effect]] = defaultdict(list)
        for exchange in exchanges(traffic):
            if not self._accepted(exchange):
                continue
            key = effect_key(self._rule, exchange.request)
            if key is not None:
                found[key].append(self._effect(key, exchange))
        return dict(found)

    def away(
        self, recording: Recording, observation: Observation, due: Mapping[str, int]
    ) -> Collection[str]:
        """Return nothing: services are always there."""
        return ()

    def _accepted(self, exchange: Exchange) -> bool:
        if exchange.response is None or exchange.response.status >= REFUSED:
            return False
        return self._pattern(exchange) is not None

    def _pattern(self, exchange: Exchange) -> str | None:
        method, url = exchange.request.method, exchange.url
        fitting = (one for one in self._rule.request if request_matches(one, method, url))
        return next(fitting, None)

    def _effect(self, key: str, exchange: Exchange) -> Effect:
        """Return an effect; where several requests are, which of them it is must be equal too."""
        rule, sent = self._rule, exchange.request
        payload = effect_payload(sent)
        if rule.apology is not None and holds(rule.apology, text := all_text(payload)):
            words = next((line for line in text.splitlines() if holds(rule.apology, line)), text)
            judgement = Judgement("missed", f"it apologised: {words[:SHOWN]}")
            return Effect(key, sent.at_ns, "", judgement)
        values = compared(rule.compare, payload)
        if len(rule.request) > 1:
            values = f"{self._pattern(exchange)} {values}"
        return Effect(key, sent.at_ns, values)
