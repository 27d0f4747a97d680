"""Carries out a bench: scenario to runs, saved as they land, to a result."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from perfscan.cli.bench_notebook import Notebook, describe_method
from perfscan.cli.bench_output import kept_folder
from perfscan.cli.bench_plan import Planned, plan_pairs, with_variants
from perfscan.cli.bench_stage import Stage, stage_of, traffic_file
from perfscan.cli.bench_variants import VariantPlans, plan_variants, run_variants
from perfscan.cli.progress import Progress
from perfscan.errors import InputError
from perfscan.replay import namespace, spinners
from perfscan.replay.ablation import ROUNDS, chosen_switches
from perfscan.replay.ablation import variants as switched
from perfscan.replay.certificates import Authority
from perfscan.replay.doubts import BUSY_BEFORE
from perfscan.replay.faults import read_faults
from perfscan.replay.model import (
    ComputeScenario,
    Implementation,
    Recording,
    Result,
    Run,
    Scenario,
    Side,
    Variant,
)
from perfscan.replay.network import open_network
from perfscan.replay.placement import available_cpus, placement
from perfscan.replay.processes import busy_share
from perfscan.replay.redirection import inherited
from perfscan.replay.result import read_result
from perfscan.replay.resume import demand_same, finished_pairs
from perfscan.replay.runner import Outcome, run_bench
from perfscan.replay.scenario import read_bench
from perfscan.replay.schedule import Slot
from perfscan.replay.scratch import scratch_folder
from perfscan.replay.services import Templates, prepare_services
from perfscan.replay.trial import Setup, StatusReport
from perfscan.replay.variants import chosen_variant, demand_variants, with_variant
from perfscan.replay.workspace import prepare

AnyScenario = TypeVar("AnyScenario", Scenario, ComputeScenario)


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asked for."""

    scenario: Path
    output: Path
    pairs: int = 12
    lanes: int | None = None
    """Pairs side by side; None leaves it to the scenario."""
    speed: float = 1.0
    load: float = 1.0
    until_s: float | None = None
    seed: int = 1
    after: str = "optimized"
    only: Side | None = None
    budget_s: float | None = None
    resume: Path | None = None
    """A result of an interrupted bench, of which the finished pairs are kept."""
    ablate: tuple[str, ...] | None = None
    """Switches to try; empty for all of the scenario, None for no ablation."""
    variant: str | None = None
    """Run this variant of the scenario instead of the scenario itself."""
    variant_pairs: int | None = None
    """Then run every variant, in so many pairs; None for no variants."""
    python: Path | None = None
    keep: Path | None = None
    scan: bool = True
    vitals: bool = True
    faults: tuple[str, ...] = ()
    spin: bool | None = None
    """Keep idle processors awake; None: where the machine is quiet."""
    pin: bool | None = None
    """Processors of their own for server and bot; None: where the machine is quiet."""
    quiet: bool = False


def run(
    order: Order,
    scenario: Scenario | ComputeScenario | None = None,
    commits: tuple[str, str] | None = None,
) -> Result:
    """Carry out ``order``. The result is on disk after every run, also when interrupted.

    ``scenario`` stands in for the one that the order names, of which it holds two ``commits``.
    """
    scenario = scenario or read_bench(order.scenario)
    if isinstance(scenario, ComputeScenario):
        from perfscan.cli.bench_compute import run_compute

        return run_compute(order, _with_after(scenario, order.after))
    stage, others = _stages(order, scenario)
    scenario, recording = stage.scenario, stage.recording
    if order.ablate is not None:
        order = replace(order, ablate=chosen_switches(scenario.optimized, order.ablate))
    lanes = order.lanes or scenario.lanes
    saved = read_result(order.resume) if order.resume else None
    busy = busy_share()
    order = _settle_disturbance(order, saved, quiet=busy <= BUSY_BEFORE)
    where = placement(available_cpus(), lanes) if order.pin else None
    method = describe_method(order, lanes, pinned=where is not None)
    notebook = Notebook(order, scenario, recording, {**method, "commits": commits})
    variants = plan_variants(others, order.variant_pairs or 0, lanes, saved)
    for plan in variants.each:
        notebook.begin_variant(plan.variant, plan.stage.scenario, plan.kept)
    kept = _take_over(order, saved, notebook, variants.runs) if saved else ()
    planned = plan_pairs(order, lanes, {run.pair for run in kept}, recording, scenario)
    planned = with_variants(order, planned, variants)
    with scratch_folder("perfscan-bench-") as scratch:
        setup = replace(_setup(order, stage, scratch), placement=where)
        outcome = _carry_out(order, planned, variants, setup, notebook, scratch)
    return notebook.close(replace(outcome, busy_before=busy))


def _stages(order: Order, scenario: Scenario) -> tuple[Stage, tuple[tuple[Variant, Stage], ...]]:
    """Return what is played first, and in each variant that is run after it."""
    if order.variant_pairs is not None and order.only:
        raise InputError(
            "--variants compares both sides", remedy="leave out --only, or name one with --variant"
        )
    if order.variant_pairs is not None and order.variant:
        raise InputError("--variants and --variant exclude each other", remedy="give one of them")
    if order.variant is not None:
        return _stage(order, scenario, chosen_variant(scenario, order.variant)), ()
    variants = demand_variants(scenario) if order.variant_pairs is not None else ()
    return _stage(order, scenario), tuple((one, _stage(order, scenario, one)) for one in variants)


