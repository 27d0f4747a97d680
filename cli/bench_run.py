"""Carries out ``perfscan bench replay``: scenario to runs, saved as they land, to a result."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from perfscan import __version__
from perfscan.cli.progress import Progress
from perfscan.errors import InputError
from perfscan.replay import namespace
from perfscan.replay.certificates import Authority
from perfscan.replay.circumstances import environment
from perfscan.replay.compare import compare
from perfscan.replay.doubts import Circumstances
from perfscan.replay.faults import read_faults
from perfscan.replay.floor import assumptions, floors, item_floors
from perfscan.replay.latency import with_latency
from perfscan.replay.model import Implementation, Recording, Result, Run, Scenario, Side
from perfscan.replay.network import open_network
from perfscan.replay.processes import machine_load
from perfscan.replay.readings import about_readings
from perfscan.replay.recording import read_recording
from perfscan.replay.result import describe_recording, describe_scenario, write_result
from perfscan.replay.runner import WARM_UP_S, Outcome, Plan, run_bench
from perfscan.replay.scenario import read_scenario
from perfscan.replay.scratch import scratch_folder
from perfscan.replay.services import Templates, prepare_services
from perfscan.replay.trial import Setup, StatusReport, inherited
from perfscan.replay.work import stimuli
from perfscan.replay.workspace import prepare

START_AND_STOP_S = 4.0


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asked for."""

    scenario: Path
    pairs: int
    lanes: int | None
    speed: float
    until_s: float | None
    seed: int
    after: str
    output: Path
    python: Path | None
    keep: Path | None
    scan: bool
    quiet: bool
    vitals: bool = True
    faults: tuple[str, ...] = ()


def run(order: Order) -> Result:
    """Carry out ``order``. The result is on disk after every run, also when interrupted."""
    scenario = _with_after(read_scenario(order.scenario), order.after)
    emulated = scenario.emulated.with_faults(read_faults(order.faults))
    scenario = replace(scenario, emulated=emulated)
    recording = with_latency(read_recording(scenario.recording), scenario.latency, order.seed)
    lanes = order.lanes or scenario.lanes
    notebook = _Notebook(order, scenario, recording, lanes)
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder("perfscan-bench-"))
        folder = _kept(order.keep) if order.keep else scratch
        sides: dict[Side, Implementation] = {
            "original": scenario.original,
            "optimized": scenario.optimized,
        }
        setup = Setup(
            scenario=scenario,
            recording=recording,
            traffic=scenario.recording,
            folder=folder,
            prepared={
                side: prepare(implementation.directory, folder / "bots" / side)
                for side, implementation in sides.items()
            },
            authority=Authority.create(scratch / "ca"),
            templates=_templates(scenario, recording, scratch / "services", order),
            python=str(order.python or sys.executable),
            speed=order.speed,
            seed=order.seed,
            until_s=order.until_s,
            vitals=order.vitals,
        )
        report = StatusReport()
        progress = stack.enter_context(
            Progress(
                f"{scenario.title} · {order.pairs} pairs, {_manner(order.pairs, lanes)}",
                2 * order.pairs,
                _expected_seconds(order, lanes, recording, scenario),
                report,
                quiet=order.quiet,
            )
        )
        if recording.truncated:
            progress.note(f"warning: {scenario.recording} is cut short; what it holds is used")
        if reason := namespace.unavailable():
            progress.note(
                f"warning: no network namespace ({reason}); only the hook guards the bots"
            )

        def land(finished: Run) -> None:
            notebook.save(finished)
            progress.land(finished)

        outcome = run_bench(Plan(order.pairs, lanes), setup, report, land)
    return notebook.close(outcome)


def _kept(keep: Path) -> Path:
    """Return the folder in which the user wants to keep the files of the runs."""
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot keep runs here: {error.strerror}", where=str(keep)) from error
    if any(keep.iterdir()):
        raise InputError(
            "this folder holds something already", where=str(keep), remedy="name a new one"
        )
    return keep.resolve()


def _templates(scenario: Scenario, recording: Recording, folder: Path, order: Order) -> Templates:
    """Prepare the services of both sides, without a way out for what fills them."""
    rules = (*scenario.original.services, *scenario.optimized.services)
    if all(rule.url for rule in rules):
        return {}
    with open_network(recording, folder / "network") as network:
        return prepare_services(
            rules,
            folder,
            network,
            environment=inherited(),
            home=scenario.path.resolve().parent,
            python=str(order.python or sys.executable),
        )


