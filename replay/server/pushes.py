"""Messages of a stream that a client was sent together: noted in one go, told apart later."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from perfscan.replay.model import Pushed
from perfscan.replay.server.timeline import StreamClock


@dataclass(slots=True)
class Pushes:
    """What many :class:`Pushed` would say; there may be 300,000 of those a second."""

    connection: int
    at_ns: int
    clock: StreamClock
    messages: array[int]
    """Indexes of the messages among the recording's events."""
    sent_ns: array[int]
    """When each of them was to be sent, on the recording's clock."""

    def __iter__(self) -> Iterator[Pushed]:
        for message, sent_ns in zip(self.messages, self.sent_ns, strict=True):
            yield Pushed(self.connection, message, self.clock.due_ns(sent_ns), self.at_ns)

    def encode(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "kind": "pushes",
            "connection": self.connection,
            "at_ns": self.at_ns,
            "clock": [self.clock.start_ns, self.clock.recorded_ns, self.clock.speed],
            "messages": _encode(self.messages),
            "sent_ns": _encode(self.sent_ns),
        }


def decode_pushes(line: Mapping[str, Any]) -> Pushes:
    """Return what :meth:`Pushes.encode` wrote; raises ValueError, KeyError or TypeError."""
    return Pushes(
        *(line["connection"], line["at_ns"], StreamClock(*line["clock"])),
        *(_decode("i", line["messages"]), _decode("q", line["sent_ns"])),
    )


def _encode(numbers: array[int]) -> list[int] | str:
    """Return a few numbers as they are, many as base64 of their bytes in this machine's order."""
    return numbers.tolist() if len(numbers) < 8 else base64.b64encode(numbers).decode("ascii")


def _decode(typecode: Literal["i", "q"], numbers: list[int] | str) -> array[int]:
    return array(typecode, numbers if isinstance(numbers, list) else base64.b64decode(numbers))
