"""The records of the replay room: what was recorded, what is to be run, what came out.

All are frozen. Times are integer nanoseconds on one monotonic clock, counted from the start of
the recording or of the run. Directions are the bot's: it *sends* and it *receives*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Headers = tuple[tuple[str, str], ...]
Scheme = Literal["http", "https"]
Party = Literal["bot", "upstream"]
Direction = Literal["sent", "received"]

# --- Recorded or observed traffic ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Open:
    """A connection that the bot opened. Costs are None where the source did not time them."""

    connection: int
    at_ns: int
    scheme: Scheme
    host: str
    port: int
    connect_ns: int | None = None
    """What the TCP handshake with the real service took."""
    tls_ns: int | None = None
    """What the TLS handshake with the real service took, on top of ``connect_ns``."""


@dataclass(frozen=True, slots=True)
class Request:
    """A whole HTTP request, timed when its last byte left the bot."""

    exchange: int
    connection: int
    at_ns: int
    method: str
    target: str
    """Path and query as sent, such as ``/v1/tokens/abc/report?full=1``."""
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole HTTP response (status 101 for a WebSocket)."""

    exchange: int
    connection: int
    at_ns: int
    """When its first byte reached the bot."""
    end_ns: int
    """When its last byte did."""
    status: int
    headers: Headers = ()
    body: bytes = b""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One WebSocket message, decompressed and reassembled. ``data`` is str for text frames."""

    connection: int
    at_ns: int
    direction: Direction
    data: str | bytes
    heard: bool = True
    """False where the service pushed it while the recorded bot was disconnected."""


@dataclass(frozen=True, slots=True)
class Close:
    """The end of a connection; ``code`` is the WebSocket close code, where there was one."""

    connection: int
    at_ns: int
    by: Party
    code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A connection or an exchange that broke: refused, reset, timed out, unparsable."""

    connection: int
    at_ns: int
    detail: str
    exchange: int | None = None


Event = Open | Request | Response | Message | Close | Failure


@dataclass(frozen=True, slots=True)
class RecordingHeader:
    """The first line of a recording: where it came from and what it can be trusted for."""

    schema: str = "perfscan.recording/1"
    source: str = "perfscan record"
    started_at: str = ""
    """Wall-clock anchor of nanosecond 0, ISO 8601 with zone."""
    latency: Literal["recorded", "not recorded"] = "recorded"
    command: tuple[str, ...] = ()
    redacted: Mapping[str, int] = field(default_factory=dict)
    """How many values each kind of redaction replaced."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """Recorded traffic, events in time order."""

    header: RecordingHeader
    events: tuple[Event, ...]
    path: Path | None = None
    sha256: str = ""
    truncated: bool = False
    """The file ended inside a line or an exchange, as a killed recorder leaves it."""


# --- What the upstream server saw during a run ----------------------------------------------------


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
    outcome: Literal["hit", "extra", "miss"]
    """``extra`` repeats the last recorded answer because the recorded ones are used up."""
    recorded: int | None
    """Exchange id in the recording."""
    due_ns: int
    """When the recorded timing wanted the first byte out."""
    at_ns: int
    """When it went out."""
    size: int
    """Bytes of the response body."""
    miss: Miss | None = None


@dataclass(frozen=True, slots=True)
class StreamStart:
    """A recorded stream began to play: recorded time ``recorded_ns`` is run time ``at_ns``.

    It happens once per URL, at the first matching subscription; from then on the stream does not
    wait for anybody.
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


Observed = Event | Served | StreamStart | Pushed


@dataclass(frozen=True, slots=True)
class Observation:
    """All that the upstream server saw of one run, in time order."""

    events: tuple[Observed, ...]
    speed: float = 1.0
    """Recorded waits were divided by this."""
    until_ns: int | None = None
    """Only stream messages up to this recorded time (from the stream's start) were played."""


# --- Scenario -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Implementation:
    """One side of a comparison: how to start it."""

    name: str
    command: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    """Names of real services that it needs, such as ``redis``."""
    switches: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Optimisation name to the environment that turns it off."""


@dataclass(frozen=True, slots=True)
class KeyRule:
    """How the key that joins a stimulus with its effect is read from a JSON or text payload.

    ``path`` is a JSONPath (RFC 9535) to a value; ``pattern`` is a regular expression whose first
    group is the key, applied to that value or, without ``path``, to the whole payload.
    """

    path: str | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class StimulusRule:
    """Which pushed WebSocket messages begin an item."""

    websocket: str
    """URL without query, such as ``wss://mainnet.example.com/``."""
    key: KeyRule
    containing: str | None = None
    """Only messages whose text holds this regular expression."""


@dataclass(frozen=True, slots=True)
class EffectRule:
    """Which requests of the bot end an item, and which part of them must be equal."""

    request: str
    """Method and URL pattern, ``*`` within a path segment or for a whole one."""
    key: KeyRule
    compare: tuple[str, ...] = ()
    """JSONPaths into the body that must be equal on both sides; empty means the whole body."""


@dataclass(frozen=True, slots=True)
class ItemRules:
    """What one unit of the bot's work is, seen from the wire."""

    stimulus: StimulusRule
    effect: EffectRule
    deadline_s: float = 60.0
    """An effect later than this after its stimulus counts as missed."""
    settle_s: float = 5.0
    """A run ends when nothing has happened for this long after the last stimulus."""


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


