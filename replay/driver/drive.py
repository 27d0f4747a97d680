"""The inbound driver as a process: ``python -m perfscan.replay.driver.drive CONFIG.json``.

The configuration is a JSON object::

    {"recording": "traffic.jsonl.gz",
     "ports": {"8000": 8080},           recorded ports and where this bot listens; default: the same
     "origin_ns": n,                    time 0 of the run on the system's monotonic clock
     "journal": "driver.jsonl",         what the bot's users see
     "cpus": [0],                       processors to stay on; optional
     "speed": 1.0, "until_s": null}

Prints ``{"ready": true}``, then a status line four times a second. Ends on SIGTERM and SIGINT.
It runs inside the bot's network, where the bot listens.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfscan.errors import InputError, PerfscanError
from perfscan.replay.child import (
    FLUSH_INTERVAL_S,
    STATUS_INTERVAL_S,
    Say,
    happens,
    say,
    stop_on_defects,
    stop_on_signals_and_silence,
)
from perfscan.replay.driver.driver import Driver
from perfscan.replay.driver.plan import Plan, plan_driving
from perfscan.replay.event_loop import new_event_loop
from perfscan.replay.recording import read_recording
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.journal import Journal
from perfscan.replay.server.timeline import Pace


@dataclass(frozen=True, slots=True)
class Order:
    """The configuration, read and checked."""

    plan: Plan
    ports: Mapping[int, int]
    origin_ns: int
    journal: Path
    speed: float
    until_ns: int | None


def read_order(path: Path) -> Order:
    """Read a configuration file. Raises InputError."""
    try:
        config = json.loads(path.read_text("utf-8"))
        if config.get("cpus"):
            os.sched_setaffinity(0, config["cpus"])  # before any thread begins
        return _order(config)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"not a configuration of the driver: {error!r}",
            where=str(path),
            remedy="see the module perfscan.replay.driver.drive",
        ) from error


def _order(config: Mapping[str, Any]) -> Order:
    until_s = config.get("until_s")
    until_ns = None if until_s is None else round(until_s * 1e9)
    return Order(
        plan_driving(read_recording(Path(config["recording"])), until_ns),
        {int(recorded): int(port) for recorded, port in config.get("ports", {}).items()},
        int(config["origin_ns"]),
        Path(config["journal"]),
        float(config.get("speed", 1.0)),
        until_ns,
    )


async def drive(order: Order, tell: Say) -> None:
    """Play until told to stop; ``tell`` prints one line and returns False when nobody reads it."""
    journal = Journal(order.journal, order.speed, order.until_ns)
    stop = asyncio.Event()
    defects = stop_on_defects(stop)
    stop_on_signals_and_silence(stop)
    alarm = Alarm(asyncio.get_running_loop())
    alarm.origin_ns = order.origin_ns
    try:
        driver = Driver(order.plan, order.ports, Pace(order.speed), alarm, journal.add)
        gc.freeze()
        heard = tell({"ready": True})
        waiting = asyncio.create_task(driver.wait_for_bot())
        while heard and not stop.is_set():
            for _ in range(round(STATUS_INTERVAL_S / FLUSH_INTERVAL_S)):
                journal.flush()
                if await happens(stop, FLUSH_INTERVAL_S):
                    break
            heard = tell(driver.status())
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await driver.close()
    finally:
        journal.close()
    if defects:
        raise defects[0]


def main(arguments: list[str]) -> int:
    """Run as a program; returns the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m perfscan.replay.driver.drive CONFIG.json\n")
        return 2
    try:
        order = read_order(Path(arguments[0]))
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(drive(order, say))
    except PerfscanError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
