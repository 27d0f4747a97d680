"""Keeps the result file of a bench up to date while its runs land."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from perfscan.cli.bench_scan import scan_sides
from perfscan.replay import namespace
from perfscan.replay.ablation import ablation
from perfscan.replay.calibration import quote_calibration
from perfscan.replay.circumstances import environment
from perfscan.replay.compare import compare
from perfscan.replay.doubts import Circumstances
from perfscan.replay.figures import figures
from perfscan.replay.floor import assumptions, floors, item_floors
from perfscan.replay.model import (
    Ablation,
    CycleEffect,
    Recording,
    Result,
    Run,
    Scenario,
    Variant,
    VariantOutcome,
)
from perfscan.replay.processes import machine_load
from perfscan.replay.readings import about_readings
from perfscan.replay.result import describe_recording, describe_scenario, write_result
from perfscan.replay.runner import WARM_UP_S, Outcome
from perfscan.replay.schedule import Slot
from perfscan.replay.variants import fared
from perfscan.replay.workspace import source_digest

if TYPE_CHECKING:
    from perfscan.cli.bench_run import Order


@dataclass(slots=True)
class _Fared:
    """The page of a variant."""

    variant: Variant
    scenario: Scenario
    runs: list[Run]
    problem: str = ""


class Notebook:
    """What is known of a bench so far."""

    def __init__(
        self, order: Order, scenario: Scenario, recording: Recording, method: Mapping[str, Any]
    ) -> None:
        self._order, self._scenario, self._recording = order, scenario, recording
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._method: dict[str, Any] = {"started_at": started_at, **method}
        self._runs: list[Run] = []
        self._variants: dict[str, list[Run]] = {}
        self._fared: dict[str, _Fared] = {}
        self._fared_before: tuple[VariantOutcome, ...] = ()
        speed, until_s = order.speed, order.until_s
        self._floors = floors(recording, scenario, speed=speed, until_s=until_s)
        self._item_floors = item_floors(recording, scenario, speed=speed, until_s=until_s)
        self._faults = tuple(fault.spec for fault in scenario.emulated.faults)
        self._method |= {
            "faults": list(self._faults),
            "floor_assumes": assumptions(self._floors, scenario),
        }
        self._environment = environment(scenario.path.parent, machine_load()["load_1m"])
        self._described = describe_scenario(scenario)
        for side in (scenario.original, scenario.optimized):
            self._described["implementations"][side.name]["sha256"] = source_digest(side.directory)
        self._own = about_readings(scenario.readings)
        self._findings = scan_sides(scenario) if order.scan else None
        self._method["calibration"] = quote_calibration(
            scenario, recording.sha256, self._environment, self._method
        )

    @property
    def circumstances(self) -> dict[str, Mapping[str, Any]]:
        """What must be the same where a bench goes on with an earlier one."""
        return {
            "scenario": self._described,
            "recording": {"sha256": self._recording.sha256},
            "environment": self._environment,
            "method": self._method,
        }

    def take_over(self, saved: Result, runs: tuple[Run, ...]) -> None:
        """Go on with ``runs`` of an earlier bench, under its date."""
        self._runs += runs
        self._fared_before = saved.variants
        self._method["started_at"] = saved.method.get("started_at")
        self._method["resumed"] = int(saved.method.get("resumed") or 0) + 1

    def save(self, slot: Slot, run: Run) -> None:
        """Add a run; until the bench is over the file says that it was interrupted."""
        (self._variants.setdefault(slot.variant, []) if slot.variant else self._runs).append(run)
        write_result(self._result(None), self._order.output)

    def begin_variant(self, variant: Variant, scenario: Scenario, kept: tuple[Run, ...]) -> None:
        """Open a page for ``variant``, in which ``scenario`` is run; ``kept`` are earlier runs."""
        self._fared[variant.name] = _Fared(variant, scenario, list(kept))

    def save_variant(self, variant: str, run: Run) -> None:
        """Add a run of a variant."""
        self._fared[variant].runs.append(run)
        write_result(self._result(None), self._order.output)

    def fail_variant(self, variant: str, problem: str) -> None:
        """Note what keeps a variant from running."""
        self._fared[variant].problem = problem
        write_result(self._result(None), self._order.output)

    def close(self, outcome: Outcome) -> Result:
        """Write and return the final result."""
        result = self._result(outcome)
        write_result(result, self._order.output)
        return result

    def _result(self, outcome: Outcome | None) -> Result:
        order, scenario, method = self._order, self._scenario, self._method
        runs = tuple(sorted(self._runs, key=lambda run: (run.pair, run.slot)))
        measured = _measured(outcome) if outcome else {}
        circumstances = Circumstances(
            speed=order.speed,
            lanes=method["lanes"],
            isolated=namespace.unavailable() is None,
            truncated=self._recording.truncated,
            interrupted=outcome is None or outcome.interrupted,
            left_out=outcome.left_out if outcome else 0,
            until_s=order.until_s,
            alone=order.only is not None,
            faults=self._faults,
            outside=_outside(scenario),
            unread=_compares_nothing(scenario),
            busy_before=outcome.busy_before if outcome else None,
            cpu_busy=measured.get("cpu_busy"),
            cpu_steal=measured.get("cpu_steal"),
        )
        comparison = compare(
            runs,
            scenario,
            floors=self._floors,
            item_floors=self._item_floors,
            own=self._own,
            circumstances=circumstances,
            seed=order.seed,
        )
        alone = order.only
        return Result(
            scenario=self._described,
            environment=self._environment,
            recording=describe_recording(self._recording, scenario),
            method={**method, **{name: measured.get(name) for name in _MEASURED}},
            runs=runs,
            comparison=comparison,
            interrupted=circumstances.interrupted,
            findings=self._findings,
            figures=(
                figures(runs, alone, scenario.targets, order.seed, own=self._own) if alone else ()
            ),
            ablation=self._ablation(finished=outcome is not None),
            variants=self._variant_outcomes() or self._fared_before,
        )

    def _variant_outcomes(self) -> tuple[VariantOutcome, ...]:
        seed, own = self._order.seed, self._own
        return tuple(
            fared(one.variant, one.runs, one.scenario, seed=seed, own=own, problem=one.problem)
            for one in self._fared.values()
        )

    def _ablation(self, *, finished: bool) -> Ablation | None:
        """Judge the variants once all have run; until then their figures are only kept."""
        switches = self._order.ablate
        if not switches:
            return None
        kept = switches if finished else ()
        disturbed, seed = bool(self._faults), self._order.seed
        return ablation(
            self._variants, kept, self._scenario, seed, own=self._own, disturbed=disturbed
        )


def _outside(scenario: Scenario) -> tuple[str, ...]:
    rules = (*scenario.original.services, *scenario.optimized.services)
    return tuple(sorted({rule.name for rule in rules if rule.url}))


def _compares_nothing(scenario: Scenario) -> bool:
    effect = scenario.items.effect
    return isinstance(effect, CycleEffect) and not (effect.compare or effect.compare_in)


_MEASURED = ("seconds", "cpu_busy", "cpu_steal")


def _measured(outcome: Outcome) -> dict[str, float]:
    return {
        "seconds": round(outcome.seconds, 1),
        "cpu_busy": round(outcome.cpu_busy, 3),
        "cpu_steal": round(outcome.cpu_steal, 3),
    }


def describe_method(order: Order, lanes: int, *, pinned: bool) -> dict[str, Any]:
    """Return what a result keeps of how it was made, as far as it is known beforehand."""
    isolated = namespace.unavailable() is None
    return {
        "pairs": order.pairs,
        "order": "side by side" if lanes > 1 else "A B B A",
        "lanes": min(lanes, order.pairs),
        "speed": order.speed,
        "load": order.load,
        "until_s": order.until_s,
        "seed": order.seed,
        "after": order.after,
        "only": order.only,
        "variant": order.variant,
        "variant_pairs": order.variant_pairs,
        "budget_s": order.budget_s,
        "pinned": pinned,
        "spinners": order.spin,
        "warm_up_s": WARM_UP_S,
        "guard": "network namespace" if isolated else "hook in the interpreter",
        "agent": "event loops watched" if order.vitals else "guard only",
        "interpreter": str(order.python) if order.python else None,
    }
