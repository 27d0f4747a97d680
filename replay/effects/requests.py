"""Effects that are requests of the bot: a message sent, an order placed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from perfscan.replay.effects.kind import Effect, compared
from perfscan.replay.exchanges import Exchange, exchanges
from perfscan.replay.items import effect_key, effect_payload, request_matches
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
                values = compared(self._rule.compare, effect_payload(exchange.request))
                found[key].append(Effect(key, exchange.request.at_ns, values))
        return dict(found)

    def away(
        self, recording: Recording, observation: Observation, due: Mapping[str, int]
    ) -> Collection[str]:
        """Return nothing: services are always there."""
        return ()

    def _accepted(self, exchange: Exchange) -> bool:
        if exchange.response is None or exchange.response.status >= REFUSED:
            return False
        return request_matches(self._rule.request, exchange.request.method, exchange.url)
