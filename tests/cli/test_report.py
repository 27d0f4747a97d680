from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfscan.cli.main import execute
from perfscan.replay.model import Comparison, Equivalence, Result, SideWork
from perfscan.replay.result import dump_result, write_result

NOTHING = SideWork(0, 0, 0, 0)
RESULT = Result(
    scenario={"name": "empty", "primary": "item_latency_ms.p95"},
    environment={},
    recording={},
    method={},
    runs=(),
    comparison=Comparison(
        *(0, (), Equivalence(True, 0, NOTHING, NOTHING), (), {}, (), "inconclusive")
    ),
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "run.json"
    write_result(RESULT, path)
    return path


def test_markdown_is_the_default(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["report", "build", str(saved)]) == 0
    assert "## perfscan: inconclusive" in capsys.readouterr().out


def test_json_is_the_result_itself(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["report", "build", str(saved), "--format", "json"]) == 0
    assert capsys.readouterr().out == dump_result(RESULT)


def test_several_results(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["report", "build", str(saved), str(saved), "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert execute(["report", "build", str(saved), str(saved)]) == 0
    assert capsys.readouterr().out.count("## perfscan: inconclusive") == 2


def test_to_a_file(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.md"

    assert execute(["report", "build", str(saved), "-o", str(report)]) == 0
    assert report.read_text("utf-8").startswith("<!-- perfscan:report key=empty")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["gone.json"], "gone.json: no such file"),
        (["{saved}", "-o", "{folder}/gone/report.md"], "cannot write the report"),
        (["{saved}", "--format", "html"], "'html'"),
        ([], "Missing argument"),
    ],
)
def test_mistakes_are_one_clear_line(
    saved: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], what: str
) -> None:
    filled = [word.format(saved=saved, folder=saved.parent) for word in arguments]

    assert execute(["report", "build", *filled]) == 2
    error = capsys.readouterr().err
    assert what in error
    assert "Traceback" not in error
