"""What passes is numbered, dated, redacted and written as it happens."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.model import Failure, Message, Open, RecordingHeader
from perfscan.replay.recorder.capture import Capture
from perfscan.replay.recording import RecordingWriter, read_recording
from perfscan.replay.redaction import Redactor


def capture(path: Path, **secrets: str) -> Capture:
    ticks = count(1000, 5)
    writer = RecordingWriter(path, RecordingHeader())
    return Capture(writer, Redactor(secrets, b"salt"), lambda: next(ticks))


def test_time_counts_from_the_beginning_and_numbers_from_one(tmp_path: Path) -> None:
    taken = capture(tmp_path / "t.jsonl")
    assert (taken.now(), taken.now()) == (5, 10)
    assert (taken.connection(), taken.connection(), taken.exchange()) == (1, 2, 1)
    taken.finish()


def test_events_are_on_disk_at_once_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    taken = capture(path, API_KEY="very-secret-value")
    taken.add(Open(1, 0, "https", "api.example.com", 443))
    taken.add(Open(2, 0, "http", "users.come.here", 9000, inbound=True))
    taken.add(Message(1, 1, "received", "very-secret-value", heard=False))
    taken.add(Failure(1, 2, "reset"))
    assert len(read_recording(path).events) == 4
    taken.opaque = 2
    taken.finish()
    recording = read_recording(path)
    assert "very-secret" not in path.read_text()
    assert recording.header.redacted == {"value": 1}
    assert recording.header.notes == (
        "2 of the bodies are stored as sent and not searched for secrets, since their content "
        "coding is not known here (br needs brotli, zstd zstandard)",
        "1 of the messages arrived while the bot was away or busy (heard=false)",
    )
    assert taken.hosts == {"api.example.com"}
    assert (taken.counts["open"], taken.failures["reset"]) == (2, 1)


def test_after_a_refusal_the_file_is_gone_and_stays_gone(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    taken = capture(path, NODE_KEY="my-own-node")
    taken.add(Open(1, 0, "https", "api.example.com", 443))
    taken.add(Open(2, 0, "https", "my-own-node.example.com", 443))
    taken.add(Open(3, 0, "https", "api.example.com", 443))
    taken.finish()
    assert taken.refused is not None
    assert not path.exists()


def test_a_full_disk_keeps_what_was_written_and_ends_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.jsonl"

    def full(writer: RecordingWriter, event: object) -> None:
        raise InputError("cannot be written: No space left on device")

    with RecordingWriter(path, RecordingHeader()) as writer:
        taken = Capture(writer, None)
        taken.add(Open(1, 0, "https", "api.example.com", 443))
        monkeypatch.setattr(RecordingWriter, "append", full)
        taken.add(Failure(1, 1, "reset"))
        monkeypatch.undo()
        taken.add(Failure(1, 2, "reset"))
        taken.finish()
    assert taken.refused is not None
    assert taken.counts == {"open": 1}
    assert len(read_recording(path).events) == 1
