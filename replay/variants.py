"""Variants of a scenario: what is run in each, and how both sides fared in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from perfscan.errors import InputError
from perfscan.replay.catalogue import Metric
from perfscan.replay.compare import compare
from perfscan.replay.doubts import Circumstances
from perfscan.replay.model import (
    Change,
    Implementation,
    Run,
    Scenario,
    Side,
    SideFared,
    Variant,
    VariantOutcome,
)
from perfscan.replay.schedule import SIDES
from perfscan.replay.yaml_node import did_you_mean

PAIRS = 2
"""Enough to see whether the same work was done, too few to prove a speed."""
_KNOWN = ("FaultsInjected", "TooFewPairs", "NoPairs", "BotCrashed")
"""Doubts that the table of variants tells by itself."""


def chosen_variant(scenario: Scenario, name: str) -> Variant:
    """Return the variant called ``name``. Raises InputError with the names that there are."""
    for variant in demand_variants(scenario):
        if variant.name == name:
            return variant
    names = [variant.name for variant in scenario.variants]
    raise InputError(
        f"there is no variant {name!r}{did_you_mean(name, names)}",
        remedy=f"choose one of: {', '.join(names)}",
    )


def demand_variants(scenario: Scenario) -> tuple[Variant, ...]:
    """Return all variants. Raises InputError where there is none."""
    if not scenario.variants:
        raise InputError(
            "the scenario names no variants",
            where=str(scenario.path),
            remedy="add variants: {bad line: {faults: [loss=5%]}}",
        )
    return scenario.variants


def with_variant(scenario: Scenario, variant: Variant) -> Scenario:
    """Return the scenario under other circumstances.

    Claims and targets stay behind: they speak of the circumstances that the scenario describes.
    The load is for whoever reads the recording.
    """
    return replace(
        scenario,
        title=f"{scenario.title}: {variant.title}",
        recording=variant.recording or scenario.recording,
        emulated=scenario.emulated.with_faults(variant.faults),
        original=_changed(scenario.original, variant.original),
        optimized=_changed(scenario.optimized, variant.optimized),
        claims=(),
        targets={},
        variants=(),
    )


def _changed(side: Implementation, change: Change) -> Implementation:
    return replace(
        side,
        command=change.command or side.command,
        environment={**side.environment, **change.environment},
    )


def fared(
    variant: Variant,
    runs: Sequence[Run],
    scenario: Scenario,
    *,
    seed: int = 0,
    own: Mapping[str, Metric] | None = None,
    problem: str = "",
) -> VariantOutcome:
    """Say how both sides fared in ``variant``, of which ``scenario`` is what was run.

    ``own`` describes metrics that are in no catalogue; ``problem`` is what kept it from running.
    """
    specs = tuple(fault.spec for fault in scenario.emulated.faults)
    judged = compare(runs, scenario, own=own, circumstances=Circumstances(faults=specs), seed=seed)
    return VariantOutcome(
        name=variant.name,
        title=variant.title,
        faults=specs,
        recording=scenario.recording.name,
        load=variant.load,
        sides={side: _side(side, runs) for side in SIDES},
        comparison=replace(
            judged, doubts=tuple(doubt for doubt in judged.doubts if doubt.code not in _KNOWN)
        ),
        runs=tuple(sorted(runs, key=lambda run: (run.pair, run.slot))),
        problem=problem,
    )


def _side(side: Side, runs: Sequence[Run]) -> SideFared:
    mine = [run for run in runs if run.side == side and run.problem != "interrupted"]
    failed = [run for run in mine if not run.ok]
    owed = [item for run in mine for item in run.items if item.expected]
    return SideFared(
        runs=len(mine),
        failed=len(failed),
        handled=sum(item.state == "handled" for item in owed),
        expected=len(owed),
        problem=failed[0].problem if failed else "",
    )
