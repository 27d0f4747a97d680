"""Whether a bot that really does 10 or 30 % more rounds of asking and computing is found slower."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from rows import Row
from small_bot import ROUNDS, lay_out

from perfscan.cli.bench_run import Order, run
from perfscan.quantities import change_interval

TITLE = "Sensitivity: a small bot that does more rounds of work per item than before"
CASES = ((13, 6), (11, 20))
"""Rounds after the change, where 10 were before, and pairs of runs."""


def measure(quick: bool) -> Iterator[Row]:
    """Run a bench for each injected slowdown; ``quick`` leaves the long one out."""
    for rounds, pairs in CASES[:1] if quick else CASES:
        with tempfile.TemporaryDirectory(prefix="perfscan-benchmark-") as name:
            path = lay_out(Path(name), rounds)
            order = Order(path, Path(name) / "run.json", pairs=pairs, scan=False, quiet=True)
            result = run(order)
        primary = result.scenario["primary"]
        found = next((one for one in result.comparison.metrics if one.name == primary), None)
        what = f"{round(100 * (rounds / ROUNDS - 1))} % more work, {pairs} pairs"
        if found is None or found.ci_low is None or found.ci_high is None:
            yield Row(what, "not measured", "regressed", False)
            continue
        yield Row(
            what,
            f"{found.verdict}, {change_interval(found.ci_low, found.ci_high)}",
            "regressed",
            found.verdict == "regressed" and result.comparison.verdict == "slower",
        )
