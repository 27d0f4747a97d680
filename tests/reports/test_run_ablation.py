from __future__ import annotations

from dataclasses import replace

from perfscan.replay.model import Ablation, Figure, MetricComparison, Result, SwitchEffect
from perfscan.reports.run_markdown import render_markdown
from perfscan.reports.run_terminal import render_terminal

HELPS = MetricComparison(
    *("item_latency_ms.p95", "ms", "lower", 1000.0, 500.0, 0.5, 0.48, 0.52, 0.969), "improved"
)
OPEN = replace(HELPS, verdict="unclear", detectable=0.2)
EFFECTS = (
    SwitchEffect("cache", "helps", "only with others", HELPS, OPEN, (HELPS,)),
    SwitchEffect("a|b <b>", "unclear", "", OPEN, None),
)


def ablated(result: Result) -> Result:
    return replace(result, ablation=Ablation(6, EFFECTS, ()))


def test_both_reports_tell_what_each_optimisation_brought(faster: Result) -> None:
    for text in (render_markdown(ablated(faster)), render_terminal(ablated(faster))):
        words = " ".join(text.split())
        assert "What each optimisation brought" in words
        assert "2.0x less" in words
        assert "only together with the others" in words
        assert "changes under 20 % do not show" in words
        assert "not measured" in words
        assert "6 whole rounds" in words
    assert r"| a\|b \<b> |" in render_markdown(ablated(faster)), "names cannot break the table"


def test_no_ablation_no_section(faster: Result, unequal: Result) -> None:
    assert "What each optimisation brought" not in render_markdown(faster)
    assert "What each optimisation brought" not in render_terminal(faster)
    assert "What each optimisation brought" not in render_markdown(ablated(unequal))


def test_one_side_alone_fits_a_terminal_and_says_nothing_twice(faster: Result) -> None:
    names = ("item_latency_ms.p95", "item_latency_all_ms.p95", "connections_opened_per_item")
    told = [
        Figure(
            *(name, "ms", "lower", 1812.0, 1800.0, 1840.0, 0.969, 6),
            label=f"Label of {name}",
            target=1000.0,
            target_met="not proven",
        )
        for name in names
    ]
    empty = replace(faster.comparison, metrics=(), claims=(), pairs=0, verdict="inconclusive")
    method = {**faster.method, "only": "optimized"}
    alone = replace(faster, comparison=empty, method=method, figures=tuple(told))
    text = render_terminal(alone)
    assert "Label of item_latency_ms" in text
    assert "Label of item_latency_all_ms" not in text
    assert "Label of connections_opened" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_one_side_alone_shows_its_figures_and_compares_nothing(faster: Result) -> None:
    figure = Figure(
        *("item_latency_ms.p95", "ms", "lower", 812.0, 800.0, 840.0, 0.969, 6),
        label="Item latency p95",
        target=1000.0,
        target_met="met",
    )
    empty = replace(faster.comparison, metrics=(), claims=(), pairs=0, verdict="inconclusive")
    alone = replace(
        faster,
        comparison=empty,
        method={**faster.method, "only": "optimized"},
        figures=(figure,),
    )
    for text in (render_markdown(alone), render_terminal(alone)):
        words = " ".join(text.split())
        assert "optimized alone, 1 of 1 targets met" in words
        assert "812 ms" in words
        assert "800 ms to 840 ms" in words
        assert "nothing is compared" in words
        assert "no pair of runs was completed" not in words
    assert "--only optimized" in render_markdown(alone)
