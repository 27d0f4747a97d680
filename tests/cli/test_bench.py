"""Words and exit codes of ``perfscan bench`` and ``perfscan demo``, without running a bot."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from perfscan.cli.bench_output import next_free, seconds_of, status_of, write_text
from perfscan.cli.main import execute
from perfscan.cli.status import Status
from perfscan.errors import InputError


@dataclass
class Metric:
    target_met: str | None = None


@dataclass
class Comparison:
    verdict: str
    metrics: tuple[Metric, ...] = ()


@dataclass
class Run:
    ok: bool


@dataclass
class Variant:
    comparison: Comparison


@dataclass
class Result:
    comparison: Comparison
    interrupted: bool = False
    method: dict[str, str] = field(default_factory=dict)
    figures: tuple[Metric, ...] = ()
    runs: tuple[Run, ...] = ()
    variants: tuple[Variant, ...] = ()


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        ("faster", Status.OK),
        ("no change found", Status.OK),
        ("slower", Status.FINDINGS),
        ("mixed", Status.FINDINGS),
        ("inconclusive", Status.INCONCLUSIVE),
        ("replies differ", Status.DIFFERENT_WORK),
    ],
)
def test_each_verdict_has_its_exit_code(verdict: str, status: Status) -> None:
    assert status_of(Result(Comparison(verdict)), None) == status


def test_different_work_in_a_variant_is_different_work() -> None:
    variants = (Variant(Comparison("inconclusive")), Variant(Comparison("slower")))
    assert status_of(Result(Comparison("faster"), variants=variants), None) == Status.OK
    other = (*variants, Variant(Comparison("replies differ")))
    assert status_of(Result(Comparison("faster"), variants=other), None) == Status.DIFFERENT_WORK


def test_a_missed_target_fails_a_faster_bot() -> None:
    missed = Comparison("faster", (Metric("met"), Metric("missed")))
    unproven = Comparison("faster", (Metric("met"), Metric("not proven")))
    assert status_of(Result(missed), None) == Status.FINDINGS
    assert status_of(Result(unproven), None) == Status.OK


def test_ci_may_choose_what_inconclusive_means() -> None:
    result = Result(Comparison("inconclusive"))
    assert status_of(result, "pass") == Status.OK
    assert status_of(result, "fail") == Status.FINDINGS
    assert status_of(Result(Comparison("replies differ")), "pass") == Status.DIFFERENT_WORK


@pytest.mark.parametrize(
    ("figures", "runs", "status"),
    [
        ((Metric("met"), Metric(None)), (Run(True),), Status.OK),
        ((Metric("not proven"),), (Run(True),), Status.OK),
        ((Metric("missed"),), (Run(True), Run(False)), Status.FINDINGS),
        ((Metric(None),), (Run(True), Run(False)), Status.INCONCLUSIVE),
        ((), (Run(False),), Status.INCONCLUSIVE),
    ],
)
def test_one_side_alone_is_judged_by_its_targets(
    figures: tuple[Metric, ...], runs: tuple[Run, ...], status: Status
) -> None:
    alone = Result(Comparison("inconclusive"), False, {"only": "original"}, figures, runs)
    assert status_of(alone, None) == status


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), (" 2 m", 120)]
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "0s", "10 days"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(InputError, match="not a duration"):
        seconds_of(text)


def test_interrupted_beats_every_verdict() -> None:
    assert status_of(Result(Comparison("faster"), interrupted=True), None) == Status.INTERRUPTED


def test_an_earlier_result_is_never_overwritten_unasked(tmp_path: Path) -> None:
    first = tmp_path / "run.json"
    assert next_free(first) == first
    first.write_text("{}")
    (tmp_path / "run-2.json").write_text("{}")
    assert next_free(first) == tmp_path / "run-3.json"


def test_a_report_in_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write the report"):
        write_text(tmp_path / "missing" / "report.md", "")


def test_a_report_may_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert write_text(Path("-"), "text") == []
    assert capsys.readouterr().out == "text"


def test_a_demo_that_finds_a_file_in_its_place_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("")
    assert execute(["demo", "-o", str(tmp_path / "taken")]) == Status.BAD_INPUT
    assert "cannot make this folder" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["replay", "calibrate"])
def test_a_bench_without_its_extra_is_one_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "perfscan.cli.bench_run", None)
    assert execute(["bench", command, "missing.yaml"]) == Status.BAD_INPUT
    assert "pip install 'perfscan[bench]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("bench", "replay", "missing.yaml"), "missing.yaml"),
        (("bench", "replay", "missing.yaml", "--inconclusive", "maybe"), "'pass' or 'fail'"),
        (("bench", "replay", "missing.yaml", "--pairs", "0"), "--pairs"),
        (("bench", "rpelay"), "rpelay"),
    ],
)
def test_wrong_words_are_one_line(
    words: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(list(words)) == Status.BAD_INPUT
    printed = capsys.readouterr()
    assert printed.out == ""
    assert expected in printed.err
    assert len(printed.err.splitlines()) <= 2
