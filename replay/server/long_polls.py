"""Long polls: recorded updates wait in a queue until the bot fetches and confirms them.

The timeline is fixed, so all that an answer will hold is known as soon as the poll arrives: what is
due already, or else what comes next within the time that the bot is willing to wait. Nothing here
has a clock; whoever asks says what time it is.

A poll ends the one that still waits for the same updates, with 409 as Telegram does: else both
would be handed the next update, and a bot that polls twice would do its work twice.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from perfscan.replay.exchanges import Exchange, exchanges
from perfscan.replay.items import (
    effect_payload,
    locations,
    query_of,
    request_matches,
    without_query,
)
from perfscan.replay.json_text import json_of
from perfscan.replay.model import (
    Headers,
    Recording,
    Request,
    StreamStart,
    UpdateStimulus,
)
from perfscan.replay.secret_places import normalise_secrets
from perfscan.replay.server.answers import Answer
from perfscan.replay.server.timeline import Pace
from perfscan.replay.server.turn import Turn
from perfscan.replay.stimuli.updates import polls, updates_in

UNLIMITED = 100
"""Updates in one answer where the bot names no limit; Telegram's own."""
_CONFLICT = {
    "ok": False,
    "error_code": 409,
    "description": "Conflict: terminated by other getUpdates request",
}
_FRAMING = ("content-length", "transfer-encoding", "connection", "keep-alive", "content-encoding")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A recorded update that the bot has not confirmed."""

    number: int
    at_ns: int
    """When it became available, counted from the first recorded poll."""
    text: str


@dataclass(frozen=True, slots=True)
class Handing:
    """What a poll will be answered, and when."""

    due_ns: int
    updates: tuple[Waiting, ...]
    dues_ns: tuple[int, ...]
    """When each of them was available."""


class UpdateQueue:
    """The updates of one address. Its clock starts with the first poll and waits for nobody."""

    def __init__(self, updates: Iterable[Waiting], base_ns: int, pace: Pace) -> None:
        self._pending = sorted(updates, key=lambda one: (one.at_ns, one.number))
        self._base_ns = base_ns
        self._pace = pace
        self.untold = {update.number for update in self._pending}
        """What was never handed over."""
        self.started_ns: int | None = None

    @property
    def left(self) -> int:
        """How many updates were never handed over."""
        return len(self.untold)

    def told(self, number: int) -> None:
        """Note that an update has gone out."""
        self.untold.discard(number)

    def take(self, offset: int, limit: int, timeout_ns: int, now_ns: int) -> Handing:
        """Return the answer to a poll; what is before ``offset`` is confirmed and forgotten.

        A negative offset asks for the last few and forgets the rest, as Telegram's does.
        """
        if self.started_ns is None:
            self.started_ns = now_ns
        ready_ns = now_ns + self._pace(self._base_ns)
        self._confirm(offset, ready_ns)
        due_ns = max(ready_ns, now_ns + self._pace(timeout_ns))
        if self._pending:
            due_ns = max(ready_ns, min(due_ns, self._due(self._pending[0])))
        ready = itertools.takewhile(lambda update: self._due(update) <= due_ns, self._pending)
        batch = tuple(itertools.islice(ready, limit))
        return Handing(due_ns, batch, tuple(map(self._due, batch)))

    def _confirm(self, offset: int, now_ns: int) -> None:
        if offset < 0:
            available = [one for one in self._pending if self._due(one) <= now_ns]
            gone = {one.number for one in available[:offset]}
        else:
            gone = {one.number for one in self._pending if one.number < offset}
        self.untold -= gone
        self._pending = [one for one in self._pending if one.number not in gone]

    def _due(self, update: Waiting) -> int:
        return (self.started_ns or 0) + self._pace(update.at_ns)


@dataclass(frozen=True, slots=True)
class _Address:
    """One recorded long poll: its queue and what an answer looks like."""

    queue: UpdateQueue
    recorded_ns: int
    reason: str
    headers: Headers
    around: tuple[str, str]
    """The body before and after the list of updates."""


class LongPolls:
    """All long polls of a recording that fit the rule, by host and path without secrets."""

    def __init__(
        self, recording: Recording, rule: UpdateStimulus, pace: Pace, until_ns: int | None = None
    ) -> None:
        self._rule = rule
        self._pace = pace
        timed = recording.header.latency == "recorded"
        quickest = _quickest_ns(recording) if timed else {}
        grouped: dict[str, list[Exchange]] = defaultdict(list)
        for call in polls(rule, recording):
            grouped[_address(call.url)].append(call)
        self._addresses = {
            url: found
            for url, calls in grouped.items()
            if (found := _read(calls, rule, pace, until_ns, quickest)) is not None
        }
        self._owner = {
            number: one.queue for one in self._addresses.values() for number in one.queue.untold
        }

    @property
    def left(self) -> int:
        """How many updates were never handed over."""
        return sum(one.queue.left for one in self._addresses.values())

    @property
    def started(self) -> int:
        """How many queues a bot has asked."""
        return sum(one.queue.started_ns is not None for one in self._addresses.values())

    def told(self, number: int) -> None:
        """Note that an update has gone out."""
        if number in self._owner:
            self._owner[number].told(number)

    def answer(self, request: Request, url: str) -> tuple[Answer, StreamStart | None] | None:
        """Answer a long poll that came at ``request.at_ns``; None for any other request.

        The first poll of an address starts its stream, which is returned with the answer. The
        answer's ``service_ns`` is in recorded time, as for every answer.
        """
        if not request_matches(self._rule.poll, request.method, url):
            return None
        found = self._addresses.get(_address(url))
        if found is None and len(self._addresses) == 1:  # another token than was recorded
            found = next(iter(self._addresses.values()))
        if found is None:
            return None
        first = found.queue.started_ns is None
        asked = _parameters(request)
        handing = found.queue.take(
            _whole(asked.get(self._rule.offset), 0),
            max(1, _whole(asked.get(self._rule.limit), UNLIMITED)),
            round(max(0.0, _seconds(asked.get(self._rule.timeout))) * 1e9),
            request.at_ns,
        )
        batch = ",".join(update.text for update in handing.updates)
        numbers = (update.number for update in handing.updates)
        answer = Answer(
            *("hit", None, 200, found.reason, found.headers),
            batch.join(found.around).encode(),
            round((handing.due_ns - request.at_ns) * self._pace.speed),
            handed=tuple(zip(numbers, handing.dues_ns, strict=True)),
            polled=True,
        )
        stream = self._rule.poll.partition(" ")[2]  # one clock, whatever the token
        return answer, StreamStart(stream, request.at_ns, found.recorded_ns) if first else None


class WaitingPolls:
    """The polls that are held back, one an address; what comes after one ends it."""

    def __init__(self) -> None:
        self._turns: dict[str, tuple[Turn, Callable[[], None]]] = {}

    def hold(self, turn: Turn, send: Callable[[], None]) -> None:
        """Let ``turn`` wait, and ``send`` the one that waited before it as a conflict."""
        address = without_query(turn.heard.url)
        earlier = self._turns.get(address)
        self._turns[address] = turn, send
        if earlier is not None and not earlier[0].ready:
            held, send_held = earlier
            held.answer = _conflict(held.answer)
            held.due_ns = turn.at_ns
            send_held()


def _conflict(answer: Answer) -> Answer:
    """Return what a poll is told in the place of ``answer`` when another one has come."""
    return Answer(
        *("refused", None, 409, "Conflict", answer.headers, json.dumps(_CONFLICT).encode()),
        polled=True,
    )


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc.lower()}{normalise_secrets(parts.path)}"


def _read(
    calls: Sequence[Exchange],
    rule: UpdateStimulus,
    pace: Pace,
    until_ns: int | None,
    quickest: Mapping[str, int],
) -> _Address | None:
    """Return one address; None where no recorded answer shows how updates come.

    ``quickest`` is empty for a recording without times: then all updates are there at once.
    """
    recorded_ns = min(call.request.at_ns for call in calls)
    updates: dict[int, Waiting] = {}
    model: tuple[Exchange, tuple[str, str]] | None = None
    for call in calls:
        if call.response is None:
            continue
        around = _around(rule, call.response.body)
        if model is None and around is not None and call.response.status < 400:
            model = call, around
        at_ns = call.response.at_ns - recorded_ns if quickest else 0
        for number, update in updates_in(rule, call.response.body):
            if number not in updates and (until_ns is None or at_ns <= until_ns):
                text = json.dumps(update, ensure_ascii=False, separators=(",", ":"))
                updates[number] = Waiting(number, at_ns, text)
    if model is None or model[0].response is None:
        return None
    response, base_ns = model[0].response, quickest.get(model[0].open.host, 0)
    headers = tuple(pair for pair in response.headers if pair[0].lower() not in _FRAMING)
    queue = UpdateQueue(updates.values(), base_ns, pace)
    return _Address(queue, recorded_ns, response.reason, headers, model[1])


def _quickest_ns(recording: Recording) -> dict[str, int]:
    """Return the quickest recorded answer of each host: what the way there and back takes."""
    times: dict[str, int] = {}
    for call in exchanges(recording):
        if call.service_ns is not None:
            host = call.open.host
            times[host] = max(0, min(call.service_ns, times.get(host, call.service_ns)))
    return times


def _around(rule: UpdateStimulus, body: bytes) -> tuple[str, str] | None:
    """Cut the body of an answer around its list of updates, brackets kept."""
    payload = json_of(body)
    places = locations(rule.updates, payload)
    if not places:
        return None
    mark = "perfscan: the updates"
    *parents, last = places[0] or (None,)
    if last is None:
        return "[", "]"
    inner = payload
    for part in parents:
        inner = inner[part]
    if not isinstance(inner[last], list):
        return None
    inner[last] = [mark]
    before, _, after = json.dumps(payload, ensure_ascii=False).partition(json.dumps(mark))
    return before, after


def _parameters(request: Request) -> Mapping[str, Any]:
    """Return what a poll asks for: in its query, a form, or JSON."""
    query = dict(parse_qsl(query_of(request.target), keep_blank_values=True))
    body = effect_payload(request) if request.body else {}
    return {**query, **body} if isinstance(body, dict) else query


def _whole(value: Any, otherwise: int) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return otherwise


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return 0.0
    return min(seconds, 86_400.0) if seconds == seconds else 0.0
