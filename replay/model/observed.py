"""What the upstream server saw during a run, beside the traffic itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from perfscan.replay.model.traffic import Event

Outcome = Literal["hit", "extra", "miss", "refused", "fault"]
"""``extra`` repeats the last recorded answer because the recorded ones are used up; ``refused``
exceeded an emulated limit, or is a long poll that a newer one ended; ``fault`` met an injected
fault in the place of its answer."""


@dataclass(frozen=True, slots=True)
class Miss:
    """A request that the recording could not answer."""

    request: str
    nearest: tuple[str, ...]
    """The closest recorded requests, each with what differed."""


@dataclass(frozen=True, slots=True)
class Served:
    """How one observed request was answered, beside its Request and Response."""

    exchange: int
    outcome: Outcome
    recorded: int | None
    """Exchange id in the recording."""
    due_ns: int
    """When the recorded timing wanted the first byte out."""
    at_ns: int
    """When it went out."""
    size: int
    """Bytes of the response body, decoded."""
    miss: Miss | None = None
    written: int = 0
    """Bytes of all that went out, with the head and as it was coded."""


@dataclass(frozen=True, slots=True)
class StreamStart:
    """A recorded stream began to play: recorded time ``recorded_ns`` is run time ``at_ns``.

    It happens once per URL, at the first matching subscription or long poll; from then on the
    stream does not wait for anybody. The traffic of the bot's own users begins with ``inbound``
    as its URL, when the bot first accepts a connection.
    """

    url: str
    at_ns: int
    recorded_ns: int


@dataclass(frozen=True, slots=True)
class Pushed:
    """A recorded stream message that was written to a connected client."""

    connection: int
    message: int
    """Index of the Message among the recording's events."""
    due_ns: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class Handed:
    """A recorded update that went out in the answer to a long poll."""

    exchange: int
    update: int
    """Its number in the recording."""
    due_ns: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class Driven:
    """A recorded request or message of the bot's own users that was sent to the bot."""

    event: int
    """Index of the Request or Message among the recording's events."""
    due_ns: int
    at_ns: int


DRIVEN = 1_000_000_000
"""What the inbound driver adds to the recorded numbers of connections and exchanges."""

Observed = Event | Served | StreamStart | Pushed | Handed | Driven


@dataclass(frozen=True, slots=True)
class Observation:
    """All that the upstream server saw of one run, in time order."""

    events: tuple[Observed, ...]
    speed: float = 1.0
    """Recorded waits were divided by this."""
    until_ns: int | None = None
    """Only stream messages up to this recorded time (from the stream's start) were played."""
