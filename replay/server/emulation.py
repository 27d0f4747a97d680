"""What a request meets before and after the recording answers it: limits, faults, outages.

Everything here counts in recorded time, as limits and faults are written; whoever calls tells
the time of the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from perfscan.replay.exchanges import outbound
from perfscan.replay.keys import host_key
from perfscan.replay.model import (
    Emulated,
    Fault,
    Headers,
    HostLimits,
    Recording,
    Refusal,
    Response,
)
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.answers import Answer, lasting_headers
from perfscan.replay.server.dice import Damage, Dice, Met
from perfscan.replay.server.limits import Address, Gate
from perfscan.replay.server.outages import Cut, Outages
from perfscan.replay.server.recognition import Heard
from perfscan.replay.server.refusals import refusing
from perfscan.replay.server.scripts import trickle
from perfscan.replay.server.timeline import Pace
from perfscan.replay.stored_events import select

_UNHURT = Met()
Failures = Mapping[tuple[str, int], Answer]
"""Recorded answers of services that failed, by host and status."""


class Visitor(Protocol):
    """A connection of the bot."""

    number: int

    @property
    def is_websocket(self) -> bool:
        """Whether it has become a WebSocket."""

    def reset(self) -> None:
        """Cut it so that the bot sees a reset."""


@dataclass(frozen=True, slots=True)
class Encounter:
    """What became of one request."""

    instead: Answer | None = None
    """Its answer, where the recording is not asked."""
    met: Met = _UNHURT
    headers: Headers = ()
    """For its answer: how much of a limit is used."""
    gate: Gate | None = None
    at_ns: int = 0

    @property
    def delay_ns(self) -> int:
        """How much later the answer comes."""
        return self.met.delay_ns

    def upon(self, answer: Answer) -> Answer:
        """Return what becomes of the recorded answer; a miss stays as it is."""
        if self is UNDISTURBED or answer.outcome == "miss" or answer.broke:
            return answer
        met, service_ns = self.met, answer.service_ns
        if self.gate is not None and not answer.polled:  # a long poll occupies nobody
            service_ns += self.gate.queue(self.at_ns, service_ns)
        changed = replace(answer, service_ns=service_ns + met.delay_ns)
        if self.headers:
            changed = replace(changed, headers=_with(answer.headers, self.headers))
        if met.bytes_per_s is not None:
            pieces = trickle(len(answer.body), met.bytes_per_s)
            changed = replace(changed, pieces=pieces, body_ns=pieces[-1][0] if pieces else 0)
        if met.damage is not None:
            changed = replace(changed, damage=met.damage, outcome="fault")
        return changed


UNDISTURBED = Encounter()


class Emulation:
    """The limits and faults of one run and their state."""

    def __init__(
        self,
        emulated: Emulated,
        alarm: Alarm,
        pace: Pace,
        *,
        seed: int,
        patience_ns: int,
        failures: Failures,
        started: bool,
    ) -> None:
        """Make the emulation.

        Nobody waits longer than ``patience_ns`` of recorded time for an answer. The clock of faults
        counts from :meth:`begin`; with ``started`` the first request begins it.
        """
        self._alarm = alarm
        self._pace = pace
        self._failures = failures
        self._patience_ns = patience_ns
        self._started = started
        self._dice = Dice(emulated.faults, seed, patience_ns)
        self._outages = Outages(emulated.faults)
        self._gates = _gates(emulated.limits)
        self._visitors: dict[Visitor, str] = {}
        self._unwelcome: set[int] = set()

    def begin(self, now_ns: int) -> None:
        """Let the clock of outages and drops run from now on, unless it does already."""
        for cut in self._outages.begin(self._recorded(now_ns)):
            self._await(cut, now_ns + self._pace(cut.after_ns))

    def join(self, visitor: Visitor, host: str, now_ns: int) -> None:
        """Count a connection, which is known by its first request."""
        self._visitors[visitor] = host
        gate = self._gates.get(host)
        if gate is not None and not gate.connect(self._recorded(now_ns), visitor.number):
            self._unwelcome.add(visitor.number)

    def leave(self, visitor: Visitor) -> None:
        """Forget a connection."""
        gate = self._gates.get(self._visitors.pop(visitor, ""))
        if gate is not None:
            gate.leave(visitor.number)
        self._unwelcome.discard(visitor.number)

    def give_up(self, visitor: Visitor) -> None:
        """Reset a connection that is answered no more, once nobody can be waiting for it."""
        due_ns = self._alarm.now() + self._pace(self._patience_ns)
        self._alarm.at(due_ns, lambda: visitor.reset() if visitor in self._visitors else None)

    def meet(self, heard: Heard, connection: int, now_ns: int) -> Encounter:
        """Return what a request meets."""
        if self._started:
            self.begin(now_ns)
        at_ns = self._recorded(now_ns)
        if self._outages.away(heard.host, at_ns):
            return Encounter(_harmed(Met(damage=Damage("reset"))))
        gate = self._gates.get(heard.host)
        refused = None if gate is None else self._refused(gate, heard, connection, at_ns)
        if refused is not None:
            return Encounter(refused)
        met = self._dice.meet(heard.host, _thing(heard), self._outages.since_ns(at_ns))
        if met.status is not None:
            return Encounter(self._failing(heard.host, met.status, met.delay_ns))
        silent = met.damage is not None and met.damage.kind == "silence"
        if silent or (heard.websocket and met.damage is not None):
            return Encounter(_harmed(met))
        headers = (
            ()
            if gate is None
            else gate.headers(at_ns, Address(heard.method, heard.host, heard.target))
        )
        return Encounter(None, met, headers, gate, at_ns)

    def _refused(self, gate: Gate, heard: Heard, connection: int, at_ns: int) -> Answer | None:
        if connection in self._unwelcome:
            return _turned_away(gate, heard.host)
        exceeded = gate.request(at_ns, Address(heard.method, heard.host, heard.target))
        if exceeded is None:
            full = heard.websocket and not gate.connect_websocket(connection)
            return _turned_away(gate, heard.host) if full else None
        refusal = exceeded.limit.refusal
        own_s = refusal.retry_after_s and refusal.retry_after_s / self._pace.speed
        refusal = replace(refusal, status=exceeded.status, retry_after_s=own_s)
        answer = refusing("refused", heard.host, refusal, self._pace(exceeded.wait_ns) / 1e9)
        used = gate.headers(at_ns, Address(heard.method, heard.host, heard.target))
        return replace(answer, headers=_with(answer.headers, used))

    def _failing(self, host: str, status: int, delay_ns: int) -> Answer:
        """Return the answer of a service that fails: a recorded one, if there is any."""
        answer = self._failures.get((host, status)) or refusing("fault", host, Refusal(status))
        return replace(answer, service_ns=delay_ns)

    def _await(self, cut: Cut, due_ns: int) -> None:
        self._alarm.at(due_ns, partial(self._cut, cut, due_ns))

    def _cut(self, cut: Cut, due_ns: int) -> None:
        for visitor, host in tuple(self._visitors.items()):
            if cut.host in ("", host) and (visitor.is_websocket or not cut.only_websockets):
                visitor.reset()
        if (following := cut.next()) is not None:
            self._await(following, due_ns + self._pace(cut.every_ns))

    def _recorded(self, now_ns: int) -> int:
        return round(now_ns * self._pace.speed)


def recorded_failures(recording: Recording, faults: Sequence[Fault]) -> Failures:
    """Return how recorded services failed with the statuses that ``faults`` ask for."""
    wanted = {fault.status for fault in faults if fault.kind == "status"}
    found: dict[tuple[str, int], Answer] = {}
    if not wanted:
        return found
    opens = {opened.connection: opened for opened in outbound(recording)}
    for _, event in select(recording, Response):
        if isinstance(event, Response) and event.status in wanted and event.connection in opens:
            headers = lasting_headers(event)
            answer = Answer("fault", None, event.status, event.reason, headers, event.body)
            found.setdefault((host_key(opens[event.connection]), event.status), answer)
    return found


def _gates(limits: tuple[HostLimits, ...]) -> dict[str, Gate]:
    grouped: dict[str, list[HostLimits]] = defaultdict(list)
    for limit in limits:
        grouped[limit.host].append(limit)
    return {host: Gate(group) for host, group in grouped.items()}


def _thing(heard: Heard) -> str:
    """Return what makes two requests the same, for counting."""
    return " ".join(repr(call.key) for call in heard.asked.calls)


def _turned_away(gate: Gate, host: str) -> Answer:
    """Return what a connection or WebSocket too many gets."""
    if gate.full_status is None:
        return replace(_harmed(Met(damage=Damage("reset"))), outcome="refused")
    return refusing("refused", host, Refusal(gate.full_status), closes=True)


def _harmed(met: Met) -> Answer:
    """Return an answer of which nothing but its damage arrives."""
    damage = met.damage
    if damage is not None and damage.kind == "stall":
        damage = Damage("silence")
    return Answer("fault", None, 200, "", (), b"", met.delay_ns, damage=damage)


def _with(headers: Headers, added: Headers) -> Headers:
    names = {name.lower() for name, _ in added}
    return (*(pair for pair in headers if pair[0].lower() not in names), *added)