class _Notebook:
    """Keeps the result file up to date while runs land."""

    def __init__(self, order: Order, scenario: Scenario, recording: Recording, lanes: int) -> None:
        self._order, self._scenario, self._recording = order, scenario, recording
        self._lanes = lanes
        self._runs: list[Run] = []
        speed, until_s = order.speed, order.until_s
        self._floors = floors(recording, scenario, speed=speed, until_s=until_s)
        self._item_floors = item_floors(recording, scenario, speed=speed, until_s=until_s)
        self._environment = environment(scenario.path.parent, machine_load()["load_1m"])
        self._findings = _scan(scenario) if order.scan else None

    def save(self, run: Run) -> None:
        """Add a run; until the bench is over the file says that it was interrupted."""
        self._runs.append(run)
        write_result(self._result(None), self._order.output)

    def close(self, outcome: Outcome) -> Result:
        """Write and return the final result."""
        result = self._result(outcome)
        write_result(result, self._order.output)
        return result

    def _result(self, outcome: Outcome | None) -> Result:
        order, scenario = self._order, self._scenario
        interrupted = outcome is None or outcome.interrupted
        isolated = namespace.unavailable() is None
        faults = tuple(fault.spec for fault in scenario.emulated.faults)
        runs = tuple(sorted(self._runs, key=lambda run: (run.pair, run.slot)))
        circumstances = Circumstances(
            speed=order.speed,
            lanes=min(self._lanes, order.pairs),
            isolated=isolated,
            truncated=self._recording.truncated,
            interrupted=interrupted,
            until_s=order.until_s,
            faults=faults,
            outside=_outside(scenario),
            cpus=self._environment["cpus"],
            load_before=outcome.load_before if outcome else None,
            cpu_busy=outcome.cpu_busy if outcome else None,
            cpu_steal=outcome.cpu_steal if outcome else None,
        )
        method: dict[str, Any] = {
            "pairs": order.pairs,
            "order": "side by side" if self._lanes > 1 else "A B B A",
            "lanes": min(self._lanes, order.pairs),
            "speed": order.speed,
            "until_s": order.until_s,
            "seed": order.seed,
            "faults": list(faults),
            "after": order.after,
            "warm_up_s": WARM_UP_S,
            "guard": "network namespace" if isolated else "hook in the interpreter",
            "floor_assumes": assumptions(self._floors, scenario),
            "agent": "event loops watched" if order.vitals else "guard only",
            "seconds": round(outcome.seconds, 1) if outcome else None,
            "cpu_busy": round(outcome.cpu_busy, 3) if outcome else None,
            "cpu_steal": round(outcome.cpu_steal, 3) if outcome else None,
        }
        return Result(
            scenario=describe_scenario(scenario),
            environment=self._environment,
            recording=describe_recording(self._recording, scenario),
            method=method,
            runs=runs,
            comparison=compare(
                runs,
                scenario,
                floors=self._floors,
                item_floors=self._item_floors,
                own=about_readings(scenario.readings),
                circumstances=circumstances,
                seed=order.seed,
            ),
            interrupted=interrupted,
            findings=self._findings,
        )


def _outside(scenario: Scenario) -> tuple[str, ...]:
    rules = (*scenario.original.services, *scenario.optimized.services)
    return tuple(sorted({rule.name for rule in rules if rule.url}))


def _with_after(scenario: Scenario, after: str) -> Scenario:
    """Let ``after`` name the side that runs as the changed one."""
    if after == "optimized":
        return scenario
    if after == "original":
        return replace(scenario, optimized=replace(scenario.original, name="optimized"))
    raise InputError(f"--after names no side: {after!r}", remedy="use 'optimized' or 'original'")


def _scan(scenario: Scenario) -> dict[str, Any]:
    """Return the findings of both sides, each as ``perfscan.findings/1``."""
    return {
        side.name: scan_folder(side.directory) for side in (scenario.original, scenario.optimized)
    }


def scan_folder(folder: Path) -> dict[str, Any]:
    """Scan a folder and return its findings as ``perfscan.findings/1``."""
    from perfscan.analyzers.engine import analyze
    from perfscan.reports.findings_json import render

    started, folder = time.perf_counter(), folder.resolve()
    analysis = analyze([folder], root=folder)
    findings = render(analysis, version=__version__, seconds=time.perf_counter() - started)
    document: dict[str, Any] = json.loads(findings)
    return document


def _manner(pairs: int, lanes: int) -> str:
    if lanes == 1:
        return "one bot at a time"
    return f"{lanes} at a time, side by side" if 1 < lanes < pairs else "side by side"


def _expected_seconds(order: Order, lanes: int, recording: Recording, scenario: Scenario) -> float:
    times = [one.at_ns for one in stimuli(recording, scenario.items).values()]
    streaming = (times[-1] - times[0]) / 1e9 if times else 0.0
    streaming = min(streaming, order.until_s or streaming) / order.speed
    one = streaming + scenario.items.settle_s + START_AND_STOP_S
    warm_up = WARM_UP_S + scenario.items.settle_s + START_AND_STOP_S
    if lanes > 1:
        return warm_up + one * -(-order.pairs // lanes)
    return 2 * (warm_up + order.pairs * one)
