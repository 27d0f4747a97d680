"""Carries out a bench of ``kind: compute``: two functions on recorded data."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from perfscan.cli.bench_output import kept_folder
from perfscan.cli.bench_scan import scan_sides
from perfscan.cli.progress import Progress
from perfscan.errors import InputError
from perfscan.replay import namespace, spinners
from perfscan.replay.circumstances import environment
from perfscan.replay.compare import compare
from perfscan.replay.compute.bench import run_compute_bench
from perfscan.replay.compute.data import read_data, rows
from perfscan.replay.compute.trial import ComputeSetup
from perfscan.replay.doubts import BUSY_BEFORE, Circumstances
from perfscan.replay.model import ComputeScenario, Result, Run
from perfscan.replay.placement import available_cpus
from perfscan.replay.processes import busy_share, machine_load, shares
from perfscan.replay.result import describe_compute, write_result
from perfscan.replay.scratch import scratch_folder
from perfscan.replay.trial import StatusReport
from perfscan.replay.workspace import prepare

if TYPE_CHECKING:
    from perfscan.cli.bench_run import Order

START_S = 1.0


def run_compute(order: Order, scenario: ComputeScenario) -> Result:
    """Carry out ``order``. The result is on disk after every run, also when interrupted."""
    _refuse_what_is_for_bots(order)
    notebook = _Notebook(order, scenario)
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder("perfscan-bench-"))
        folder = kept_folder(order.keep) if order.keep else scratch
        setup = ComputeSetup(
            scenario=scenario,
            folder=folder,
            prepared={
                "original": prepare(scenario.original.directory, folder / "code" / "original"),
                "optimized": prepare(scenario.optimized.directory, folder / "code" / "optimized"),
            },
            python=str(order.python or sys.executable),
        )
        sizes = len(scenario.sizes) or 1
        progress = stack.enter_context(
            Progress(
                f"{scenario.title} · {order.pairs} pairs, one after the other",
                2 * order.pairs,
                2 * (order.pairs + 1) * (START_S + sizes * scenario.repeat_s),
                StatusReport(),
                quiet=order.quiet,
            )
        )
        notebook.busy_before = busy = busy_share()
        before = machine_load()
        spins = busy <= BUSY_BEFORE if order.spin is None else order.spin
        spinning = spinners.spinning(available_cpus())
        spun = stack.enter_context(spinning if spins and spinners.possible() else nullcontext())

        def land(run: Run) -> None:
            notebook.save(run)
            progress.land(run)

        interrupted = run_compute_bench(order.pairs, setup, land)
        after = machine_load()
        after["cpu_idle_s"] += spun.cpu_s() if spun else 0.0
    return notebook.close(interrupted, before, after)


def _refuse_what_is_for_bots(order: Order) -> None:
    given = {
        "--only": order.only,
        "--until": order.until_s,
        "--budget": order.budget_s,
        "--resume": order.resume,
        "--ablate": order.ablate is not None,
        "--speed": order.speed != 1.0,
        "--load": order.load != 1.0,
        "--fault": order.faults,
        "--variant": order.variant,
        "--variants": order.variant_pairs,
        "--lanes": (order.lanes or 1) > 1,
    }
    for option, value in given.items():
        if value:
            raise InputError(
                f"{option} is for replayed traffic", remedy="leave it out: this compares functions"
            )


class _Notebook:
    """Keeps the result file up to date while runs land."""

    busy_before: float | None = None

    def __init__(self, order: Order, scenario: ComputeScenario) -> None:
        self._order, self._scenario = order, scenario
        self._runs: list[Run] = []
        self._environment = environment(scenario.path.parent, machine_load()["load_1m"])
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._data = _describe_data(scenario)
        self._findings = scan_sides(scenario) if order.scan else None

    def save(self, run: Run) -> None:
        """Add a run; until the bench is over the file says that it was interrupted."""
        self._runs.append(run)
        write_result(self._result(interrupted=True, measured={}), self._order.output)

    def close(
        self, interrupted: bool, before: Mapping[str, float], after: Mapping[str, float]
    ) -> Result:
        """Write and return the final result."""
        seconds = round(after["clock_s"] - before["clock_s"], 1)
        used = {name: round(value, 3) for name, value in shares(before, after).items()}
        result = self._result(interrupted=interrupted, measured={"seconds": seconds, **used})
        write_result(result, self._order.output)
        return result

    def _result(self, *, interrupted: bool, measured: Mapping[str, float]) -> Result:
        order, scenario = self._order, self._scenario
        isolated = namespace.unavailable() is None
        runs = tuple(sorted(self._runs, key=lambda run: (run.pair, run.slot)))
        circumstances = Circumstances(
            isolated=isolated,
            interrupted=interrupted,
            busy_before=self.busy_before,
            cpu_busy=measured.get("cpu_busy"),
            cpu_steal=measured.get("cpu_steal"),
        )
        return Result(
            scenario=describe_compute(scenario),
            environment=self._environment,
            recording=self._data,
            method={
                "started_at": self._started_at,
                "pairs": order.pairs,
                "order": "A B B A",
                "lanes": 1,
                "seed": order.seed,
                "guard": "network namespace" if isolated else "none",
                "interpreter": str(order.python) if order.python else None,
                **measured,
            },
            runs=runs,
            comparison=compare(runs, scenario, circumstances=circumstances, seed=order.seed),
            interrupted=interrupted,
            findings=self._findings,
        )


def _describe_data(scenario: ComputeScenario) -> dict[str, Any]:
    """Return what a result keeps of the data. Raises InputError where it cannot be read."""
    found = rows(read_data(scenario.data))
    for size in scenario.sizes:
        if size > found:
            raise InputError(
                f"the data has {found:,} rows, the scenario asks for {size:,}",
                where=f"{scenario.path}: sizes",
                remedy="record more data, or remove that size",
            )
    return {
        "path": scenario.data.name,
        "sha256": hashlib.sha256(scenario.data.read_bytes()).hexdigest(),
        "items": len(scenario.sizes) or 1,
        "entries": found,
    }
