from __future__ import annotations

from dataclasses import replace

import pytest

from perfscan.replay.model import Comparison, Doubt, MetricComparison, Miss, Result
from perfscan.reports.run_words import (
    checks,
    confidence,
    coverage_of,
    lower_first,
    ordered_metrics,
    title,
    verdict_sentences,
)


def with_comparison(result: Result, **changes: object) -> Result:
    return replace(result, comparison=replace(result.comparison, **changes))  # type: ignore[arg-type]


def with_primary(result: Result, **changes: object) -> Result:
    metrics = tuple(
        replace(one, **changes) if one.name == "item_latency_ms.p95" else one  # type: ignore[arg-type]
        for one in result.comparison.metrics
    )
    return with_comparison(result, metrics=metrics)


def failed_checks(result: Result) -> list[str]:
    return [check.name for check in checks(result) if not check.passed]


def test_the_title_holds_the_verdict_and_the_targets(faster: Result, failed: Result) -> None:
    assert title(faster) == "faster, 3 of 3 targets met"
    assert title(failed) == "inconclusive, 0 of 3 targets met, 3 not proven, interrupted"


def test_the_headline_comes_with_interval_and_success(faster: Result) -> None:
    text = " ".join(verdict_sentences(faster))

    assert "item latency p95 drops from 4.64 s to 718 ms: 6.4x less (96.9 % interval" in text
    assert "it handled 100 % of the items, the original 75 %" in text
    assert "Cost: peak memory 26 % more." in text


def test_under_faults_nobody_says_that_all_was_done(faster: Result) -> None:
    disturbed = replace(faster, method={**faster.method, "faults": ["loss=5%"]})
    text = " ".join(verdict_sentences(disturbed))

    assert "What the optimized side did under the injected faults it did once" in text
    assert "under the injected faults" in next(one.text for one in checks(disturbed))


def test_no_speed_is_told_of_different_work(unequal: Result) -> None:
    text = f"{title(unequal)} {' '.join(verdict_sentences(unequal))}"

    assert title(unequal) == "replies differ"
    assert "3 items (1 missed, 1 duplicated, 1 wrong)" in text
    assert " ms" not in text
    assert "x less" not in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"verdict": "regressed", "before": 100.0, "after": 200.0}, "rises from 100 ms to 200 ms"),
        ({"verdict": "no change"}, "stays at"),
        ({"verdict": "unclear", "detectable": 0.3}, "proves nothing: changes under 30 % do not"),
    ],
)
def test_headlines_of_other_verdicts(
    faster: Result, changes: dict[str, object], words: str
) -> None:
    assert words in verdict_sentences(with_primary(faster, **changes))[0]


def test_without_any_pair_nothing_was_measured(faster: Result) -> None:
    nothing = with_comparison(faster, metrics=(), pairs=0)

    assert verdict_sentences(nothing)[0].startswith("Nothing was measured: ")
    assert "Same work" in failed_checks(nothing)


def test_what_contradicts_the_headline_is_told(faster: Result) -> None:
    metrics = tuple(
        replace(one, verdict="regressed", target_met="missed") if one.role == "work" else one
        for one in faster.comparison.metrics
    )
    text = " ".join(verdict_sentences(with_comparison(faster, metrics=metrics)))

    assert "Worse: items handled" in text
    assert "Target missed: items handled." in text


def test_confidence_falls_with_doubts(faster: Result) -> None:
    def trust(*codes: str) -> str:
        doubts = tuple(Doubt(code, "what", "remedy") for code in codes)
        made: Comparison = replace(faster.comparison, doubts=doubts)
        return confidence(made)

    assert [trust(), trust("A"), trust("A", "A"), trust("A", "B")] == [
        "high",
        "medium",
        "medium",
        "low",
    ]


def test_every_check_can_fail(faster: Result, unequal: Result) -> None:
    assert failed_checks(faster) == []
    assert "Same work" in failed_checks(unequal)
    assert failed_checks(with_comparison(faster, pairs=5)) == ["Pairs"]
    doubts = (Doubt("NoiseFloor", "w", "r"), Doubt("LateServer", "w", "r"))
    assert failed_checks(with_comparison(faster, doubts=doubts)) == ["Noise", "Schedule"]
    hook = replace(faster, method={**faster.method, "guard": "hook in the interpreter"})
    assert failed_checks(hook) == ["Guard"]
    escaped = replace(faster, runs=(replace(faster.runs[0], escapes=("evil.test",)),))
    assert failed_checks(escaped) == ["Guard"]
    missed = replace(faster, runs=(replace(faster.runs[0], misses=(Miss("GET x", ()),)),))
    assert failed_checks(missed) == ["Matching"]


def test_the_primary_metric_leads_and_costs_come_last(faster: Result) -> None:
    roles = [metric.role for metric in ordered_metrics(faster)]

    assert ordered_metrics(faster)[0].name == "item_latency_ms.p95"
    assert roles == sorted(roles, key=["speed", "work", "traffic", "cost"].index)


def test_small_words(faster: Result) -> None:
    assert lower_first("Item latency") == "item latency"
    assert lower_first("CPU time") == "CPU time"
    assert lower_first("WebSocket connects") == "WebSocket connects"
    assert coverage_of(faster) == "96.9 % interval"
    exact: tuple[MetricComparison, ...] = tuple(
        replace(one, confidence=1.0) for one in faster.comparison.metrics
    )
    assert coverage_of(with_comparison(faster, metrics=exact)) == "100 % interval"
