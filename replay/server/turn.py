"""One request and its answer on a connection, from its arrival until it is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from perfscan.replay.model import Observed, Request, Response, Served
from perfscan.replay.server.answers import Answer
from perfscan.replay.server.delivery import Delivery
from perfscan.replay.server.pushes import Pushes
from perfscan.replay.server.recognition import Heard


@dataclass(slots=True)
class Turn:
    """What is known of one exchange; mutable and compact, since there are 60,000 a second."""

    exchange: int
    connection: int
    heard: Heard
    at_ns: int
    """When the request was complete."""
    answer: Answer
    due_ns: int
    """When the first byte of the answer is due."""
    last: bool
    """The connection closes after it."""
    ready: bool = False
    """The due time has come."""
    whole: bool = False
    """The recorded time of the last byte has come, too."""
    delivery: Delivery | None = None
    """What is still to be written of an answer that comes bit by bit, once it has begun."""
    waited_for: bool = True
    """The run goes on until it is answered."""
    begun_ns: int | None = None
    """When the first byte was written; None for an answer that never began."""
    ended_ns: int | None = None
    """When the last byte was written, or the connection broken as recorded."""
    size: int = 0
    """Bytes of the body that were written, as they are once decoded."""
    written: int = 0
    """Bytes that went out, with the head and as they are coded."""

    def row(self) -> Row:
        """Return what is to be written down, plain values only."""
        answer = self.answer
        return (
            *(self.exchange, self.connection, self.at_ns, self.heard.number),
            *(self.due_ns, self.begun_ns, self.ended_ns, answer.status, answer.reason),
            *(answer.outcome, answer.recorded, self.size, self.written, answer.miss),
        )


Row = tuple[Any, ...]
"""Exchange, connection, arrival, number of what was heard, due, first and last byte written,
status, reason, outcome, recorded exchange, bytes of the body, bytes of all that was written, miss.
Without last byte no answer was sent, without first byte the connection broke instead."""
Seen = Observed | Pushes | Heard | Turn
"""What the server reports: events, messages written together, each distinct request once, and turns
that refer to them."""


def observed(seen: Seen) -> Iterator[Observed]:
    """Yield the events that the report stands for."""
    if isinstance(seen, Turn):
        yield from row_events(seen.row(), seen.heard.as_request())
    elif isinstance(seen, Pushes):
        yield from seen
    elif not isinstance(seen, Heard):
        yield seen


def observing(observe: Callable[[Observed], None]) -> Callable[[Seen], None]:
    """Return an observer of reports that hands events to ``observe``."""

    def note(seen: Seen) -> None:
        for event in observed(seen):
            observe(event)

    return note


def row_events(row: Row, request: Request) -> Iterator[Observed]:
    """Yield the events of a turn, given what was asked (numbers and time are the row's)."""
    exchange, connection, at_ns, _, due_ns, begun_ns, ended_ns, status, reason, *rest = row
    outcome, recorded, size, written, miss = rest
    yield replace(request, exchange=exchange, connection=connection, at_ns=at_ns)
    if ended_ns is None:
        return
    if begun_ns is not None:
        yield Response(exchange, connection, begun_ns, ended_ns, status, reason=reason)
    first_ns = ended_ns if begun_ns is None else begun_ns
    yield Served(exchange, outcome, recorded, due_ns, first_ns, size, miss, written)
