"""Whether a recording can be replayed, what is wrong with it, and what it can be used for."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from perfscan.errors import InputError
from perfscan.replay.exchanges import exchanges, outbound, websockets
from perfscan.replay.model import Close, Event, Failure, Message, Open, Recording, Request, Response
from perfscan.replay.recording import Reading
from perfscan.replay.redaction import Redactor

MOST_PLACES = 5
"""Places named for one kind of problem; the rest is counted."""
MOST_MISTAKES = 100
"""Lines named that cannot be read; the rest is counted."""

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of problem, wherever it was met."""

    severity: Severity
    """An error keeps the recording from being replayed as it was."""
    what: str
    remedy: str
    count: int
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """One thing that a recording may be good for."""

    use: str
    answer: Literal["yes", "partly", "no"]
    why: str


@dataclass(frozen=True, slots=True)
class Soundness:
    """All that was found."""

    problems: tuple[Problem, ...]
    uses: tuple[Use, ...]

    @property
    def replayable(self) -> bool:
        """Whether nothing stands in the way of a replay."""
        return all(problem.severity != "error" for problem in self.problems)


def examine(reading: Reading) -> Soundness:
    """Look for everything that is wrong with a recording and say what can be done with it."""
    recording = reading.recording
    secrets = _secrets(recording)
    problems = (
        *_mistakes(reading.mistakes),
        *_met(reading),
        *_left_open(recording),
        *_unmatched_calls(recording),
        *_exposed(secrets),
    )
    return Soundness(
        tuple(sorted(problems, key=lambda problem: problem.severity)),
        tuple(_uses(recording, secrets)),
    )


# --- Problems -------------------------------------------------------------------------------------

_KINDS: dict[str, tuple[Severity, str, str]] = {
    "empty": ("error", "there is no traffic in it", "record it again"),
    "twice-asked": (
        "error",
        "several requests have one exchange number, so their answers cannot be told apart",
        "give each exchange a number of its own",
    ),
    "twice-answered": (
        "error",
        "an exchange has several answers",
        "keep one response for each exchange",
    ),
    "unasked": (
        "warning",
        "an answer belongs to no request and is never served",
        "add the request or remove the answer",
    ),
    "elsewhere": (
        "warning",
        "an answer came over another connection than its request",
        "correct the connection of the answer",
    ),
    "early": (
        "warning",
        "an answer comes before its request; its latency counts as 0",
        "check the clocks of the source",
    ),
    "backwards": (
        "warning",
        "a body ends before it begins; it is sent at once",
        "check the clocks of the source",
    ),
    "negative": (
        "warning",
        "a time is negative",
        "let times count from the beginning of the recording",
    ),
    "unordered": (
        "warning",
        "an event comes after a later one; events are sorted by time when they are read",
        "write events as they happen, or convert the recording",
    ),
    "no-handshake": (
        "warning",
        "a WebSocket message without an accepted handshake is never played",
        "add request and response 101",
    ),
    "after-close": (
        "warning",
        "something happens on a connection after it was closed",
        "check the connection numbers",
    ),
    "pieces": (
        "warning",
        "the pieces of a body do not add up to it",
        "remove the pieces or correct their sizes",
    ),
    "reopened": (
        "error",
        "a connection number is opened several times",
        "give each connection a number of its own",
    ),
}


def _mistakes(mistakes: Sequence[InputError]) -> Iterator[Problem]:
    for mistake in mistakes[:MOST_MISTAKES]:
        place = (mistake.where,) if mistake.where else ()
        yield Problem("error", mistake.what, mistake.remedy or "record it again", 1, place)
    if len(mistakes) > MOST_MISTAKES:
        rest = len(mistakes) - MOST_MISTAKES
        yield Problem("error", "further lines cannot be used", "record it again", rest, ())


def _met(reading: Reading) -> Iterator[Problem]:
    """Group what the walk over the events met by its kind."""
    places: dict[str, list[str]] = defaultdict(list)
    for kind, index in _walk(reading.recording.events):
        places[kind].append(_place(reading, index))
    places["unordered"] += [_place(reading, index) for index in _late(reading)]
    if not any(isinstance(one, Request | Message) for one in reading.recording.events):
        places["empty"].append("")
    for kind, (severity, what, remedy) in _KINDS.items():
        if found := places[kind]:
            named = tuple(place for place in found[:MOST_PLACES] if place)
            yield Problem(severity, what, remedy, len(found), named)


def _late(reading: Reading) -> Iterator[int]:
    """Yield the index of each event whose line follows a later event of its connection."""
    latest: dict[int, int] = {}
    for _, index in sorted(zip(reading.lines, range(len(reading.lines)), strict=True)):
        event = reading.recording.events[index]
        settled_ns = event.end_ns if isinstance(event, Response) else event.at_ns
        if settled_ns < latest.get(event.connection, settled_ns):
            yield index
        else:
            latest[event.connection] = settled_ns


def _walk(events: Sequence[Event]) -> Iterator[tuple[str, int]]:
    """Yield each problem of an event as (kind, index)."""
    opened: set[int] = set()
    upgraded: set[int] = set()
    closed: set[int] = set()
    asked = {one.exchange: one for one in events if isinstance(one, Request)}
    seen: set[int] = set()
    answered: set[int] = set()
    for index, event in enumerate(events):
        if event.at_ns < 0:
            yield "negative", index
        if event.connection in closed and not isinstance(event, Failure | Close | Open):
            yield "after-close", index
        match event:
            case Open():
                if event.connection in opened:
                    yield "reopened", index
                opened.add(event.connection)
            case Request():
                if event.exchange in seen:
                    yield "twice-asked", index
                seen.add(event.exchange)
            case Response():
                if event.exchange in answered:
                    yield "twice-answered", index
                answered.add(event.exchange)
                if event.status == 101:
                    upgraded.add(event.connection)
                yield from ((kind, index) for kind in _answer(event, asked.get(event.exchange)))
            case Message():
                if event.connection not in upgraded:
                    yield "no-handshake", index
            case Close():
                closed.add(event.connection)


