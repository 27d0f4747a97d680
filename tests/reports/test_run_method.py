from __future__ import annotations

from dataclasses import replace

from perfscan.replay.model import Result
from perfscan.reports.run_markdown import render_markdown
from perfscan.reports.run_method import limits, machine, method, reproduce
from perfscan.reports.run_terminal import render_terminal


def test_the_commands_repeat_what_was_asked(faster: Result) -> None:
    assert reproduce(faster)[0] == (
        "perfscan bench replay pool_alerts/scenario.yaml --pairs 6 --lanes 1 --seed 1 -o run.json"
    )
    asked = {"speed": 2.0, "until_s": 30.0, "after": "original", "lanes": 4}
    other = replace(faster, method={**faster.method, **asked})
    assert "--lanes 4 --seed 1 --speed 2 --until 30 --after original" in reproduce(other)[0]
    odd = replace(faster, scenario={**faster.scenario, "path": "my bot/$(x).yaml"})
    assert "'my bot/$(x).yaml'" in reproduce(odd)[0]


def test_a_comparison_of_stored_results_tells_how_it_was_made(faster: Result) -> None:
    sessions = [{"file": "a.json"}, {"file": "b c.json"}]
    how = {**faster.method, "sessions": sessions, "side": "original"}
    stored = replace(faster, method=how)
    assert reproduce(stored)[0] == (
        "perfscan bench compare --side original a.json 'b c.json' -o run.json"
    )
    assert "A B B A" not in " ".join(method(stored))
    assert "a.json → b c.json" in render_markdown(stored)
    controlled = replace(stored, method={**how, "control": "the original of each session"})
    for text in (render_markdown(controlled), render_terminal(controlled)):
        assert "against the original of its own session" in " ".join(text.split())


def test_a_comparison_of_commits_is_repeated_as_one(faster: Result) -> None:
    at_commits = replace(faster, method={**faster.method, "commits": ["main", "HEAD"]})
    assert reproduce(at_commits)[0] == (
        "perfscan bench compare --side optimized --commits main HEAD pool_alerts/scenario.yaml "
        "--pairs 6 -o run.json"
    )
    assert "main → HEAD" in render_markdown(at_commits)


def test_what_was_special_is_told(faster: Result) -> None:
    text = " ".join(method(replace(faster, method={"lanes": 4, "speed": 2.0})))

    assert "4 pairs side by side" in text
    assert "divided by 2" in text
    assert "A B B A" in " ".join(method(faster))


def test_injected_faults_are_told_and_repeated(faster: Result) -> None:
    disturbed = replace(faster, method={**faster.method, "faults": ["loss=5%", "stall=1%@a.b"]})

    assert "--fault loss=5% --fault stall=1%@a.b" in reproduce(disturbed)[0]
    assert any(
        "Faults, injected on purpose: loss=5%, stall=1%@a.b." in x for x in method(disturbed)
    )
    assert not any("Faults" in line for line in method(faster))


def test_limits_name_what_is_simulated_and_not_recorded(faster: Result) -> None:
    assert any(line.startswith("Simulated: The services") for line in limits(faster))
    bare = replace(faster, scenario={}, recording={"latency": "not recorded"})
    assert not any("Simulated" in line for line in limits(bare))
    assert "holds no delays" in limits(bare)[-1]


def test_an_unknown_machine_is_left_out(faster: Result) -> None:
    assert machine(replace(faster, environment={}, method={})) == []
    changed = {**faster.environment, "git": {"commit": "abc", "changed": True}}
    assert "with uncommitted changes" in machine(replace(faster, environment=changed))[-1]
