from __future__ import annotations

import pytest

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
