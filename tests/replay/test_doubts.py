from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from perfscan.replay.doubts import Circumstances, doubts
from perfscan.replay.model import Doubt, MetricComparison, Miss, Run


def collect(
    runs: Sequence[Run] = (), pairs: int = 6, noise: float = 0.01, **circumstances: Any
) -> dict[str, Doubt]:
    found = doubts(
        runs,
        pairs,
        {"item_latency_ms.p95": noise},
        Circumstances(**circumstances),
        primary="item_latency_ms.p95",
        threshold=0.05,
    )
    assert all(doubt.remedy and "\n" not in doubt.what for doubt in found)
    return {doubt.code: doubt for doubt in found}


def run(*, ok: bool = True, late_ms: float = 0.1, **values: Any) -> Run:
    metrics = {"item_latency_ms.p95": 500.0, "schedule_lateness_ms.p99": late_ms}
    return Run("original", 2, 0, ok, metrics, (), **values)


def test_a_quiet_bench_leaves_no_doubt() -> None:
    assert collect([run()], busy_before=0.1, cpu_busy=0.4, cpu_steal=0.0) == {}


@pytest.mark.parametrize(
    ("circumstances", "code"),
    [
        ({"speed": 10.0}, "SpeedNotOne"),
        ({"isolated": False}, "NoNamespaceGuard"),
        ({"truncated": True}, "Truncated"),
        ({"interrupted": True}, "Interrupted"),
        ({"until_s": 60.0}, "Shortened"),
        ({"faults": ("loss=5%",)}, "FaultsInjected"),
        ({"outside": ("redis",)}, "ServiceOutside"),
        ({"unread": True}, "NothingCompared"),
        ({"busy_before": 0.4}, "NoisyMachine"),
        ({"left_out": 2}, "BudgetSpent"),
        ({"cpu_steal": 0.1}, "NoisyMachine"),
        ({"lanes": 2, "cpu_busy": 0.9}, "LanesSharedCpu"),
        ({"pairs": 5}, "TooFewPairs"),
        ({"noise": 0.2}, "NoiseFloor"),
    ],
)
def test_each_circumstance_has_its_doubt(circumstances: dict[str, Any], code: str) -> None:
    assert set(collect([run()], **circumstances)) == {code}


def test_near_misses_leave_no_doubt() -> None:
    assert collect([run()], lanes=1, cpu_busy=0.99, busy_before=0.3, noise=0.05) == {}


@pytest.mark.parametrize(("ratio", "doubted"), [(0.5, False), (0.7, True), (1.5, True), (2, False)])
def test_noise_matters_where_the_change_does_not_dwarf_it(ratio: float, doubted: bool) -> None:
    decided = MetricComparison(
        *("item_latency_ms.p95", "ms", "lower", 1.0, ratio, ratio, None, None, 0.97), "improved"
    )
    found = doubts(
        *([], 6, {"item_latency_ms.p95": 0.2}, Circumstances()),
        primary="item_latency_ms.p95",
        threshold=0.05,
        decided=decided,
    )
    assert bool(found) is doubted


def test_no_pair_voids_everything() -> None:
    found = collect([run(ok=False, problem="exit code 1")], pairs=0)

    assert [doubt.voids for doubt in found.values()] == [True, False]
    assert next(iter(found)) == "NoPairs"
    assert "original of pair 3: exit code 1" in found["BotCrashed"].what


def test_misses_are_told_apart_from_crashes_and_show_the_nearest() -> None:
    miss = Miss("GET https://h/new", ("GET https://h/old: path differs",))
    found = collect([run(ok=False, problem="x", misses=(miss,))])

    assert set(found) == {"RecordingExhausted"}
    assert "GET https://h/new" in found["RecordingExhausted"].what
    assert "path differs" in found["RecordingExhausted"].remedy


def test_interrupted_runs_are_no_crashes() -> None:
    assert set(collect([run(ok=False, problem="interrupted")], interrupted=True)) == {"Interrupted"}


def test_lateness_matters_by_what_it_could_move() -> None:
    assert collect([run(late_ms=24.0)]) == {}
    assert set(collect([run(late_ms=26.0)])) == {"LateServer"}


def test_lateness_counts_the_pairs_it_flaws() -> None:
    late, good = run(late_ms=90.0), run()
    found = collect([late, replace(good, side="optimized"), replace(good, pair=3)])

    assert found["LateServer"].what.startswith("in 1 of 2 pairs the replay was up to 90.0 ms late")


def test_escapes_name_each_host_once() -> None:
    found = collect([run(escapes=("evil.test",)), run(escapes=("evil.test", "a.test"))])

    assert "a.test, evil.test" in found["EscapesAttempted"].what
