"""JSON Lines: the format of ``perfscan record``, which keeps everything."""

from __future__ import annotations

from pathlib import Path

from perfscan.replay.model import Recording
from perfscan.replay.recording import write_recording

NAME = "jsonl"
SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")


def write(recording: Recording, path: Path) -> None:
    """Write ``recording``, compressed as the suffix says; raises InputError."""
    write_recording(recording, path)