def _answer(answer: Response, request: Request | None) -> Iterator[str]:
    if request is None:
        yield "unasked"
    elif answer.connection != request.connection:
        yield "elsewhere"
    elif answer.at_ns < request.at_ns:
        yield "early"
    if answer.end_ns < answer.at_ns:
        yield "backwards"
    if answer.pieces and sum(size for _, size in answer.pieces) != len(answer.body):
        yield "pieces"


def _place(reading: Reading, index: int) -> str:
    if reading.lines:
        return f"{reading.recording.path}:{reading.lines[index]}"
    event = reading.recording.events[index]
    if isinstance(event, Request | Response):
        return f"exchange {event.exchange}"
    return f"connection {event.connection} at {event.at_ns / 1e9:.3f} s"


def _left_open(recording: Recording) -> Iterator[Problem]:
    failed = {event.exchange for event in recording.events if isinstance(event, Failure)}
    broken = {event.connection for event in recording.events if isinstance(event, Close | Failure)}
    waiting = [
        f"exchange {one.request.exchange}"
        for one in exchanges(recording)
        if one.response is None
        and one.request.exchange not in failed
        and one.request.connection not in broken
    ]
    if waiting:
        yield Problem(
            "warning",
            "a request has no answer and no failure; a bot that asks again gets a miss",
            "record until every request is answered",
            len(waiting),
            tuple(waiting[:MOST_PLACES]),
        )


def _unmatched_calls(recording: Recording) -> Iterator[Problem]:
    """Compare the ids of calls over WebSockets with those of their acknowledgements."""
    calls = answers = 0
    for session in websockets(recording):
        sent = {_call_id(one) for one in session.messages if one.direction == "sent"} - {None}
        heard = {_answer_id(one) for one in session.messages if one.direction == "received"}
        calls += len(sent - heard)
        answers += len(sent & heard)
    if calls:
        yield Problem(
            "warning",
            f"a call over a WebSocket has no acknowledgement ({answers} have one); "
            "a bot that waits for it waits for ever",
            "record until the acknowledgements are in",
            calls,
            (),
        )


def _call_id(message: Message) -> str | None:
    value = _object(message)
    return json.dumps(value["id"]) if "method" in value and value.get("id") is not None else None


def _answer_id(message: Message) -> str | None:
    value = _object(message)
    return json.dumps(value["id"]) if "id" in value and "method" not in value else None


def _object(message: Message) -> dict[str, Any]:
    if '"id"' not in (text := message.data if isinstance(message.data, str) else ""):
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


# --- Secrets --------------------------------------------------------------------------------------


def _secrets(recording: Recording) -> Counter[tuple[str, str]]:
    """Count what redaction would take out, by place and kind."""
    redactor = Redactor({}, b"counted, not stored")
    for event in recording.events:
        redactor.event(event)
    return redactor.kinds


def _exposed(secrets: Counter[tuple[str, str]]) -> Iterator[Problem]:
    if secrets:
        named = [f"{count} in {place} ({kind})" for (place, kind), count in secrets.most_common()]
        rest = [f"{len(named) - MOST_PLACES} more kinds"] if len(named) > MOST_PLACES else []
        yield Problem(
            "warning",
            "secrets are still in it",
            "run perfscan traffic redact before you share it",
            secrets.total(),
            (*named[:MOST_PLACES], *rest),
        )


# --- Uses -----------------------------------------------------------------------------------------


def _uses(recording: Recording, secrets: Counter[tuple[str, str]]) -> Iterator[Use]:
    calls = [call for call in exchanges(recording) if not call.is_websocket]
    answered = [call for call in calls if call.response is not None]
    yield _part(
        "answers to requests", len(answered), len(calls), "requests have an answer", "no requests"
    )
    yield _latencies(recording, bool(calls))
    opens = outbound(recording)
    timed = [opened for opened in opens if opened.connect_ns is not None]
    yield _part(
        "costs of connections", len(timed), len(opens), "connections were timed", "no connections"
    )
    sessions = websockets(recording)
    pushed = sum(one.direction == "received" for session in sessions for one in session.messages)
    yield Use(
        "streams",
        "yes" if pushed else "no",
        f"{pushed:,} messages in {len(sessions):,} WebSockets" if sessions else "no WebSockets",
    )
    inbound = exchanges(recording, inbound=True)
    yield Use(
        "requests to the bot",
        "yes" if inbound else "no",
        f"{len(inbound):,} requests to drive it with" if inbound else "none were recorded",
    )
    yield Use(
        "sharing",
        "no" if secrets else "yes",
        "secrets are still in it" if secrets else "no secrets were found by name or shape",
    )


def _latencies(recording: Recording, calls: bool) -> Use:
    if recording.header.latency == "recorded":
        return Use("latencies", "yes", "they were recorded")
    if not calls:
        return Use("latencies", "no", "not recorded, and no request needs one")
    return Use("latencies", "no", "not recorded: bench replay needs latency: in the scenario")


def _part(use: str, some: int, whole: int, verb: str, without: str) -> Use:
    if not whole:
        return Use(use, "no", without)
    answer: Literal["yes", "partly", "no"] = "yes" if some == whole else "partly" if some else "no"
    return Use(use, answer, f"{some:,} of {whole:,} {verb}")
