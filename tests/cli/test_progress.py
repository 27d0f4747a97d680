"""What a bench prints while it runs."""

from __future__ import annotations

import pytest

from perfscan.cli.progress import Progress
from perfscan.replay.model import Item, Run
from perfscan.replay.schedule import Slot
from perfscan.replay.trial import StatusReport


def run(*, ok: bool = True) -> Run:
    items = (
        Item("a", 0, "handled", 5.0),
        Item("b", 0, "missed", None),
        Item("c", 0, "handled", None, expected=False),
    )
    problem = "" if ok else "killed by SIGKILL"
    return Run("optimized", 2, 1, ok, {"item_latency_all_ms.p95": 1234.5}, items, problem=problem)


def test_without_a_terminal_there_are_only_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Progress("toy · 6 pairs", 12, 80.0, StatusReport()) as progress:
        progress.land(run())
        progress.land(run(ok=False))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "\r" not in printed.err
    assert printed.err.splitlines() == [
        "toy · 6 pairs · 12 runs · about 80 s",
        "run 1/12 · pair 3 optimized: 1 of 2 items, p95 1,234 ms",
        "run 2/12 · pair 3 optimized: killed by SIGKILL",
    ]


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("toy", 12, 80.0, StatusReport(), quiet=True) as progress:
        progress.land(run())
        progress.note("warning")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"accepted": 7.0, "cycles": 0.0}, "original 14 effects · optimized 7 effects"),
        ({"accepted": 0.0, "cycles": 2.0}, "original 4 cycles · optimized 2 cycles"),
    ],
)
def test_a_line_tells_how_far_all_runs_have_come(row: dict[str, float], said: str) -> None:
    report = StatusReport()
    for slot in (Slot("original", 0, 0), Slot("original", 1, 1), Slot("optimized", 0, 1)):
        report.update(slot, row)
    with Progress("toy", 12, 80.0, report, quiet=True) as progress:
        line = progress._line()
    assert line.startswith(f"0/12 runs, 3 under way · {said} · ")
