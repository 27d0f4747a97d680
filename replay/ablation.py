"""Which optimisation brought what: each switched off alone, and on alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from perfscan.errors import InputError
from perfscan.replay.catalogue import Metric
from perfscan.replay.compare import Series, Yardstick, compare_metric, judge_others, line_up
from perfscan.replay.equivalence import RunPair, equivalence
from perfscan.replay.model import (
    Ablation,
    Implementation,
    MetricComparison,
    Run,
    SwitchEffect,
    SwitchVerdict,
    VariantRun,
)
from perfscan.replay.statistics import holm

ROUNDS = 6
"""The least that can show anything: each round gives one pair of runs for every comparison."""
ALL_ON, ALL_OFF = "all on", "all off"
_VERDICTS: dict[str, SwitchVerdict] = {
    "improved": "helps",
    "regressed": "hurts",
    "no change": "brings nothing",
    "unclear": "unclear",
}


def chosen_switches(side: Implementation, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the switches to try: those of ``wanted``, or all. Raises InputError if unknown."""
    if not side.switches:
        raise InputError(
            "the scenario names no switches, so there is nothing to switch off",
            where="implementations.optimized.switches",
            remedy="add switches: {name: {ENVIRONMENT_VARIABLE: value that turns it off}}",
        )
    for name in wanted:
        if name not in side.switches:
            raise InputError(
                f"there is no switch {name!r}", remedy=f"choose from: {', '.join(side.switches)}"
            )
    return tuple(wanted or side.switches)


def variants(side: Implementation, switches: Sequence[str]) -> dict[str, Implementation]:
    """Return the sides to run by name; switches that are not among ``switches`` stay on.

    With one or two switches some of them are the same ("without a" is "only b") and run once.
    """
    everything = frozenset(switches)
    sets = [frozenset[str](), everything]
    for name in switches:
        sets += [frozenset({name}), everything - {name}]
    return {variant_name(off, switches): _switched(side, off) for off in sets}


def variant_name(off: frozenset[str], switches: Sequence[str]) -> str:
    """Name the variant in which ``off`` are switched off."""
    if not off:
        return ALL_ON
    if len(off) == len(switches):
        return ALL_OFF
    if len(off) == 1:
        return f"without {next(iter(off))}"
    return f"only {next(name for name in switches if name not in off)}"


def _switched(side: Implementation, off: frozenset[str]) -> Implementation:
    environment = dict(side.environment)
    for name in sorted(off):
        environment |= side.switches[name]
    return replace(side, environment=environment)


def ablation(
    runs: Mapping[str, Sequence[Run]],
    switches: Sequence[str],
    scenario: Yardstick,
    seed: int = 0,
    *,
    own: Mapping[str, Metric] | None = None,
    disturbed: bool = False,
) -> Ablation:
    """Say what each switch brought, from the runs of every variant; a run's pair is its round.

    ``own`` describes metrics that are in no catalogue; ``disturbed`` says that faults were
    injected.

    The primary metric is judged as in a comparison, corrected for the number of switches (Holm).
    """
    off = {name: variant_name(frozenset({name}), switches) for name in switches}
    only = {name: variant_name(frozenset(switches) - {name}, switches) for name in switches}
    pairs = {
        **{("without", name): _pairs(runs, off[name], ALL_ON) for name in switches},
        **{("alone", name): _pairs(runs, ALL_OFF, only[name]) for name in switches},
    }
    series = {place: line_up(found, seed, own) for place, found in pairs.items()}
    primaries = {
        place: one
        for place, found in series.items()
        for one in found
        if one.name == scenario.primary
    }
    corrected = holm({f"{kind} {name}": one.p_value for (kind, name), one in primaries.items()})
    judged = {
        (kind, name): compare_metric(one, scenario, corrected[f"{kind} {name}"], None, seed)
        for (kind, name), one in primaries.items()
    }
    return Ablation(
        rounds=_whole_rounds(runs),
        switches=tuple(
            _effect(
                name,
                judged.get(("without", name)),
                judged.get(("alone", name)),
                _others(series["without", name], scenario, seed),
                same_work=all(
                    equivalence(pairs[kind, name], disturbed=disturbed).same
                    for kind in ("without", "alone")
                ),
            )
            for name in switches
        ),
        runs=tuple(
            VariantRun(variant, run.pair, run.slot, run.ok, run.problem, run.metrics)
            for variant, made in runs.items()
            for run in made
        ),
    )


def _pairs(runs: Mapping[str, Sequence[Run]], before: str, after: str) -> list[RunPair]:
    """Pair the runs of two variants that fell into the same round and ended well."""
    earlier = {run.pair: run for run in runs.get(before, ()) if run.ok}
    later = {run.pair: run for run in runs.get(after, ()) if run.ok}
    return [RunPair(earlier[number], later[number]) for number in sorted(earlier.keys() & later)]


def _whole_rounds(runs: Mapping[str, Sequence[Run]]) -> int:
    good = [{run.pair for run in made if run.ok} for made in runs.values()]
    return len(set.intersection(*good)) if good else 0


def _others(
    series: Sequence[Series], scenario: Yardstick, seed: int
) -> tuple[MetricComparison, ...]:
    """Return the other metrics that a switch changed beyond doubt."""
    return tuple(
        metric
        for metric in judge_others(series, scenario, seed)
        if metric.verdict in ("improved", "regressed")
    )


def _effect(
    name: str,
    without: MetricComparison | None,
    alone: MetricComparison | None,
    others: tuple[MetricComparison, ...],
    *,
    same_work: bool,
) -> SwitchEffect:
    if not same_work:
        return SwitchEffect(name, "different work", "", without, alone, others)
    verdict = _VERDICTS[without.verdict] if without else "unclear"
    by_itself = _VERDICTS[alone.verdict] if alone else "unclear"
    if verdict == "helps" and by_itself in ("brings nothing", "hurts"):
        return SwitchEffect(name, verdict, "only with others", without, alone, others)
    if verdict == "brings nothing" and by_itself == "helps":
        return SwitchEffect(name, verdict, "others make up for it", without, alone, others)
    return SwitchEffect(name, verdict, "", without, alone, others)
