"""How often benches of the same code, run by the real engine, are called different.

Every bench is made of runs of its own, so that the comparisons are independent. Longer benches
are then formed at random from the same pairs; they share runs among each other, which makes their
rate finer but no surer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rows import Row
from small_bot import ROUNDS, lay_out

from perfscan.cli.bench_run import Order, run
from perfscan.quantities import percent
from perfscan.replay.calibration import CHANGES, calibrate
from perfscan.replay.equivalence import complete_pairs
from perfscan.replay.model import Result, Run
from perfscan.replay.scenario import read_scenario
from perfscan.replay.statistics import MIN_PAIRS

TITLE = "False alarms: a small bot against itself, in benches of 6 pairs that share no run"
GOAL = 0.05
BENCHES, QUICK_BENCHES = 40, 4
LANES = 2
FORMED = 200


def measure(quick: bool) -> Iterator[Row]:
    """Run the benches and count those that find a change; then form longer ones of their pairs."""
    with tempfile.TemporaryDirectory(prefix="perfscan-benchmark-") as name:
        path = lay_out(Path(name), ROUNDS)
        scenario = read_scenario(path)
        benches = [
            run(_order(path, Path(name) / f"run-{number}.json", number))
            for number in range(QUICK_BENCHES if quick else BENCHES)
        ]
    whole = [one for one in benches if one.comparison.pairs == MIN_PAIRS]
    yield Row(
        f"benches of {MIN_PAIRS} pairs, no run in two of them",
        str(len(whole)),
        "" if quick else f"at least {BENCHES}",
        None if quick else len(whole) >= BENCHES,
    )
    alarms = [_changed(bench) for bench in whole]
    yield _rate("primary metric", sum(scenario.primary in names for names in alarms), len(whole))
    others = sum(bool(names - {scenario.primary}) for names in alarms)
    yield _rate("any other metric (Holm)", others, len(whole))
    for size in calibrate(_joined(whole), scenario, comparisons=FORMED, seed=1):
        if not size.comparisons:
            continue
        what = f"{size.pairs} pairs at random, sharing runs"
        yield _rate(what, size.false_alarms, size.comparisons)
        level, least = size.noise[scenario.primary], size.detectable[scenario.primary]
        yield Row("  noise, smallest change seen", f"{percent(level)}, {percent(least)}")


def _order(scenario: Path, output: Path, seed: int) -> Order:
    return Order(
        *(scenario, output), pairs=MIN_PAIRS, lanes=LANES, seed=seed, scan=False, quiet=True
    )


def _changed(bench: Result) -> set[str]:
    return {one.name for one in bench.comparison.metrics if one.verdict in CHANGES}


def _rate(what: str, alarms: int, comparisons: int) -> Row:
    share = alarms / comparisons if comparisons else 1.0
    figure = f"{alarms} of {comparisons} ({percent(share)})"
    if comparisons < BENCHES:
        return Row(what, figure)  # too few to hold against the goal
    return Row(what, figure, f"at most {percent(GOAL)}", share <= GOAL)


def _joined(benches: Sequence[Result]) -> list[Run]:
    """Return all runs, their pairs numbered from the first bench to the last."""
    pairs = [pair for bench in benches for pair in complete_pairs(bench.runs)]
    return [
        replace(one, pair=number)
        for number, pair in enumerate(pairs)
        for one in (pair.original, pair.optimized)
    ]
