"""How both sides fared under other circumstances, in both reports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from perfscan.replay.model import Doubt, Result, Run, SideFared, VariantOutcome
from perfscan.replay.result import decode_result, encode_result
from perfscan.reports.run_markdown import render_markdown
from perfscan.reports.run_method import reproduce
from perfscan.reports.run_terminal import render_terminal

WELL = SideFared(2, 0, 24, 24)
MISSED = SideFared(2, 0, 18, 24)
CRASHED = SideFared(2, 2, 3, 24, "the bot ended by itself (exit status 7)")


def outcome(result: Result, name: str, **changes: Any) -> VariantOutcome:
    comparison = replace(result.comparison, doubts=(), **changes.pop("comparison", {}))
    values: dict[str, Any] = {
        "sides": {"original": MISSED, "optimized": WELL},
        "runs": (),
        "title": name,
        **changes,
    }
    return VariantOutcome(
        name, faults=(), recording="t.jsonl", load=1.0, comparison=comparison, **values
    )


def varied(result: Result, *outcomes: VariantOutcome) -> Result:
    return replace(result, variants=outcomes, method={**result.method, "variant_pairs": 2})


def row(result: Result, *outcomes: VariantOutcome) -> list[str]:
    section = render_markdown(varied(result, *outcomes)).partition("### How each fared")[2]
    return [line for line in section.splitlines() if line.startswith("| ")][2]


def verdict(result: Result, one: VariantOutcome) -> str:
    return row(result, one).split(" | ")[-1].removesuffix(" |")


def test_a_row_tells_work_items_figures_and_verdict(faster: Result) -> None:
    cells = row(faster, outcome(faster, "bad|line")).strip("| ").split(" | ")
    assert cells[:3] == [r"bad\|line", "yes", "18 of 24 → 24 of 24"]
    assert "→" in cells[3]
    assert cells[4].startswith("0.1")
    assert cells[5:] == ["faster"]
    titled = row(faster, outcome(faster, "storm", title="Refusals"))
    assert titled.startswith("| storm: Refusals |")


def test_few_pairs_prove_nothing_but_all_went_one_way(faster: Result) -> None:
    few = {"verdict": "inconclusive", "pairs": 2}
    assert verdict(faster, outcome(faster, "a", comparison=few)) == "faster in each of 2 pairs"
    assert (
        verdict(faster, outcome(faster, "a", comparison={**few, "pairs": 1}))
        == "faster in the only pair"
    )
    primary = faster.scenario["primary"]
    metrics = tuple(
        replace(one, ci_low=0.9, ci_high=1.2) if one.name == primary else one
        for one in faster.comparison.metrics
    )
    both = outcome(faster, "a", comparison={**few, "metrics": metrics})
    assert verdict(faster, both) == "not the same in each of 2 pairs"
    nothing = outcome(faster, "a", comparison={**few, "metrics": ()})
    assert verdict(faster, nothing) == "nothing that both handled"
    text = render_terminal(varied(faster, both))
    assert "too few to prove a speed" in " ".join(text.split())


def test_different_work_has_no_speed(faster: Result, unequal: Result) -> None:
    other = replace(outcome(faster, "a"), comparison=replace(unequal.comparison, doubts=()))
    cells = row(faster, other).strip("| ").split(" | ")
    assert cells[1].startswith("no: 1 duplicated by optimized, 1 missed by optimized")
    assert cells[3:] == ["–", "–", "replies differ"]


def test_who_crashed_is_named_and_what_could_not_be_run(faster: Result) -> None:
    none = {"pairs": 0, "metrics": (), "verdict": "inconclusive"}
    sides = {"original": CRASHED, "optimized": WELL}
    crashed = outcome(faster, "storm", sides=sides, comparison=none)
    words = "original crashed: the bot ended by itself (exit status 7)"
    assert verdict(faster, crashed) == words
    assert "3 of 24 → 24 of 24 | – | –" in row(faster, crashed)
    once = {"original": replace(CRASHED, failed=1), "optimized": WELL}
    assert "original crashed in 1 of 2 runs: " in verdict(faster, outcome(faster, "a", sides=once))
    nothing = {"original": SideFared(0, 0, 0, 0), "optimized": SideFared(0, 0, 0, 0)}
    idle = outcome(faster, "a", sides=nothing, comparison=none)
    assert verdict(faster, idle) == "not run"
    broken = replace(idle, problem="no such program")
    assert verdict(faster, broken) == "could not be run: no such program"
    text = render_terminal(varied(faster, crashed, idle, broken))
    assert words in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80


def test_doubts_about_a_variant_stand_behind_its_verdict(faster: Result) -> None:
    late = replace(faster.comparison, doubts=(Doubt("LateServer", "what", "remedy"),))
    one = replace(outcome(faster, "a"), comparison=late)
    assert verdict(faster, one) == "faster; LateServer"


def test_no_variants_no_section_and_how_to_repeat_them(faster: Result) -> None:
    assert "How each fared" not in render_markdown(faster)
    assert "How each fared" not in render_terminal(faster)
    assert "--variant-pairs 2" in reproduce(varied(faster, outcome(faster, "a")))[0]
    alone = replace(faster, method={**faster.method, "variant": "bad line"})
    assert "--variant 'bad line'" in reproduce(alone)[0]


def test_outcomes_are_read_as_they_were_written(faster: Result, runs: tuple[Run, ...]) -> None:
    ordered = tuple(sorted(runs[:4], key=lambda run: (run.pair, run.slot)))
    kept = outcome(faster, "a", runs=ordered, problem="p")
    result = varied(faster, kept, outcome(faster, "b"))
    encoded = encode_result(result)
    assert encode_result(decode_result(encoded)) == encoded
    assert decode_result(encoded).variants[0].runs == ordered
    assert decode_result({**encoded, "variants": None}).variants == ()
