"""What one client has asked for, and what it is answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from perfscan.replay.model import MatchRules
from perfscan.replay.server.stations import Station
from perfscan.replay.server.subscriptions import Ask, read_asks


@dataclass(frozen=True, slots=True)
class Reply:
    """A message that answers the client."""

    delay_ns: int
    text: str
    opens: frozenset[str]
    """Topics of which the client hears from then on."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What follows from a message of the client."""

    replies: tuple[Reply, ...]
    unknown: tuple[str, ...]
    """What it asks for that was never recorded."""


class Conversation:
    """The client's side of a connection: its topics, on all stations of its address."""

    def __init__(
        self, stations: Sequence[Station], topics: frozenset[str], rules: MatchRules
    ) -> None:
        self._stations = stations
        self._rules = rules
        self.active = topics
        """What the client hears of."""

    @property
    def known(self) -> Iterator[str]:
        """All that could be asked for."""
        for station in self._stations:
            yield from station.plan.known

    def hear(self, data: str | bytes, now_ns: int) -> Heard:
        """Take in a message that came at ``now_ns``; streams that waited for it start then."""
        asks = read_asks(data, self._rules)
        answers = [self._answer(ask, now_ns) for ask in asks]
        replies = [reply for answer in answers for reply in answer.replies]
        if len(asks) > 1 and replies:
            replies = [
                Reply(
                    max(reply.delay_ns for reply in replies),
                    f"[{','.join(reply.text for reply in replies)}]",
                    frozenset().union(*(reply.opens for reply in replies)),
                )
            ]
        unknown = [unit for answer in answers for unit in answer.unknown]
        return Heard(tuple(replies), tuple(unknown))

    def _answer(self, ask: Ask, now_ns: int) -> Heard:
        ended = self._ended(ask)
        known = {unit: station for unit in ask.units if (station := self._station_of(unit))}
        unknown = [unit for unit in ask.units if unit not in known and not ended & self.active]
        self.active -= ended
        replies: list[Reply] = []
        as_whole = True
        for unit, station in known.items():
            if station.plan.gated:
                station.start(now_ns)
            given = station.answers(unit)
            for answer in given:
                if answer.unit or as_whole:
                    opens = frozenset([answer.unit] if answer.unit else known)
                    replies.append(Reply(answer.delay_ns, answer.text_for(ask.rpc_id), opens))
            as_whole = as_whole and all(answer.unit for answer in given)
        answered = frozenset().union(*(reply.opens for reply in replies))
        prompt = {unit for unit, station in known.items() if unit in station.plan.prompt}
        self.active |= frozenset(known) - answered | prompt
        return Heard(tuple(replies), tuple(unknown))

    def _ended(self, ask: Ask) -> frozenset[str]:
        """Return the topics that a message ends the subscription to."""
        named = (
            station.plan.ids[name]
            for station in self._stations
            for name in ask.named
            if name in station.plan.ids
        )
        return frozenset((*ask.leaves, *named))

    def _station_of(self, unit: str) -> Station | None:
        return next((one for one in self._stations if unit in one.plan.known), None)
