"""The inbound driver: sends every recorded request at its intended time, whatever came before.

An open loop: it never waits for an answer before it sends the next request. Requests go over the
connections that they were recorded on; where one is still busy, a new one is opened beside it, as
a user's browser would. So a bot that falls behind is not spared (no coordinated omission).
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Callable, Mapping
from functools import partial

from perfscan.replay.driver.line import Line
from perfscan.replay.driver.plan import Asking, Caller, Plan, Saying
from perfscan.replay.model import DRIVEN, Driven, Observed, Open, StreamStart
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.timeline import Pace
from perfscan.replay.stimuli.inbound import URL

ATTEMPT_S = 0.01
LOCAL = "127.0.0.1"


class Driver:
    """Plays a plan within a running event loop; what happens is handed to ``observe``.

    ``ports`` maps recorded ports to those on which this bot listens.
    """

    def __init__(
        self,
        plan: Plan,
        ports: Mapping[int, int],
        pace: Pace,
        alarm: Alarm,
        observe: Callable[[Observed], None],
    ) -> None:
        self._plan = plan
        self._ports = ports
        self._pace = pace
        self._alarm = alarm
        self._observe = observe
        self._loop = asyncio.get_running_loop()
        self._lines: dict[int, list[Line]] = {caller.connection: [] for caller in plan.callers}
        self._spare = itertools.count(2 * DRIVEN)
        self._tasks: set[asyncio.Task[None]] = set()
        self._started_ns: int | None = None
        self._unsent = plan.sendings
        self._unanswered = 0
        self._answered = 0
        self._last_ns = 0

    async def wait_for_bot(self) -> None:
        """Wait until the bot accepts connections, then let the users' clock run."""
        for port in sorted({self._ports.get(port, port) for port in self._plan.ports}):
            while not await _accepts(port):
                await asyncio.sleep(ATTEMPT_S)
        self._started_ns = self._alarm.now()
        self._observe(StreamStart(URL, self._started_ns, self._plan.starts_ns))
        for caller in self._plan.callers:
            self._schedule(caller)

    def status(self) -> dict[str, float]:
        """Return counts of what has happened and of what is still to come."""
        return {
            "started": int(self._started_ns is not None),
            "unsent": self._unsent,
            "unanswered": self._unanswered,
            "answered": self._answered,
            "idle_s": round((self._alarm.now() - self._last_ns) / 1e9, 3),
        }

    async def close(self) -> None:
        """Cut all connections."""
        for lines in self._lines.values():
            for line in lines:
                line.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # lets every connection report its end
        self._alarm.close()

    # --- Timing -----------------------------------------------------------------------------------

    def _schedule(self, caller: Caller) -> None:
        self._alarm.at(self._due(caller.opens_ns), partial(self._call, caller))
        for asking in caller.asks:
            self._alarm.at(self._due(asking.at_ns), partial(self._ask, caller, asking))
        for saying in caller.says:
            self._alarm.at(self._due(saying.at_ns), partial(self._say, caller, saying))
        if caller.closes_ns is not None:
            self._alarm.at(self._due(caller.closes_ns), partial(self._hang_up, caller))

    def _due(self, after_ns: int) -> int:
        return (self._started_ns or 0) + self._pace(after_ns)

    def _drive(self, event: int, after_ns: int) -> None:
        self._last_ns = now_ns = self._alarm.now()
        self._observe(Driven(event, self._due(after_ns), now_ns))
        self._unsent -= 1

    # --- What users do ----------------------------------------------------------------------------

    def _call(self, caller: Caller) -> None:
        if not self._lines[caller.connection]:
            self._open(caller)

    def _ask(self, caller: Caller, asking: Asking) -> None:
        self._drive(asking.event, asking.at_ns)
        self._unanswered += 1
        line = next((one for one in self._lines[caller.connection] if one.free), None)
        (line or self._open(caller)).ask(asking)

    def _say(self, caller: Caller, saying: Saying) -> None:
        self._drive(saying.event, saying.at_ns)
        if lines := self._lines[caller.connection]:
            lines[0].say(saying)

    def _hang_up(self, caller: Caller) -> None:
        for line in self._lines[caller.connection]:
            line.hang_up()

    def _open(self, caller: Caller) -> Line:
        lines = self._lines[caller.connection]
        number = next(self._spare) if lines else DRIVEN + caller.connection
        line = Line(number, self._alarm.now, self._note, self._settle)
        lines.append(line)
        task = self._loop.create_task(self._connect(caller, line))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return line

    async def _connect(self, caller: Caller, line: Line) -> None:
        port = self._ports.get(caller.port, caller.port)
        opened = Open(
            line.number, self._alarm.now(), caller.scheme, caller.host, caller.port, inbound=True
        )
        self._observe(opened)
        try:
            await self._loop.create_connection(
                lambda: line, LOCAL, port, ssl=_trusting() if caller.scheme == "https" else None
            )
        except OSError as error:
            line.failed(f"cannot connect: {error.strerror or error}")

    def _note(self, event: Observed) -> None:
        self._last_ns = event.at_ns
        self._observe(event)

    def _settle(self, answered: bool) -> None:
        self._unanswered -= 1
        self._answered += answered


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOCAL, port)
    except OSError:
        return False
    writer.close()
    return True


def _trusting() -> ssl.SSLContext:
    """Return a context that takes any certificate: the bot's own is made for another name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