def _stage(order: Order, scenario: Scenario, variant: Variant | None = None) -> Stage:
    """Return what is played: ``scenario``, or a variant of it, with what was ordered for all."""
    load = order.load
    if variant is not None:
        scenario, load = with_variant(scenario, variant), load * variant.load
    scenario = _with_after(scenario, order.after)
    emulated = scenario.emulated.with_faults(read_faults(order.faults))
    return stage_of(replace(scenario, emulated=emulated), load, order.seed)


def _carry_out(
    order: Order,
    planned: Planned,
    variants: VariantPlans,
    setup: Setup,
    notebook: Notebook,
    scratch: Path,
) -> Outcome:
    """Make all runs, those of the variants last; each is saved as it lands."""
    report, begun_s = StatusReport(), time.monotonic()
    with ExitStack() as stack:
        progress = stack.enter_context(_progress(order, setup.scenario, planned, report))
        for warning in _warnings(setup.recording, setup.scenario):
            progress.note(warning)
        cpus = available_cpus()
        spun = stack.enter_context(spinners.spinning(cpus) if order.spin else nullcontext())

        def land(slot: Slot, finished: Run) -> None:
            notebook.save(slot, finished)
            round_ = f"round {finished.pair + 1} {slot.variant}" if slot.variant else ""
            progress.land(finished, round_)

        outcome = run_bench(
            planned.plan, setup, report, land, spun_s=spun.cpu_s if spun else lambda: 0.0
        )
        if outcome.interrupted:
            return outcome
        ends_at_s = None if order.budget_s is None else begun_s + order.budget_s
        stopped = run_variants(variants, setup, report, progress, notebook, scratch, ends_at_s)
        return replace(outcome, interrupted=stopped)


def _settle_disturbance(order: Order, saved: Result | None, *, quiet: bool) -> Order:
    """Decide on spinners and pinning: as asked, as in the bench that goes on, or by the machine.

    Where others work as well both do harm: what is pinned waits behind them, and a processor that
    spins looks taken, so that the system finds no idle one.
    """
    spin, pin = order.spin, order.pin
    if saved is not None:
        spin = bool(saved.method.get("spinners")) if spin is None else spin
        pin = bool(saved.method.get("pinned")) if pin is None else pin
    spin = quiet if spin is None else spin
    return replace(order, spin=spin and spinners.possible(), pin=quiet if pin is None else pin)


def _take_over(order: Order, saved: Result, notebook: Notebook, more: int) -> tuple[Run, ...]:
    """Return the finished runs of the bench that is to go on. Raises InputError if it cannot.

    ``more`` is how many runs of variants are still to be made.
    """
    demand_same(saved, notebook.circumstances)
    runs = finished_pairs(saved.runs, 1 if order.only else 2)
    whole = len({run.pair for run in runs}) == order.pairs
    if whole and not saved.interrupted and order.ablate is None and not more:
        raise InputError(
            "nothing is left of this bench",
            where=str(order.resume),
            remedy="draw its report with perfscan report build, or start a new bench",
        )
    notebook.take_over(saved, runs)
    return runs


def _setup(order: Order, stage: Stage, scratch: Path) -> Setup:
    scenario, recording = stage.scenario, stage.recording
    folder = kept_folder(order.keep) if order.keep else scratch
    sides: Mapping[Side, Implementation] = {
        "original": scenario.original,
        "optimized": scenario.optimized,
    }
    return Setup(
        scenario=scenario,
        recording=recording,
        traffic=traffic_file(stage, scratch),
        folder=folder,
        prepared={
            side: prepare(implementation.directory, folder / "bots" / side)
            for side, implementation in sides.items()
        },
        authority=Authority.create(scratch / "ca"),
        python=str(order.python or sys.executable),
        speed=order.speed,
        seed=order.seed,
        until_s=order.until_s,
        vitals=order.vitals,
        templates=_templates(scenario, recording, scratch / "services", order),
        variants=switched(scenario.optimized, order.ablate) if order.ablate else {},
    )


def _progress(order: Order, scenario: Scenario, planned: Planned, report: StatusReport) -> Progress:
    extra = f", then {ROUNDS} rounds of ablation" if order.ablate else ""
    return Progress(
        f"{scenario.title} · {planned.manner}{extra}",
        planned.runs,
        planned.expected_s,
        report,
        quiet=order.quiet,
    )


def _warnings(recording: Recording, scenario: Scenario) -> list[str]:
    found = []
    if recording.truncated:
        found.append(f"warning: {scenario.recording} is cut short; what it holds is used")
    if reason := namespace.unavailable():
        found.append(f"warning: no network namespace ({reason}); only the hook guards the bots")
    return found


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


def one_side_twice(scenario: AnyScenario, side: str) -> AnyScenario:
    """Return the scenario with ``side`` on both sides."""
    both = scenario.original if side == "original" else scenario.optimized
    return replace(
        scenario,
        original=replace(both, name="original"),
        optimized=replace(both, name="optimized"),
    )


def _with_after(scenario: AnyScenario, after: str) -> AnyScenario:
    """Let ``after`` name the side that runs as the changed one."""
    if after == "optimized":
        return scenario
    if after == "original":
        return one_side_twice(scenario, "original")
    raise InputError(f"--after names no side: {after!r}", remedy="use 'optimized' or 'original'")
