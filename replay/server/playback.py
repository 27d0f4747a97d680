"""What all connections of one upstream server share: the recording and how much of it is used."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import get_args

from perfscan.replay.items import holds, text_of, without_query
from perfscan.replay.model import (
    CycleEffect,
    CycleStimulus,
    Emulated,
    Handed,
    ItemRules,
    MatchRules,
    Message,
    Observed,
    Outcome,
    PushStimulus,
    Recording,
    Scheme,
    StreamStart,
    UpdateStimulus,
)
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.answers import Answer, refuse
from perfscan.replay.server.dice import message_delays
from perfscan.replay.server.directory import Directory, Tuning
from perfscan.replay.server.draft import Begins
from perfscan.replay.server.emulation import Emulation, recorded_failures
from perfscan.replay.server.long_polls import LongPolls, WaitingPolls
from perfscan.replay.server.matching import Matcher
from perfscan.replay.server.pushes import Pushes
from perfscan.replay.server.recognition import Heard, Recognition
from perfscan.replay.server.recorded_clock import RecordedClock
from perfscan.replay.server.timeline import ConnectionCosts, Pace
from perfscan.replay.server.turn import Seen, Turn
from perfscan.replay.stimuli.cycles import TAKEN, CycleStarts, things_of

PATIENCE_S = 600.0
"""So long a client that is never answered may wait where no item has a deadline."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a recording is played."""

    rules: MatchRules = field(default_factory=MatchRules)
    items: ItemRules | None = None
    """Which messages are stimuli and which requests effects, for the status."""
    speed: float = 1.0
    seed: int = 0
    until_s: float | None = None
    """Play only stream messages up to this recorded second of their stream."""
    mock: bool = False
    """Serve any client under any host name, every WebSocket from its beginning."""
    emulated: Emulated = field(default_factory=Emulated)
    compresses: tuple[str, ...] = ()
    """Requests whose answers are compressed for clients that accept it."""

    @property
    def until_ns(self) -> int | None:
        """``until_s`` in nanoseconds."""
        return None if self.until_s is None else round(self.until_s * 1e9)

    @property
    def patience_s(self) -> float:
        """How long a client may wait for an answer, at most."""
        return self.items.deadline_s if self.items else PATIENCE_S


@dataclass(slots=True)
class Tally:
    """What has happened so far."""

    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(get_args(Outcome), 0))
    effects: set[str] = field(default_factory=set)
    """Items that have ended, by key."""
    accepted: int = 0
    """Requests that ended one: in a chat many have the same key."""
    in_flight: int = 0
    polling: int = 0
    """Of those, long polls: they wait for what may never come."""
    last_activity_ns: int = 0
    last_work_ns: int = 0
    """The same without polls that brought nothing: a bot that only polls has nothing to do."""


