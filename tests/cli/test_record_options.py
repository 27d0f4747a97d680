"""The options of ``perfscan record``, without running a bot."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfscan.cli.main import execute


@pytest.mark.parametrize(
    "words",
    [
        ["--map", "api.example.com", "--", "true"],
        ["--map", "=127.0.0.1:1", "--", "true"],
        ["--map", "api.example.com=127.0.0.1", "--", "true"],
        ["--map", "api.example.com:x=127.0.0.1:1", "--", "true"],
        ["--map", "api.example.com=127.0.0.1:\u00b2", "--", "true"],
        ["--map", "api.example.com=127.0.0.1:70000", "--", "true"],
        ["--inbound", "x", "--", "true"],
        ["--inbound", "9000=", "--", "true"],
        ["--inbound", "9000=70000", "--", "true"],
        ["--inbound", "192.0.2.1:9000=8080", "--", "true"],
        ["--upstream-ca", "absent.pem", "--", "true"],
        ["--", "no-such-command-anywhere"],
    ],
)
def test_wrong_use_is_one_clear_line(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["record", "-o", str(tmp_path / "t.jsonl"), *words]) == 2
    error, *rest = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert len(rest) == 1


def test_a_recording_cannot_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["record", "-o", "-", "--", "true"]) == 2
    assert "standard output" in capsys.readouterr().err


def test_an_unwritable_target_is_reported_before_the_bot_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "absent" / "t.jsonl"
    marker = tmp_path / "started"
    assert execute(["record", "-o", str(target), "--", "touch", str(marker)]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert not marker.exists()
