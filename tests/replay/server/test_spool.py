from __future__ import annotations

import errno
import os
import random
from typing import NoReturn

import pytest

from perfscan.errors import InputError
from perfscan.replay.server.spool import Spool


@pytest.mark.parametrize("ahead", [4, 64, 16 * 1024])
def test_what_is_kept_is_read_again_in_any_order(ahead: int) -> None:
    rng = random.Random(7)
    pieces = [rng.randbytes(rng.choice([0, 1, 60, 61, 200, 5000])) for _ in range(300)]
    spool = Spool(ahead)
    places = {spool.add(piece): piece for piece in pieces}
    assert [spool.read(place) for place in places] == pieces
    for place in rng.choices(list(places), k=500):
        assert spool.read(place) == places[place]


def test_reading_and_adding_take_turns() -> None:
    spool = Spool()
    first = spool.add(b"first")
    assert spool.read(first) == b"first"
    second = spool.add(b"second")
    assert (spool.read(second), spool.read(first)) == (b"second", b"first")


def test_large_pieces_are_written_and_read_whole() -> None:
    spool = Spool(ahead=1024)
    places = [spool.add(bytes([number]) * 3_000_000) for number in range(3)]
    assert [spool.read(place)[-1] for place in places] == [0, 1, 2]
    assert {len(spool.read(place)) for place in places} == {3_000_000}


def test_a_full_disk_is_an_error_that_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    spool = Spool()
    place = spool.add(b"x")
    with pytest.raises(InputError, match="No space left on device"):
        spool.read(place)
