"""What a bot waits for at its services, and through how many connections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from perfscan.replay.exchanges import Exchange, outbound
from perfscan.replay.model import Close, Observation


def waits_ms(calls: Sequence[Exchange]) -> Iterator[tuple[Exchange, float]]:
    """Yield each answered request with the time until its answer was whole.

    The first request on a connection waits from the connection's opening, as the bot did.
    """
    firsts: dict[int, int] = {}
    for call in calls:
        firsts.setdefault(call.open.connection, call.request.exchange)
    for call in calls:
        if call.response is not None and not call.is_websocket:
            first = firsts[call.open.connection] == call.request.exchange
            begun_ns = call.open.at_ns if first else call.request.at_ns
            yield call, (call.response.end_ns - begun_ns) / 1e6


def most_open(observation: Observation) -> int:
    """Count the connections that the bot had open at the same time, at the worst moment."""
    opens = {opened.connection: opened.at_ns for opened in outbound(observation)}
    steps = [(at_ns, 1) for at_ns in opens.values()]
    steps += [
        (event.at_ns, -1)
        for event in observation.events
        if isinstance(event, Close) and event.connection in opens
    ]
    return max(accumulate(step for _, step in sorted(steps)), default=0)
