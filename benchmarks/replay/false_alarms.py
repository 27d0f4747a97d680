"""How often benches of the same code, run by the real engine, are called different."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from rows import Row
from small_bot import ROUNDS, lay_out

from perfscan.cli.bench_run import Order, run
from perfscan.quantities import percent
from perfscan.replay.calibration import calibrate
from perfscan.replay.scenario import read_scenario

TITLE = "False alarms: a small bot against itself, benches formed from its real pairs of runs"
GOAL = 0.05
PAIRS, QUICK_PAIRS = 40, 20
COMPARISONS = 200


def measure(quick: bool) -> Iterator[Row]:
    """Run the pairs, form benches of 6, 12 and 20 of them, and count those that find a change."""
    with tempfile.TemporaryDirectory(prefix="perfscan-benchmark-") as name:
        path = lay_out(Path(name), ROUNDS)
        scenario = read_scenario(path)
        pairs = QUICK_PAIRS if quick else PAIRS
        result = run(Order(path, Path(name) / "run.json", pairs=pairs, scan=False, quiet=True))
    done = result.comparison.pairs
    yield Row("pairs of runs without any change", f"{done} of {pairs}")
    for size in calibrate(result.runs, scenario, comparisons=COMPARISONS, seed=1):
        if not size.comparisons:
            continue
        for what, alarms in (
            ("primary metric", size.false_alarms),
            ("any other metric (Holm)", size.other_false_alarms),
        ):
            share = alarms / size.comparisons
            yield Row(
                f"{size.pairs} pairs, {what}",
                f"{alarms} of {size.comparisons} ({percent(share)})",
                f"at most {percent(GOAL)}",
                share <= GOAL,
            )
        level, least = size.noise[scenario.primary], size.detectable[scenario.primary]
        yield Row(
            f"{size.pairs} pairs, noise and smallest change seen",
            f"{percent(level)}, {percent(least)}",
        )
