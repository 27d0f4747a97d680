"""Progress of a bench on stderr: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console

from perfscan.replay.model import Run, Side
from perfscan.replay.schedule import SIDES, Slot
from perfscan.replay.trial import StatusReport

PLAIN_INTERVAL_S = 15.0
LIVE_INTERVAL_S = 0.5


class Progress:
    """Follows a bench while it runs; a context manager.

    ``expected_s`` is a rough estimate from the recording's length, shown as time left.
    """

    def __init__(
        self, title: str, runs: int, expected_s: float, report: StatusReport, *, quiet: bool = False
    ) -> None:
        # Typer and Rich take CI variables for a terminal; only a real one may be drawn on.
        self._live = sys.stderr.isatty()
        self._console = Console(
            stderr=True, force_interactive=None if self._live else False, highlight=False
        )
        self._title = title
        self._runs = runs
        self._expected_s = expected_s
        self._report = report
        self._quiet = quiet
        self._landed = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self.note(f"{self._title} · {self._runs} runs · about {self._expected_s:.0f} s")
        if not self._quiet:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()

    def note(self, line: str) -> None:
        """Print one line, whatever the live line shows."""
        if not self._quiet:
            self._console.print(line, markup=False, soft_wrap=True)

    def land(self, run: Run, what: str = "") -> None:
        """Say how a finished run went; ``what`` it was, where not simply a side of a pair."""
        self._landed += 1
        owed = [item for item in run.items if item.expected]
        handled = sum(item.state == "handled" for item in owed)
        figure = run.metrics.get("item_latency_all_ms.p95")
        latency = f", p95 {figure:,.0f} ms" if figure is not None else ""
        state = f"{handled} of {len(owed)} items{latency}" if run.ok else run.problem
        what = what or f"pair {run.pair + 1} {run.side}"
        self.note(f"run {self._landed}/{self._runs} · {what}: {state}")

    def _follow(self) -> None:
        if not self._live:
            while not self._done.wait(PLAIN_INTERVAL_S):
                self.note(self._line())
            return
        with self._console.status(self._line()) as status:
            while not self._done.wait(LIVE_INTERVAL_S):
                status.update(self._line())

    def _line(self) -> str:
        elapsed = time.monotonic() - self._started
        left = max(0.0, self._expected_s - elapsed)
        now = self._report.latest()
        going = " · ".join(_reached(side, now) for side in SIDES)
        under_way = f", {len(now)} under way · {going}" if now else ""
        return f"{self._landed}/{self._runs} runs{under_way} · {left:.0f} s left"


def _reached(side: Side, now: Mapping[Slot, Mapping[str, float]]) -> str:
    """Say how far all runs of a side have come: ``original 120 effects``."""
    rows = [row for slot, row in now.items() if slot.side == side]
    if cycles := sum(row.get("cycles", 0) for row in rows):
        return f"{side} {cycles:.0f} cycles"
    return f"{side} {sum(row.get('accepted', 0) for row in rows):.0f} effects"
