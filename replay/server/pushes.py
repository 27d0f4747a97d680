"""Messages of a stream that a client was sent together: noted in one go, told apart later."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from perfscan.replay.model import Pushed


@dataclass(slots=True)
class Pushes:
    """What many :class:`Pushed` would say; there may be 300,000 of those a second."""

    connection: int
    at_ns: int
    start_ns: int
    """When the stream began."""
    messages: array[int]
    """Indexes of the messages among the recording's events."""
    due_ns: array[int]
    """For each message when it was due, counted from the stream's start."""

    def __iter__(self) -> Iterator[Pushed]:
        for message, due_ns in zip(self.messages, self.due_ns, strict=True):
            yield Pushed(self.connection, message, self.start_ns + due_ns, self.at_ns)

    def encode(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "kind": "pushes",
            "connection": self.connection,
            "at_ns": self.at_ns,
            "start_ns": self.start_ns,
            "messages": _encode(self.messages),
            "due_ns": _encode(self.due_ns),
        }


def decode_pushes(line: Mapping[str, Any]) -> Pushes:
    """Return what :meth:`Pushes.encode` wrote; raises ValueError, KeyError or TypeError."""
    return Pushes(
        *(line["connection"], line["at_ns"], line["start_ns"]),
        *(_decode(line["messages"]), _decode(line["due_ns"])),
    )


def _encode(numbers: array[int]) -> list[int] | str:
    """Return a few numbers as they are, many as base64 of their 64 bits (this machine's order)."""
    return numbers.tolist() if len(numbers) < 8 else base64.b64encode(numbers).decode("ascii")


def _decode(numbers: list[int] | str) -> array[int]:
    return array("q", numbers if isinstance(numbers, list) else base64.b64decode(numbers))