@dataclass(frozen=True, slots=True)
class MatchRules:
    """What the matcher may ignore when it compares a request with the recorded ones."""

    ignore_query: tuple[str, ...] = ()
    ignore_body: tuple[str, ...] = ()
    allow_misses: bool = False
    effect: EffectRule | None = None
    """Requests that end an item are matched by the item's key alone. Whether they say the same is
    for the comparison of the work to judge, not for the server by refusing them."""


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
    claims: tuple[Claim, ...] = ()
    targets: Mapping[str, float] = field(default_factory=dict)
    """Metric name to the largest allowed value after the change (smallest for higher-better)."""
    counts: Mapping[str, str] = field(default_factory=dict)
    """Own metrics: name to the request pattern that is counted."""
    critical_path: tuple[tuple[str, ...], ...] = ()
    """Stages of request patterns that depend on each other, for the floor of the item latency."""
    simulated: str = ""
    """What about the recording is simulated, for the report; empty for real traffic."""
    lanes: int = 1
    """How many pairs may run side by side; more than 1 only where the bot mostly waits."""


# --- Runs and their comparison ------------------------------------------------------------------

Side = Literal["original", "optimized"]
ItemState = Literal["handled", "missed", "duplicated", "wrong", "late"]


@dataclass(frozen=True, slots=True)
class Item:
    """One unit of work in one run."""

    key: str
    stimulus_ns: int
    """Intended time of the stimulus."""
    state: ItemState
    latency_ms: float | None
    """First effect minus intended stimulus; None where there was none."""
    content: str | None = None
    """Hash of the normalised effect."""
    detail: str = ""
    expected: bool = True
    """False for an effect that the recording does not hold, so that nothing is owed."""
    away: bool = False
    """True where the stimulus did not reach the bot: it was not connected, or left at once."""


@dataclass(frozen=True, slots=True)
class Run:
    """One fresh process that went through the whole recording once."""

    side: Side
    pair: int
    slot: int
    """0 ran first in its pair, 1 second."""
    ok: bool
    metrics: Mapping[str, float]
    items: tuple[Item, ...]
    misses: tuple[Miss, ...] = ()
    problem: str = ""
    """Why ``ok`` is false, one line."""
    log: str = ""
    """The last lines that the bot printed."""
    escapes: tuple[str, ...] = ()
    """Hosts outside the recording that the bot tried to reach."""


Better = Literal["lower", "higher"]
MetricVerdict = Literal["improved", "regressed", "no change", "unclear"]
ClaimVerdict = Literal["confirmed", "not confirmed", "refuted", "not measured"]
Verdict = Literal["faster", "slower", "mixed", "no change found", "inconclusive", "replies differ"]


@dataclass(frozen=True, slots=True)
class MetricComparison:
    """One metric over all pairs. ``ratio`` is after/before."""

    name: str
    unit: str
    better: Better
    before: float
    after: float
    ratio: float | None
    ci_low: float | None
    ci_high: float | None
    confidence: float
    """Coverage of the interval, such as 0.969; 1.0 where the metric is an exact count."""
    verdict: MetricVerdict
    counted: bool = False
    target: float | None = None
    target_met: Literal["met", "missed", "not proven"] | None = None
    floor: float | None = None
    """Best value that the recorded traffic permits."""
    label: str = ""
    """Name for people, such as ``Item latency p95``."""
    role: Literal["speed", "work", "traffic", "cost", "schedule"] = "speed"
    """``speed`` and ``work`` decide the verdict, ``cost`` is what a gain was paid with."""
    after_low: float | None = None
    """Interval of ``after`` itself, for targets."""
    after_high: float | None = None
    detectable: float | None = None
    """Smallest change that these runs could have shown, 0.1 for 10 %."""
    pairs_to_settle: int | None = None
    """Pairs after which an unclear metric would be decided; None where no number helps."""
    total: str = ""
    """Name of the total that this metric gives per item handled."""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """A claim beside its measurement."""

    claim: Claim
    verdict: ClaimVerdict
    measured: str
    """One phrase in plain words with the figures that decide."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One item whose effect was not the same on both sides."""

    key: str
    side: Side
    kind: Literal["missed", "duplicated", "wrong"]
    detail: str
    runs: int = 1


@dataclass(frozen=True, slots=True)
class SideWork:
    """What one side did with the recorded stimuli, totals over its runs."""

    handled: int
    missed: int
    duplicated: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Whether both sides did the same work."""

    same: bool
    items: int
    """Recorded stimuli that expect an effect, per run."""
    original: SideWork
    optimized: SideWork
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reason to distrust a number, and what would remove it."""

    code: str
    what: str
    remedy: str
    voids: bool = False
    """True where the figures must not be used at all."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides over all finished pairs."""

    pairs: int
    metrics: tuple[MetricComparison, ...]
    equivalence: Equivalence
    claims: tuple[ClaimResult, ...]
    noise: Mapping[str, float]
    """Per metric: half-width of the ratio between runs of the same side, 0.04 for 4 %."""
    doubts: tuple[Doubt, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """What ``RUN.json`` holds: enough to draw every report again."""

    scenario: Mapping[str, Any]
    environment: Mapping[str, Any]
    recording: Mapping[str, Any]
    method: Mapping[str, Any]
    runs: tuple[Run, ...]
    comparison: Comparison
    interrupted: bool = False
    findings: Mapping[str, Any] | None = None
    """Per side the findings of ``perfscan analyze`` as in ``perfscan.findings/1``, or None."""
