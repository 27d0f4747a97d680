"""What is to be run, on which traffic, and what counts as one piece of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from perfscan.replay.model.emulation import Emulated
from perfscan.replay.model.variants import Variant


@dataclass(frozen=True, slots=True)
class ServiceRule:
    """A real service that a bot needs, and what it holds when a run begins."""

    name: str
    """Such as ``redis``."""
    seed_file: Path | None = None
    """SQL, or commands of Redis."""
    seed_command: tuple[str, ...] = ()
    """A program that fills it instead."""
    variable: str = ""
    """Environment variable that tells the bot its URL; empty for the usual one."""
    url: str = ""
    """Where somebody else runs it; empty where perfscan starts one for each run."""


@dataclass(frozen=True, slots=True)
class Implementation:
    """One side of a comparison: how to start it."""

    name: str
    command: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: tuple[str, ...] = ()
    """What is run in each run's copy of the folder before it starts; none of it is measured."""
    services: tuple[ServiceRule, ...] = ()
    switches: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Optimisation name to the environment that turns it off."""
    listens: int | None = None
    """Port on which it answers its own users; None for the recorded one."""


@dataclass(frozen=True, slots=True)
class KeyRule:
    """How the key that joins a stimulus with its effect is read from a JSON or text payload.

    ``path`` is a JSONPath (RFC 9535) to a value; ``pattern`` is a regular expression whose first
    group is the key, applied to that value or, without ``path``, to the whole payload.
    """

    path: str | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class PushStimulus:
    """Which pushed WebSocket messages begin an item."""

    websocket: str
    """URL without query, such as ``wss://mainnet.example.com/``."""
    key: KeyRule
    containing: str | None = None
    """Only messages whose text holds this regular expression."""


@dataclass(frozen=True, slots=True)
class UpdateStimulus:
    """Which updates, handed to a long poll, begin an item. The defaults are Telegram's."""

    poll: str
    """Request pattern of the poll."""
    key: KeyRule = KeyRule("$..chat.id")
    containing: str | None = None
    """Only updates whose JSON holds this regular expression."""
    updates: str = "$.result"
    """JSONPath of the list of updates in an answer."""
    id: str = "$.update_id"
    """JSONPath of the number of an update, within it; numbers rise."""
    offset: str = "offset"
    """Parameter: number of the first update that is wanted; confirms all before."""
    timeout: str = "timeout"
    """Parameter: seconds that an answer may be held back."""
    limit: str = "limit"
    """Parameter: how many updates an answer may hold."""


@dataclass(frozen=True, slots=True)
class InboundStimulus:
    """Which requests to the bot (a webhook, a dashboard's call) begin an item."""

    inbound: str
    """Method and path, such as ``POST /webhook/*``."""
    key: KeyRule | None = None
    """None numbers the requests in their recorded order."""
    containing: str | None = None


@dataclass(frozen=True, slots=True)
class ClientStimulus:
    """Which messages from the bot's own WebSocket clients begin an item."""

    client: str
    """Path of the bot's WebSocket, such as ``/ws``."""
    key: KeyRule
    containing: str | None = None


@dataclass(frozen=True, slots=True)
class CycleStimulus:
    """Which request of the bot begins a new cycle: any of them after the last cycle's end.

    A cycle has ended once its effect was answered. Where it asks for the same several times, only
    ``pause_s`` tells cycles apart.
    """

    cycle: tuple[str, ...]
    """Request patterns."""
    pause_s: float = 0.0
    """Silence, no request under way, that parts two cycles; 0 where the effect alone does."""
    cycles: int | None = None
    """Only so many of the recorded cycles."""


StimulusRule = PushStimulus | UpdateStimulus | InboundStimulus | ClientStimulus | CycleStimulus


@dataclass(frozen=True, slots=True)
class RequestEffect:
    """Which requests of the bot end an item, and which part of them must be equal."""

    request: tuple[str, ...]
    """Methods and URL patterns, ``*`` within a path segment or for a whole one."""
    key: KeyRule
    compare: tuple[str, ...] = ()
    """JSONPaths into the body that must be equal on both sides; empty means the whole body."""
    apology: str | None = None
    """Regular expression: an effect whose text holds it says that the work could not be done."""


@dataclass(frozen=True, slots=True)
class AnswerEffect:
    """The bot's own answer to the inbound request ends the item."""

    compare: tuple[str, ...] = ()
    """JSONPaths into the answer that must be equal; empty means all of it. So must the status."""


@dataclass(frozen=True, slots=True)
class MessageEffect:
    """Which messages to the bot's own WebSocket clients end an item.

    What comes from one client is answered to that client; any other stimulus makes one item for
    each client that was told of it in the recording.
    """

    message: str
    """Path of the bot's WebSocket, such as ``/ws``."""
    key: KeyRule
    compare: tuple[str, ...] = ()
    each: str | None = None
    """JSONPath of the parts of a message that each have a key, as where updates are batched."""
    repeats: bool = False
    """Whether a key may come again, as where the whole state is sent each time."""


@dataclass(frozen=True, slots=True)
class CycleEffect:
    """Which requests belong to a cycle's work; the answer to the last of them ends it."""

    request: tuple[str, ...]
    """Request patterns."""
    compare: tuple[str, ...] = ()
    """JSONPaths into the bodies of all of them; empty compares nothing."""
    compare_in: tuple[str, ...] = ()
    """Request patterns of the decisions: only these are compared, each by itself, wholly where
    ``compare`` is empty. What else belongs to a cycle only ends it."""

    @property
    def all_requests(self) -> tuple[str, ...]:
        """Patterns of all that belongs to a cycle's work; decisions do in any case."""
        return self.request + self.compare_in


