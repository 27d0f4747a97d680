from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perfscan.cli.main import execute

BLOCKING = (
    "import requests\n\n\nasync def on_price():\n    return requests.get('https://a', timeout=5)\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def scan_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    status = execute(["analyze", "--format", "json", *arguments])
    return status, json.loads(capsys.readouterr().out)


def test_a_clean_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bot.py").write_text("x = 1\n")
    assert execute(["analyze"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("No findings in 1 file (1 line)")
    assert err == ""


def test_findings_and_their_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bot.py").write_text(BLOCKING)
    status, document = scan_json(capsys, "--select", "PS101", ".")
    (finding,) = document["findings"]
    assert status == 1
    place = {key: finding[key] for key in ("path", "line", "column", "end_line", "symbol")}
    assert place == {
        "path": "bot.py",
        "line": 5,
        "column": 12,
        "end_line": 5,
        "symbol": "bot:on_price",
    }
    assert document["root"] == str(folder)


def test_the_text_shows_the_source(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bot.py").write_text(BLOCKING)
    execute(["analyze", "--select", "PS101"])
    out = capsys.readouterr().out
    assert "5 |     return requests.get('https://a', timeout=5)\n  |            ^^^^" in out
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("fail_on", "status"), [("critical", 1), ("high", 1), ("info", 1), ("never", 0)]
)
def test_fail_on(folder: Path, fail_on: str, status: int) -> None:
    (folder / "bot.py").write_text(BLOCKING)
    assert execute(["analyze", "--select", "PS101", "--fail-on", fail_on]) == status


def test_findings_below_the_limit_do_not_fail(folder: Path) -> None:
    (folder / "test_bot.py").write_text(BLOCKING)  # tests count as informational
    assert execute(["analyze", "--select", "PS101"]) == 0
    assert execute(["analyze", "--select", "PS101", "--fail-on", "info"]) == 1


def test_a_missing_path(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "monitor.py").write_text("")
    assert execute(["analyze", "moniter.py"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: moniter.py: no such file or folder\n  help: did you mean")
    assert "monitor.py" in err


@pytest.mark.parametrize(
    ("source", "line", "complaint"),
    [
        (b"x = 1\ny = '\0'\n", 2, "NUL bytes"),
        (b"x = 1\nprint 'hello'\n", 2, "not valid Python 3"),
        (b"\n\n\nx = '\xff'\n", 4, "not valid utf-8"),
    ],
)
def test_unreadable_files_never_hide_the_findings_of_others(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    source: bytes,
    line: int,
    complaint: str,
) -> None:
    (folder / "bad.py").write_bytes(source)
    (folder / "bot.py").write_text(BLOCKING)
    status = execute(["analyze", "--format", "json", "--select", "PS101", "."])
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert status == 1
    assert len(document["findings"]) == 1
    (error,) = document["errors"]
    assert (error["path"], error["line"]) == ("bad.py", line)
    assert complaint in error["message"]
    assert err.startswith(f"warning: bad.py:{line}: ")

    status = execute(["analyze", "--format", "json", "--select", "PS101", "bad.py", "bot.py"])
    out, err = capsys.readouterr()
    assert status == 2  # it was named
    assert len(json.loads(out)["findings"]) == 1
    assert err.startswith(f"error: bad.py:{line}: ")


def test_an_empty_folder_is_not_mistaken_for_a_clean_bot(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["analyze"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("No findings in 0 files")
    assert "no Python file" in err


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_an_unknown_rule(folder: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert execute(["analyze", option, "blocking-slep"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "did you mean PS102 (blocking-sleep)?" in err


def test_unknown_options_and_formats(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["analyze", "--format", "yaml"]) == 2
    assert execute(["analyze", "--fail-on", "never-ever"]) == 2
    assert capsys.readouterr().err.count("error:") == 2


def test_suppression(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = BLOCKING.replace("timeout=5)", "timeout=5)  # perfscan: ignore[PS101] start-up")
    (folder / "bot.py").write_text(source)
    status, document = scan_json(capsys, "--select", "PS101")
    assert (status, document["findings"], document["summary"]["suppressed"]) == (0, [], 1)


def test_a_misspelt_suppression_is_reported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bot.py").write_text("x = 1  # perfscan: ignore[PS9999]\n")
    status = execute(["analyze"])
    assert status == 0
    assert "warning: bot.py:1: `perfscan: ignore` names unknown rules" in capsys.readouterr().err


def test_two_runs_print_the_same_bytes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(5):
        (folder / f"bot{number}.py").write_text(BLOCKING * 2)
    documents = [scan_json(capsys)[1] for _ in range(2)]
    for document in documents:
        assert document["summary"].pop("seconds") >= 0
    assert [document["summary"].pop("cached_files") for document in documents] == [0, 5]
    assert documents[0] == documents[1]
    assert list(documents[0]) == list(documents[1])


def test_output_to_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bot.py").write_text(BLOCKING)
    assert execute(["analyze", "--format", "json", "-o", "out.json"]) == 1
    assert capsys.readouterr().out == ""
    assert json.loads((folder / "out.json").read_text())["schema"] == "perfscan.findings/1"


def test_output_that_cannot_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["analyze", "-o", "no/such/folder.json"]) == 2
    assert "error: no/such/folder.json: cannot be written" in capsys.readouterr().err


def test_quiet_is_one_line_a_finding_and_nothing_when_clean(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bot.py").write_text(BLOCKING)
    execute(["analyze", "-q", "--select", "PS101"])
    assert capsys.readouterr().out.startswith("bot.py:5:12: PS101 critical ")
    execute(["analyze", "-q", "--ignore", "PS"])
    assert capsys.readouterr().out == ""


def test_an_ascii_terminal_and_hostile_source(tmp_path: Path) -> None:
    source = BLOCKING.replace("https://a", "https://価格\x1b[31m")
    (tmp_path / "bot.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "perfscan", "analyze", str(tmp_path), "--select", "PS101"],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1
    assert rb"\u4fa1\u683c\x1b[31m" in done.stdout
    assert b"\x1b" not in done.stdout
    assert done.stderr == b""


@pytest.mark.parametrize("command", ["analyze", "rules"])
def test_help_has_a_working_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([command, "--help"]) == 0
    assert f"perfscan {command} " in capsys.readouterr().out.partition("Example:")[2]


def test_help_loads_no_analyser() -> None:
    heavy = "yaml pathspec perfscan.analyzers.engine rich"
    code = (
        "import sys; from perfscan.cli.main import execute; execute(['--help']); "
        f"print([name for name in {heavy.split()!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("terminal", "environment", "colour"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
        (False, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    environment: dict[str, str],
    colour: bool,
) -> None:
    for name in ("NO_COLOR", "TERM", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    (folder / "bot.py").write_text(BLOCKING)
    execute(["analyze", "--select", "PS101"])
    assert ("\x1b[" in capsys.readouterr().out) is colour
