"""Which runs a bench makes, in which order, and what can be said of them beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perfscan.cli.bench_variants import VariantPlans
from perfscan.errors import InputError
from perfscan.replay.ablation import ROUNDS, variants
from perfscan.replay.model import Recording, Scenario
from perfscan.replay.runner import WARM_UP_S, Plan
from perfscan.replay.schedule import SIDES, pair_batches, round_batches
from perfscan.replay.work import stimuli

if TYPE_CHECKING:
    from perfscan.cli.bench_run import Order

START_AND_STOP_S = 4.0


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what can be said of it beforehand."""

    plan: Plan
    runs: int
    expected_s: float
    manner: str


def plan_pairs(
    order: Order, lanes: int, done: set[int], recording: Recording, scenario: Scenario
) -> Planned:
    """Decide on all runs. Raises InputError where the budget is less than the first batch takes."""
    sides = (order.only,) if order.only else SIDES
    missing = [pair for pair in range(order.pairs) if pair not in done]
    batches = pair_batches(missing, lanes, order.only)
    warm_up = pair_batches([0], lanes, order.only)[0]
    if order.ablate is not None:
        names = list(variants(scenario.optimized, order.ablate))
        batches += round_batches(names, ROUNDS, lanes)
    one_s, warm_up_s = _run_seconds(order, recording, scenario)
    seconds = [one_s * len(batch) for batch in batches]
    least = warm_up_s * len(warm_up) + (seconds[0] if seconds else 0)
    if order.budget_s is not None and batches and least > order.budget_s:
        raise InputError(
            f"a budget of {order.budget_s:g} s is less than a warm-up and the first pair take",
            remedy=f"give --budget {least:.0f}s or more, or shorten the recording with --until",
        )
    expected = warm_up_s * len(warm_up) + sum(seconds)
    return Planned(
        Plan(batches, warm_up, order.budget_s),
        runs=sum(len(turn) for batch in batches for turn in batch),
        expected_s=min(expected, order.budget_s or expected),
        manner=_manner(len(missing), lanes, len(sides)),
    )


def with_variants(order: Order, planned: Planned, variants: VariantPlans) -> Planned:
    """Add the runs of all variants to what is said of a plan."""
    one_s = {
        plan.variant.name: _run_seconds(order, plan.stage.recording, plan.stage.scenario)[0]
        for plan in variants.each
        if plan.missing
    }
    if not one_s:
        return planned
    turns = [turn for batch in variants.batches for turn in batch]
    seconds = sum(max(one_s[slot.stage] for slot in turn) for turn in turns)
    wide = max(len({slot.stage for slot in turn}) for turn in turns)
    what = f"{len(one_s)} {'variant' if len(one_s) == 1 else 'variants'}"
    return replace(
        planned,
        runs=planned.runs + variants.runs,
        expected_s=min(planned.expected_s + seconds, order.budget_s or float("inf")),
        manner=f"{planned.manner}, then {what}{f', {wide} side by side' if wide > 1 else ''}",
    )


def _run_seconds(order: Order, recording: Recording, scenario: Scenario) -> tuple[float, float]:
    """Return about how long a run takes, and a warm-up."""
    times = [one.at_ns for one in stimuli(recording, scenario.items).values()]
    streaming = (times[-1] - times[0]) / 1e9 if times else 0.0
    streaming = min(streaming, order.until_s or streaming) / order.speed
    around = scenario.items.settle_s + START_AND_STOP_S
    return streaming + around, min(streaming, WARM_UP_S) + START_AND_STOP_S


def _manner(pairs: int, lanes: int, sides: int) -> str:
    what = f"{pairs} pairs" if sides == 2 else f"{pairs} runs"
    if lanes == 1:
        return f"{what}, one bot at a time"
    wide = f"{lanes} at a time, side by side" if 1 < lanes < pairs else "side by side"
    return f"{what}, {wide}"
