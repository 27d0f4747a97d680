"""What spinners and pinning do to the spread of a small bot's runs and to the replay's lateness."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median, stdev

from rows import Row
from small_bot import ROUNDS, lay_out

from perfscan.cli.bench_run import Order, run
from perfscan.quantities import percent, quantity

TITLE = "Spinners and pinning: spread of the item latency between runs, lateness of the replay"
PAIRS, QUICK_PAIRS = 10, 4


def measure(quick: bool) -> Iterator[Row]:
    """Run the same bot against itself in all four ways."""
    for spin in (False, True):
        for pin in (False, True):
            with tempfile.TemporaryDirectory(prefix="perfscan-benchmark-") as name:
                order = Order(
                    lay_out(Path(name), ROUNDS),
                    Path(name) / "run.json",
                    pairs=QUICK_PAIRS if quick else PAIRS,
                    scan=False,
                    spin=spin,
                    pin=pin,
                    quiet=True,
                )
                good = [one.metrics for one in run(order).runs if one.ok]
            latency = [metrics["item_latency_ms.p50"] for metrics in good]
            spread = stdev(latency) / median(latency)
            late = median(metrics["schedule_lateness_ms.p99"] for metrics in good)
            yield Row(
                f"spinners {'on' if spin else 'off'}, pinned {'yes' if pin else 'no'}",
                f"{quantity(median(latency), 'ms')}, spread {percent(spread)}",
                f"late p99 {quantity(late, 'ms')}",
            )