EffectRule = RequestEffect | AnswerEffect | MessageEffect | CycleEffect


@dataclass(frozen=True, slots=True)
class ItemRules:
    """What one unit of the bot's work is, seen from the wire."""

    stimulus: StimulusRule
    effect: EffectRule
    deadline_s: float = 60.0
    """An effect later than this after its stimulus counts as missed."""
    settle_s: float = 5.0
    """A run ends when nothing has happened for this long after the last stimulus."""
    numbered: bool = False
    """The n-th stimulus of a key belongs to the n-th effect of that key, as in a chat."""
    order_by: KeyRule | None = None
    """What is read from the stimuli of items whose effects must come in the same order."""


Take = Literal["first", "last", "sum", "mean", "max", "count"]


@dataclass(frozen=True, slots=True)
class ReadingRule:
    """A figure that the bot itself tells, in its log or at an endpoint of its own."""

    log: str | None = None
    """Regular expression whose group is the value."""
    url: str | None = None
    """Asked at the end of the run, inside the bot's network."""
    path: str | None = None
    """JSONPath into the answer, or ``pattern`` as for a log."""
    pattern: str | None = None
    take: Take = "last"
    """Which of several values, or what is made of them."""
    scale: float = 1.0
    unit: str = "count"
    better: Literal["lower", "higher"] = "lower"


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of somebody's report and the measured quantity that it speaks of."""

    text: str
    source: str
    """Where it stands, such as ``Performance Targets, row 1``."""
    metric: str | None = None
    """Metric name, or None where no run of this scenario can measure it."""
    before: tuple[float, float | None] | None = None
    after: tuple[float, float | None] | None = None
    ratio: tuple[float, float] | None = None
    """Claimed after/before as an interval."""
    not_measured: str | None = None
    """Why no metric answers it, and what would."""


MatchMode = Literal["sequence", "last", "by-time", "by-cycle"]
"""The n-th answer to the n-th request, then the last successful one; the same, but then the very
last one; always the answer that was current at that moment of the recording; or, in the n-th cycle
of the bot, the answers of the n-th recorded cycle, each cycle with a sequence of its own."""


@dataclass(frozen=True, slots=True)
class TopicRule:
    """Where the topic of a subscription stands: in what the bot sends, and in what it receives."""

    subscribe: str
    """JSONPath of topics in a message that subscribes to them or ends that."""
    message: str
    """JSONPath of the same topic in a pushed message."""


@dataclass(frozen=True, slots=True)
class MatchRules:
    """What the matcher may ignore when it compares a request with the recorded ones."""

    ignore_query: tuple[str, ...] = ()
    ignore_body: tuple[str, ...] = ()
    allow_misses: bool = False
    paths: tuple[str, ...] = ()
    """Request patterns; what stands in the place of their ``*`` does not matter."""
    modes: tuple[tuple[str, MatchMode], ...] = ()
    """Request pattern to how its requests are answered; the first that fits counts."""
    topics: tuple[TopicRule, ...] = ()
    """How topics of WebSocket subscriptions are found where their words alone do not tell."""
    effect: RequestEffect | None = None
    """Requests that end an item are matched by the item's key alone. Whether they say the same is
    for the comparison of the work to judge, not for the server by refusing them."""
    cycle: CycleStimulus | None = None
    """What begins a cycle, for the mode ``by-cycle``."""


@dataclass(frozen=True, slots=True)
class LatencyRule:
    """How long a service takes to answer: one of ``values_ms``, or a lognormal distribution."""

    request: str
    """Request pattern, or ``*`` for every request."""
    values_ms: tuple[float, ...] = ()
    p50_ms: float = 0.0
    p95_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that a before/after replay needs, read from ``scenario.yaml``."""

    name: str
    title: str
    path: Path
    recording: Path
    original: Implementation
    optimized: Implementation
    items: ItemRules
    primary: str = "item_latency_ms.p95"
    threshold: float = 0.05
    """Smallest relative change worth a word."""
    match: MatchRules = MatchRules()
    latency: tuple[LatencyRule, ...] = ()
    """For recordings that do not say how long services took; the first rule that fits decides."""
    claims: tuple[Claim, ...] = ()
    targets: Mapping[str, float] = field(default_factory=dict)
    """Metric name to the largest allowed value after the change (smallest for higher-better)."""
    counts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Own metrics: name to the request patterns that are counted."""
    latencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Own metrics: name to the patterns of the requests whose answers are waited for."""
    readings: Mapping[str, ReadingRule] = field(default_factory=dict)
    """Own metrics that the bot tells."""
    critical_path: tuple[tuple[str, ...], ...] = ()
    """Stages of request patterns that depend on each other, for the floor of the item latency."""
    simulated: str = ""
    """What about the recording is simulated, for the report; empty for real traffic."""
    vary: tuple[str, ...] = ()
    """Regular expressions of what a load multiplier makes new in each copy, beside the keys."""
    lanes: int = 1
    """How many pairs may run side by side; more than 1 only where the bot mostly waits."""
    emulated: Emulated = field(default_factory=Emulated)
    """Limits that the services keep, faults that every run meets."""
    compresses: tuple[str, ...] = ()
    """Requests whose answers the services compress for clients that accept it."""
    variants: tuple[Variant, ...] = ()
    """The same bots under other circumstances."""
