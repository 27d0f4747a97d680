"""How a project takes perfscan up: configuration, ignores, baseline, and what a change brought."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perfscan.cli.main import execute
from perfscan.replay.model import Open, Recording, RecordingHeader, Request, Response
from perfscan.replay.recording import write_recording

SLEEPS = "import time\n\n\nasync def tick():\n    time.sleep(1)\n"
FETCHES = (
    "import requests\n\n\nasync def price():\n    return requests.get('https://a', timeout=5)\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()  # configurations above are no matter of this test
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bot.py").write_text(SLEEPS)
    return tmp_path


def scan(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    status = execute(["analyze", "--format", "json", *arguments])
    out, err = capsys.readouterr()
    return status, json.loads(out), err


def rules(document: Any) -> list[str]:
    return [finding["rule"] for finding in document["findings"]]


def test_the_configuration_is_found_and_options_go_before_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "perfscan.yaml").write_text("select: [PS101]\nfail-on: never\n")
    status, document, _ = scan(capsys)
    assert (status, rules(document)) == (0, [])
    status, document, _ = scan(capsys, "--select", "PS102", "--fail-on", "high")
    assert (status, rules(document)) == (1, ["PS102"])


def test_a_named_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "other.yaml").write_text("ignore: [PS102]\n")
    assert rules(scan(capsys, "--config", "other.yaml", "--select", "PS1")[1]) == []
    assert execute(["analyze", "--config", "absent.yaml"]) == 2
    assert "error: absent.yaml: no such file" in capsys.readouterr().err


def test_a_bad_configuration_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "perfscan.yaml").write_text("selct: [PS101]\n")
    assert execute(["analyze"]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 2)
    assert "perfscan.yaml: unknown key 'selct', did you mean 'select'?" in err


def test_rules_ignored_for_paths(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "perfscan.yaml").write_text("per-path-ignores: {bot.py: [PS102]}\n")
    status, document, _ = scan(capsys, "--select", "PS1")
    assert (status, document["findings"]) == (0, [])
    assert document["summary"]["withheld"] == {"path": 1}


def test_a_limit_of_a_rule(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bot.py").write_text("def f():\n" + "    print(1)\n" * 40)
    assert rules(scan(capsys, "--select", "PS1403")[1]) == []
    (folder / "perfscan.yaml").write_text("thresholds: {oversized-module: {statements: 39}}\n")
    assert rules(scan(capsys, "--select", "PS1403")[1]) == ["PS1403"]


def test_excluded_files_are_scanned_only_when_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "perfscan.yaml").write_text("exclude: [bot.py]\n")
    (folder / "old").mkdir()
    (folder / "old" / "bot2.py").write_text(SLEEPS)
    assert scan(capsys, "--exclude", "old/")[1]["summary"]["files"] == 0
    assert scan(capsys)[1]["summary"]["files"] == 1
    assert rules(scan(capsys, "--select", "PS1", "bot.py")[1]) == ["PS102"]


def test_what_blocks_in_the_house_is_found(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bot.py").write_text(
        "import house\n\nclient = house.Client()\n\n\nasync def tick():\n"
        "    house.fetch()\n    client.load()\n    house.quick()\n"
    )
    assert rules(scan(capsys, "--select", "PS1")[1]) == []
    (folder / "perfscan.yaml").write_text(
        "blocking:\n"
        "  - {call: house.fetch, instead: house.aio.fetch}\n"
        "  - {call: house.Client.load, cost: database}\n"
    )
    document = scan(capsys, "--select", "PS1")[1]
    assert [one["line"] for one in document["findings"]] == [7, 8]
    assert "house.aio.fetch" in document["findings"][0]["fix"]


def test_a_scanned_function_can_be_said_to_block(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "legacy.py").write_text(
        "import _native\n\n\nclass Desk:\n    def book(self):\n        _native.book()\n\n\n"
        "def fetch():\n    _native.fetch()\n\n\ndef look():\n    return 1\n"
    )
    (folder / "bot.py").write_text(
        "import legacy\n\ndesk = legacy.Desk()\n\n\ndef prices():\n    legacy.fetch()\n\n\n"
        "async def tick():\n    legacy.fetch()\n    legacy.look()\n    desk.book()\n    prices()\n"
    )
    assert rules(scan(capsys, "--select", "PS1")[1]) == []
    (folder / "perfscan.yaml").write_text(
        "blocking: [{call: legacy.fetch}, {call: legacy.Desk.book, cost: database}]\n"
    )
    document = scan(capsys, "--select", "PS1")[1]
    assert [one["line"] for one in document["findings"]] == [11, 13, 14]


def test_a_baseline_hides_what_it_accepts_and_names_what_is_gone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["analyze", "--select", "PS1", "--write-baseline", "accepted.json"]) == 0
    assert "accepted.json: 1 finding accepted" in capsys.readouterr().err
    (folder / "bot.py").write_text(f"# moved\n{SLEEPS}")
    (folder / "new.py").write_text(FETCHES)
    status, document, err = scan(capsys, "--select", "PS1", "--baseline", "accepted.json")
    assert (status, rules(document), err) == (1, ["PS101"], "")
    assert document["summary"]["withheld"] == {"baseline": 1}
    (folder / "bot.py").unlink()
    err = scan(capsys, "--select", "PS1", "--baseline", "accepted.json")[2]
    assert "stale: bot.py: PS102 in bot:tick is gone" in err
    assert "accepted.json: 1 stale entry" in err


def test_a_missing_baseline_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["analyze", "--baseline", "absent.json"]) == 2
    err = capsys.readouterr().err
    assert "absent.json: cannot be read" in err
    assert "help: make it with --write-baseline" in err


def test_unused_ignores_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bot.py").write_text(
        SLEEPS.replace("(1)", "(1)  # perfscan: ignore[PS102, PS101] once a day")
    )
    status, document, err = scan(capsys, "--select", "PS1")
    assert (status, rules(document)) == (0, [])
    assert document["ignored"][0]["reason"] == "once a day"
    assert document["unused_ignores"] == [{"path": "bot.py", "line": 5, "rules": ["PS101"]}]
    assert err == "warning: bot.py:5: `perfscan: ignore[PS101]` silences nothing; remove it\n"


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(folder: Path) -> Path:
    (folder / ".git").rmdir()
    (folder / "helper.py").write_text("def fetch():\n    return 1\n")
    (folder / "caller.py").write_text(
        "from helper import fetch\n\n\nasync def go():\n    fetch()\n"
    )
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "before")
    return folder


def test_only_what_the_change_brought(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rules(scan(capsys, "--select", "PS1", "--since", "main")[1]) == []
    (repository / "new.py").write_text(FETCHES)
    (repository / "bot.py").write_text(f"X = 1\n{SLEEPS}")
    _, document, _ = scan(capsys, "--select", "PS1", "--since", "main")
    assert [one["path"] for one in document["findings"]] == ["new.py"]
    assert document["summary"]["withheld"] == {"old": 1}


def test_a_change_elsewhere_may_bring_a_finding_here(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "helper.py").write_text(
        "import requests\n\n\ndef fetch():\n    return requests.get('https://a', timeout=5)\n"
    )
    _, document, _ = scan(capsys, "--select", "PS1", "--since", "HEAD")
    assert [(one["path"], one["rule"]) for one in document["findings"]] == [("caller.py", "PS104")]


def test_since_from_a_folder_and_for_a_named_file(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = repository / "inside"
    inside.mkdir()
    (inside / "late.py").write_text(SLEEPS)
    monkeypatch.chdir(inside)
    assert rules(scan(capsys, "--select", "PS1", "--since", "main")[1]) == ["PS102"]
    assert rules(scan(capsys, "--select", "PS1", "--since", "main", "../bot.py")[1]) == []


def test_since_an_unknown_revision(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["analyze", "--since", "nowhere"]) == 2
    assert "--since nowhere: the repository has no such revision" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("format", "begins"),
    [
        ("concise", "bot.py:5:5: PS102 critical"),
        ("json-lines", '{"column": 5'),
        ("sarif", '{\n "$schema"'),
        ("github", "::error file=bot.py,line=5"),
        ("gitlab", "[\n {"),
        ("junit", "<?xml"),
        ("markdown", "## perfscan: 1 finding (1 critical)"),
    ],
)
def test_every_format_prints_the_same_findings(
    format: str, begins: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["analyze", "--select", "PS1", "--format", format]) == 1
    first = capsys.readouterr().out
    assert first.startswith(begins)
    execute(["analyze", "--select", "PS1", "--format", format])
    assert capsys.readouterr().out == first


def test_places_in_machine_formats_count_from_the_repository(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = folder / "bots"
    inside.mkdir()
    (inside / "bot.py").write_text(SLEEPS)
    monkeypatch.chdir(inside)
    execute(["analyze", "--select", "PS1", "--format", "github"])
    assert "file=bots/bot.py," in capsys.readouterr().out


def test_findings_cost_what_the_recording_shows(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bot.py").write_text(FETCHES.replace("https://a", "https://api.example.org/v1/x"))
    events = (
        Open(1, 0, "https", "api.example.org", 443),
        Request(1, 1, 1_000_000, "GET", "/v1/x?full=1"),
        Response(1, 1, 121_000_000, 122_000_000, 200),
    )
    write_recording(Recording(RecordingHeader(), events), folder / "traffic.jsonl")
    _, document, _ = scan(capsys, "--select", "PS101", "--traffic", "traffic.jsonl")
    (finding,) = document["findings"]
    assert (finding["estimate"]["basis"], finding["estimate"]["median_ms"]) == ("recording", 120.0)
    _, document, _ = scan(capsys, "--select", "PS101")
    assert document["findings"][0]["estimate"]["basis"] == "cost class"


def test_heavy_imports_are_measured_on_request(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bot.py").write_text(
        "import rich.console\n\n\n"
        "def chart(values):\n    return rich.console.Console().print(values)\n\n\n"
        "def main():\n    print('up')\n\n\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    _, document, _ = scan(capsys, "--select", "PS1301")
    assert [one["estimate"] for one in document["findings"]] == [None]
    _, document, err = scan(capsys, "--select", "PS1301", "--measure-imports", sys.executable)
    (finding,) = document["findings"]
    assert (finding["estimate"]["basis"], finding["estimate"]["target"]) == ("import", "rich")
    assert finding["estimate"]["median_ms"] > 0
    assert err == ""
    assert execute(["analyze", "--select", "PS1301", "--measure-imports", "no/python"]) == 2
    assert "no/python: cannot be started" in capsys.readouterr().err


def test_a_recording_without_times_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    timeless = RecordingHeader(latency="not recorded")
    write_recording(Recording(timeless, ()), folder / "traffic.jsonl")
    assert execute(["analyze", "--traffic", "traffic.jsonl"]) == 2
    assert "traffic.jsonl: this recording holds no times" in capsys.readouterr().err
