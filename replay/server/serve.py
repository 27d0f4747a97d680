"""The upstream server as a process: ``python -m perfscan.replay.server.serve CONFIG.json``.

The configuration is a JSON object::

    {"scenario": "scenario.yaml",      its recording, matching rules and items; or
     "recording": "traffic.jsonl.gz",  a recording alone (which also overrides the scenario's)
     "listeners": [{"fd": 5, "port": 443, "tls": true}],   inherited sockets, the recorded port
                                        of each; tls defaults to what was recorded on that port
     "ca": "folder",                   of Authority.create; needed for TLS
     "journal": "journal.jsonl",       what the server sees; optional
     "speed": 1.0, "seed": 0, "until_s": null,
     "cpus": [0],                      processors to stay on; optional
     "faults": ["loss=5%"]}             instead of the scenario's

Prints ``{"ready": true, "origin_ns": n}``, then a status line four times a second: what has been
served, what is still to come, and how the server itself keeps up (``lateness_p50_ms``, ``_p99_``,
``_max_`` so far, ``cpu_share`` of a processor since the last line, ``events_waiting`` for their
time). A recording stays on disk and is read as it is played. Ends on SIGTERM, on SIGINT, and when
a pipe on its standard input or output is closed. Exit status 0, that of a PerfscanError with its
one line on stderr, or 1 with a traceback after a defect of the server.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from perfscan.errors import InputError, PerfscanError
from perfscan.replay.certificates import Authority
from perfscan.replay.child import (
    FLUSH_INTERVAL_S,
    STATUS_INTERVAL_S,
    Say,
    happens,
    say,
    stop_on_defects,
    stop_on_signals_and_silence,
)
from perfscan.replay.event_loop import new_event_loop
from perfscan.replay.exchanges import outbound
from perfscan.replay.faults import read_faults
from perfscan.replay.latency import with_latency
from perfscan.replay.model import Recording
from perfscan.replay.recording_store import open_recording
from perfscan.replay.scenario import read_scenario
from perfscan.replay.server.journal import Journal
from perfscan.replay.server.playback import Settings
from perfscan.replay.server.turn import Seen
from perfscan.replay.server.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Order:
    """The configuration, read and checked."""

    recording: Recording
    settings: Settings
    listeners: tuple[tuple[int, int, bool], ...]
    """Descriptor, recorded port, TLS."""
    authority: Authority | None
    journal: Path | None


def read_order(path: Path) -> Order:
    """Read a configuration file. Raises InputError."""
    try:
        config = json.loads(path.read_text("utf-8"))
        if config.get("cpus"):
            os.sched_setaffinity(0, config["cpus"])  # before any thread begins
        return _order(config)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"not a configuration of the server: {error!r}",
            where=str(path),
            remedy="see the module perfscan.replay.server.serve",
        ) from error


def _order(config: Mapping[str, Any]) -> Order:
    scenario = read_scenario(Path(config["scenario"])) if "scenario" in config else None
    settings = Settings(
        speed=float(config.get("speed", 1.0)),
        seed=int(config.get("seed", 0)),
        until_s=config.get("until_s"),
    )
    if scenario is not None:
        settings = replace(
            settings,
            rules=scenario.match,
            items=scenario.items,
            emulated=scenario.emulated,
            compresses=scenario.compresses,
        )
    if "faults" in config:
        faults = read_faults(config["faults"], "faults")
        settings = replace(settings, emulated=replace(settings.emulated, faults=faults))
    path = config["recording"] if scenario is None else config.get("recording", scenario.recording)
    recording = open_recording(Path(path))
    if scenario is not None:
        recording = with_latency(recording, scenario.latency, settings.seed)
    secure = {opened.port for opened in outbound(recording) if opened.scheme == "https"}
    return Order(
        recording,
        settings,
        tuple(
            (one["fd"], one["port"], one.get("tls", one["port"] in secure))
            for one in config["listeners"]
        ),
        Authority.load(Path(config["ca"])) if "ca" in config else None,
        Path(config["journal"]) if "journal" in config else None,
    )


async def serve(order: Order, tell: Say) -> None:
    """Play until told to stop; ``tell`` prints one line and returns False when nobody reads it."""
    journal = None
    if order.journal is not None:
        journal = Journal(order.journal, order.settings.speed, order.settings.until_ns)
    report: Callable[[Seen], None] = (lambda _: None) if journal is None else journal.add
    stop = asyncio.Event()
    defects = stop_on_defects(stop)
    stop_on_signals_and_silence(stop)
    try:
        upstream = Upstream(
            order.recording, order.settings, authority=order.authority, report=report
        )
        for descriptor, port, tls in order.listeners:
            upstream.listen(socket.socket(fileno=descriptor), port=port, tls=tls)
        gc.collect()
        gc.freeze()  # the recording is never garbage; looking at it again would cost a pause
        heard = tell({"ready": True, "origin_ns": upstream.origin_ns})
        rounds = round(STATUS_INTERVAL_S / FLUSH_INTERVAL_S)
        while heard and not stop.is_set():
            for _ in range(rounds):
                if journal:
                    journal.flush()
                if await happens(stop, FLUSH_INTERVAL_S):
                    break
            heard = tell(upstream.status())
        await upstream.close()
    finally:
        if journal:
            journal.close()
    if defects:  # a server that failed once has not played the recording
        raise defects[0]


def main(arguments: list[str]) -> int:
    """Run as a program; returns the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m perfscan.replay.server.serve CONFIG.json\n")
        return 2
    try:
        order = read_order(Path(arguments[0]))
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve(order, say))
    except PerfscanError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
