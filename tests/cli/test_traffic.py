"""``perfscan traffic`` on good and bad files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfscan.cli.main import execute
from perfscan.cli.traffic_view import shortened
from perfscan.replay.recording import read_recording

HAR = Path(__file__).resolve().parents[2] / "fixtures/importers/har/mitmproxy_websocket.har"
KEY = "VCXCEuvhGcBDP7XhiJJUDvR1e1D3eiVjgZ9VRiaV"


def test_show_fits_80_columns_and_keeps_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["traffic", "show", str(HAR)]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines()[1:])) <= 80
    assert "14 events in 44.1 s: 0 requests, 5 WebSocket messages" in out
    assert KEY[-6:] not in out


def test_show_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["traffic", "show", str(HAR), "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "perfscan.traffic/1"
    assert document["messages"] == 5
    assert [stream["sessions"] for stream in document["streams"]] == [1, 2]
    assert KEY not in json.dumps(document)


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz", "t.jsonl.zst"])
def test_convert_takes_secrets_out(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    assert execute(["traffic", "convert", str(HAR), "-o", str(target)]) == 0
    recording = read_recording(target)
    assert KEY not in repr(recording)
    assert recording.header.redacted
    assert len(recording.events) == len(read_recording(HAR).events)
    assert execute(["traffic", "check", str(target)]) == 0


def test_convert_keeps_secrets_only_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "t.jsonl"
    assert execute(["traffic", "convert", str(HAR), "-o", str(target), "--no-redact"]) == 0
    assert KEY in target.read_text()
    assert "warning: secrets are kept" in capsys.readouterr().err


def test_redact_takes_out_values_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "Unknown api key")
    target = tmp_path / "t.jsonl"
    assert execute(["traffic", "redact", str(HAR), "-o", str(target)]) == 0
    assert "Unknown api key" not in target.read_text()


def test_a_secret_in_a_host_name_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "piesocket")
    target = tmp_path / "t.jsonl"
    assert execute(["traffic", "convert", str(HAR), "-o", str(target)]) == 2
    assert "$SOME_TOKEN is still in" in capsys.readouterr().err
    assert not target.exists()


@pytest.mark.parametrize("command", ["show", "check", "convert"])
@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"127.0.0.1 localhost\n", b'{"log": {'])
def test_a_file_that_is_no_recording_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, content: bytes
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    options = ["-o", str(tmp_path / "o.jsonl")] if command == "convert" else []
    assert execute(["traffic", command, str(path), *options]) == 2
    error, *help_ = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {path}: ")
    assert len(help_) == 1
    assert not (tmp_path / "o.jsonl").exists()


def test_a_wrong_suffix_is_refused(tmp_path: Path) -> None:
    assert execute(["traffic", "convert", str(HAR), "-o", str(tmp_path / "t.txt")]) == 2


def test_a_cut_recording_is_usable_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "t.jsonl"
    execute(["traffic", "convert", str(HAR), "-o", str(target)])
    target.write_bytes(target.read_bytes()[:-300])
    assert execute(["traffic", "check", str(target)]) == 0
    assert "cut off" in capsys.readouterr().out
    execute(["traffic", "show", str(target)])
    assert "cut off" in capsys.readouterr().out


def test_long_names_lose_their_middle() -> None:
    assert shortened("abcdefghij", 5) == "ab…ij"
    assert shortened("abcde", 5) == "abcde"
    assert "\x1b" not in shortened("a\x1b[31mb", 20)


GOREPLAY = HAR.parents[1] / "goreplay" / "requests.gor"


def test_convert_writes_archives_without_secrets(tmp_path: Path) -> None:
    target = tmp_path / "t.har"
    assert execute(["traffic", "convert", str(HAR), "-o", str(target)]) == 0
    assert KEY not in target.read_text()
    assert len(read_recording(target).events) == len(read_recording(HAR).events)
    plain = tmp_path / "copy"
    assert execute(["traffic", "redact", str(HAR), "-o", str(plain), "--to", "jsonl"]) == 0
    assert read_recording(plain).format == "perfscan JSONL"


def test_show_tells_the_format_and_what_came_to_the_bot(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert execute(["traffic", "show", str(GOREPLAY)]) == 0
    out = capsys.readouterr().out
    assert "format: GoReplay capture" in out
    assert "3 requests to the bot" in out
    assert "POST bot.example/webhook/telegram" in out
    assert execute(["traffic", "show", str(GOREPLAY), "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [load["requests"] for load in document["inbound"]] == [1, 1, 1]
    assert document["requests"] == 0


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf"])
def test_a_speed_that_is_none_is_one_line(speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["traffic", "serve", str(HAR), f"--speed={speed}"]) == 2
    assert "error: --speed: the speed must be a number above 0" in capsys.readouterr().err