class Playback:
    """The recording and its state; every connection asks it for answers.

    What is answered is decided in :meth:`answer` and nowhere else: faults, limits and answers that
    come from elsewhere hook in there. How an answer is written is
    :meth:`HttpConnection._send <perfscan.replay.server.http_connection.HttpConnection>`'s.
    """

    def __init__(
        self,
        recording: Recording,
        settings: Settings,
        alarm: Alarm,
        observe: Callable[[Seen], None],
    ) -> None:
        self.settings = settings
        self.alarm = alarm
        self.observe = observe
        self.pace = Pace(settings.speed)
        self.tally = Tally()
        self.costs = ConnectionCosts(recording, settings.seed)
        patience_ns = round(settings.patience_s * settings.speed * 1e9)
        self.directory = Directory(
            recording,
            Tuning(
                *(settings.rules, settings.speed, settings.seed, settings.until_ns, settings.mock),
                delays=partial(
                    message_delays, settings.emulated.faults, settings.seed, patience_ns
                ),
            ),
            alarm,
            self._watch_streams if settings.rules.modes or settings.emulated else observe,
            _begins(settings.items),
        )
        self._matcher = Matcher(
            *(recording, settings.rules, settings.seed),
            any_host=settings.mock,
            compresses=settings.compresses,
            deadline_s=settings.patience_s,
        )
        self._clock = RecordedClock(self._matcher.first_ns, settings.speed)
        self._polls = _long_polls(recording, settings, self.pace)
        self.waiting_polls = WaitingPolls()
        self._cycles = _cycles(settings.items)
        self.emulation = self._emulation(recording, patience_ns) if settings.emulated else None
        self._cycle = 0
        self._connections = itertools.count(1)
        self._exchanges = itertools.count(1)

    def _emulation(self, recording: Recording, patience_ns: int) -> Emulation:
        settings = self.settings
        return Emulation(
            settings.emulated,
            self.alarm,
            self.pace,
            seed=settings.seed,
            patience_ns=patience_ns,
            failures=recorded_failures(recording, settings.emulated.faults),
            started=not (self.directory.addresses or self._polls or self._cycles),
        )

    def next_connection(self) -> int:
        """Return the number of a new connection."""
        return next(self._connections)

    def next_exchange(self) -> int:
        """Return the number of a new exchange."""
        return next(self._exchanges)

    def recognition(self, scheme: Scheme, port: int | None) -> Recognition:
        """Return what reads the requests that come in through one door."""
        return Recognition(scheme, port, self.settings.rules, self.settings.items, self.observe)

    def arrive(self, heard: Heard, now_ns: int) -> None:
        """Note a request, whatever will answer it; it may begin a cycle."""
        self.tally.in_flight += 1
        if self._cycles is not None:
            self._cycle = self._cycles.sent(heard.method, heard.url, now_ns)
            if self._cycle:
                self._let_faults_begin(now_ns)

    def answer(self, heard: Heard, now_ns: int) -> Answer:
        """Return the recorded answer to a request that came at ``now_ns``, or a refusal."""
        if self._polls is not None:
            request = heard.as_request(at_ns=now_ns)
            if (polled := self._polls.answer(request, heard.url)) is not None:
                answer, start = polled
                self.tally.polling += 1
                if start is not None:
                    self._let_faults_begin(now_ns)
                    self.observe(start)
                return answer
        self.tally.last_work_ns = now_ns
        answer = self._matcher.answer(heard.asked, self._clock.at(now_ns), self._cycle)
        if heard.websocket and answer.miss is not None:
            return refuse(self.directory.miss(heard.host, heard.target))
        return answer

    def active(self) -> int:
        """Note that something happened; returns the time."""
        self.tally.last_activity_ns = now_ns = self.alarm.now()
        return now_ns

    def busy(self) -> int:
        """Note that something happened which is no poll; returns the time."""
        self.tally.last_work_ns = now_ns = self.active()
        return now_ns

    def finish(self, turn: Turn) -> None:
        """Note that a request was answered, and which item that ended."""
        answer, tally = turn.answer, self.tally
        tally.in_flight -= turn.waited_for
        tally.outcomes[answer.outcome] += 1
        if turn.heard.effect is not None and answer.accepts:
            tally.effects.add(turn.heard.effect)
            tally.accepted += 1
        self.observe(turn)
        if answer.polled:
            self._hand_over(turn)
        else:
            tally.last_work_ns = tally.last_activity_ns
        if self._cycles is not None:
            self._leave_cycle(turn)

    def stall(self, turn: Turn) -> None:
        """Note that the rest of an answer will never come; its connection stays open."""
        self._leave_cycle(turn)

    def abandon(self, turn: Turn, *, cut: bool) -> None:
        """Note that a request will not be answered: its connection is gone, or was even ``cut``."""
        if turn.ended_ns is not None:  # a fault stopped it on its way
            self.tally.outcomes[turn.answer.outcome] += 1
        else:
            self._leave_cycle(turn, cut=cut)
        self.tally.in_flight -= turn.waited_for
        self.tally.polling -= turn.answer.polled
        self.observe(turn)

    def release(self, turn: Turn) -> None:
        """Do not let the run wait for the end of an answer, which may have none."""
        self.tally.in_flight -= turn.waited_for
        turn.waited_for = False

    def _leave_cycle(self, turn: Turn, *, cut: bool = False) -> None:
        """Tell whoever parts cycles of the end of a request, as the record of the run will."""
        if self._cycles is not None:
            heard, ended_ns, status = turn.heard, turn.at_ns, None
            if turn.begun_ns is not None and turn.ended_ns is not None:
                ended_ns, status = turn.ended_ns, turn.answer.status
            taken = cut or turn.answer.outcome in TAKEN
            things = things_of(heard.as_request(), heard.host)
            self._cycles.ended(heard.method, heard.url, ended_ns, status, things, taken=taken)

    def _hand_over(self, turn: Turn) -> None:
        """Note which updates have gone out in the answer to a long poll."""
        self.tally.polling -= 1
        at_ns = self.tally.last_activity_ns if turn.begun_ns is None else turn.begun_ns
        for number, due_ns in turn.answer.handed if turn.answer.accepts else ():
            if self._polls is not None:
                self._polls.told(number)
            self.tally.last_work_ns = at_ns
            self.observe(Handed(turn.exchange, number, due_ns, at_ns))

    def _watch_streams(self, event: Observed | Pushes) -> None:
        if isinstance(event, StreamStart):
            self._clock.follow(event)
            self._let_faults_begin(event.at_ns)
        self.observe(event)

    def _let_faults_begin(self, now_ns: int) -> None:
        if self.emulation is not None:
            self.emulation.begin(now_ns)

    def status(self) -> dict[str, float]:
        """Return the figures that whoever follows the run needs."""
        tally, polls = self.tally, self._polls
        last_ns = tally.last_work_ns if polls else tally.last_activity_ns
        return {
            "stimuli_left": polls.left if polls else self.directory.stimuli_left,
            "streams_started": polls.started if polls else self.directory.started,
            "cycles": self._cycles.number if self._cycles else 0,
            "in_flight": tally.in_flight - tally.polling,
            "idle_s": round((self.alarm.now() - last_ns) / 1e9, 3),
            "effects": len(tally.effects),
            "accepted": tally.accepted,
            "hits": tally.outcomes["hit"],
            "extras": tally.outcomes["extra"],
            "misses": tally.outcomes["miss"],
            "refused": tally.outcomes["refused"],
            "faults": tally.outcomes["fault"],
            "unused": self._matcher.unused,
        }


def _long_polls(recording: Recording, settings: Settings, pace: Pace) -> LongPolls | None:
    rule = settings.items.stimulus if settings.items else None
    if not isinstance(rule, UpdateStimulus):
        return None
    return LongPolls(recording, rule, pace, settings.until_ns)


def _cycles(items: ItemRules | None) -> CycleStarts | None:
    match items:
        case ItemRules(stimulus=CycleStimulus() as begins, effect=CycleEffect() as effect):
            return CycleStarts(begins, effect, items.deadline_s)
    return None


def _begins(items: ItemRules | None) -> Begins:
    """Return what tells the messages that begin items; all do where there are no rules."""
    if items is None:
        return None
    rule = items.stimulus
    if not isinstance(rule, PushStimulus):
        return lambda url, message: False
    wanted, containing = without_query(rule.websocket), rule.containing
    address = cache(without_query)  # a recording has few, and millions of messages

    def begins(url: str, message: Message) -> bool:
        return address(url) == wanted and holds(containing, text_of(message.data))

    return begins
