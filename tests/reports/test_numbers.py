from __future__ import annotations

from dataclasses import replace

from perfscan.replay.model import Claim, MetricComparison
from perfscan.reports.numbers import (
    above_floor,
    change_phrase,
    claimed_phrase,
    coverage,
    detectable_phrase,
    interval_of_after,
    ratio_cell,
    target_phrase,
)

METRIC = MetricComparison(
    *("item_latency_ms.p95", "ms", "lower", 4000.0, 600.0, 0.15, 0.14, 0.16, 0.96875),
    "improved",
    target=1000.0,
    floor=500.0,
    after_low=570.0,
    after_high=660.0,
)
EXACT = replace(METRIC, ci_low=0.15, ci_high=0.15, confidence=1.0)


def test_ratio_cells() -> None:
    assert ratio_cell(METRIC) == "0.150 (0.140 to 0.160)"
    assert ratio_cell(EXACT) == "0.150 (exact)"
    assert ratio_cell(replace(METRIC, confidence=0.0)) == "0.150"
    assert ratio_cell(replace(METRIC, ratio=None)) == "—"
    assert ratio_cell(replace(METRIC, ratio=None, before=0, after=0)) == "equal"


def test_changes_come_with_their_interval_and_its_coverage() -> None:
    assert change_phrase(METRIC) == "6.7x less (96.9 % interval 6.2x to 7.1x)"
    assert change_phrase(EXACT) == "6.7x less, the same in every pair"
    assert change_phrase(replace(METRIC, ratio=None)) == ""
    assert coverage(0.75) == "range, covers 75 %"
    assert coverage(0.0) == "one pair"


def test_targets_floors_and_limits_of_sight() -> None:
    assert target_phrase(METRIC) == "≤ 1.00 s"
    assert target_phrase(replace(METRIC, better="higher")) == "≥ 1.00 s"
    assert target_phrase(replace(METRIC, target=None)) == ""
    assert above_floor(METRIC) == "1.20x"
    assert above_floor(replace(METRIC, floor=0.0)) == ""
    assert above_floor(replace(METRIC, better="higher")) == ""
    assert interval_of_after(METRIC) == "570 ms to 660 ms"
    assert interval_of_after(replace(METRIC, after_high=570.0)) == ""
    assert detectable_phrase(METRIC) == ""
    assert detectable_phrase(replace(METRIC, detectable=0.28)) == "changes under 28 % do not show"


def test_claims_in_short() -> None:
    def claim(**values: object) -> str:
        return claimed_phrase(Claim("t", "s", "m", **values), "ms")  # type: ignore[arg-type]

    assert claim(ratio=(0.2, 0.2), after=(1, 2)) == "claimed 5.0x less"
    assert claim(ratio=(0.2, 0.333)) == "claimed 3.0x to 5.0x less"
    assert claim(after=(500, 1000)) == "claimed 500 ms to 1.00 s"
    assert claim(after=(5, None)) == "claimed 5.00 ms or more"
    assert claim(after=(5, 5)) == "claimed 5.00 ms"
    assert claim(before=(5, 5)) == ""
