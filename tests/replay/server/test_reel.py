from __future__ import annotations

import errno
import tempfile

import pytest

from perfscan.errors import InputError
from perfscan.replay.server import reel
from perfscan.replay.server.reel import Reel


def test_what_was_added_is_read_over_its_boundaries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reel, "FLUSHED_AT", 10)
    one = Reel()
    begins = [one.add(f"{number:04}".encode()) for number in range(20)]
    assert begins == list(range(0, 80, 4))
    assert one.end == 80
    assert one.read(4, 12) == b"00010002"
    assert one.read(76, 80) == b"0019"
    one.add(b"more")
    assert one.read(76, 84) == b"0019more"


def test_no_temporary_folder_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match="temporary files cannot be written: No usable"):
        Reel()
