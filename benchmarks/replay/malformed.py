"""Malformed requests, frames, messages, recordings and scenarios: how many, and what went wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rows import Row

TITLE = "Malformed input (hypothesis): no crash, no hang, one clear line each"
TESTS = Path(__file__).parents[2] / "tests" / "replay"
KINDS = {
    "requests": "server/test_http_connection.py",
    "frames and messages": "server/test_websocket_connection.py",
    "recordings of every format": "importers/test_damage.py",
    "scenarios": "test_scenario_damage.py",
}
EXAMPLES, QUICK = 400, 60
_EXAMPLES = re.compile(r"(\d+) passing,")


def measure(quick: bool) -> Iterator[Row]:
    """Run the fuzzing tests with many examples of each kind."""
    environment = {**os.environ, "PERFSCAN_EXAMPLES": str(QUICK if quick else EXAMPLES)}
    for kind, file in KINDS.items():
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--hypothesis-show-statistics", TESTS / file],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        tried = sum(map(int, _EXAMPLES.findall(done.stdout)))
        good = done.returncode == 0 and tried > 0
        figure = f"{tried:,} tried, all well" if good else f"failed: pytest {TESTS.name}/{file}"
        yield Row(f"malformed {kind}", figure, "no failure", good)
