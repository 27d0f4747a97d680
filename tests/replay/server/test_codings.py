"""Content codings: what client and server agree on, and that clients can read it."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfscan.replay.server import codings
from perfscan.replay.server.bounded import Bounded
from perfscan.replay.server.codings import agreed, available, encode


@pytest.mark.parametrize(
    ("encoding", "accepted", "used"),
    [
        ("gzip", "gzip, deflate", "gzip"),
        ("GZIP", "gzip", "gzip"),
        ("gzip", "", ""),
        ("gzip", "identity", ""),
        ("gzip", "gzip;q=0", ""),
        ("gzip", "gzip;q=0.000", ""),
        ("gzip", "deflate, gzip ; q=0.5", "gzip"),
        ("gzip", "*", "gzip"),
        ("gzip", "*;q=0, deflate", ""),
        ("x-gzip", "gzip", "x-gzip"),
        ("deflate", "gzip, deflate", "deflate"),
        ("compress", "compress", ""),
        ("", "gzip", ""),
        ("gzip, gzip", "gzip", ""),
    ],
)
def test_what_is_agreed_on(encoding: str, accepted: str, used: str) -> None:
    assert agreed(encoding, accepted) == used


@pytest.mark.parametrize("encoding", ["br", "zstd"])
def test_a_coding_that_is_not_installed_is_not_used(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "brotli", None)
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    available.cache_clear()
    try:
        assert agreed(encoding, "br, zstd") == ""
    finally:
        available.cache_clear()


@given(st.binary(max_size=200), st.lists(st.integers(0, 50), max_size=4))
def test_every_piece_can_be_read_when_it_has_come(body: bytes, sizes: list[int]) -> None:
    sizes = [*sizes, max(0, len(body) - sum(sizes))]
    for encoding, window in (("gzip", 31), ("deflate", 15)):
        reader, read, at = zlib.decompressobj(window), b"", 0
        for piece, size in zip(encode(encoding, body, tuple(sizes)), sizes, strict=True):
            read += reader.decompress(piece)
            at += size
            assert read == body[:at]
        assert reader.eof


def test_zstd_pieces_can_be_read_when_they_have_come() -> None:
    zstandard = pytest.importorskip("zstandard")
    reader, pieces = zstandard.ZstdDecompressor().decompressobj(), encode("zstd", b"abcdef", (2, 4))
    assert [reader.decompress(piece) for piece in pieces] == [b"ab", b"cdef"]


def test_brotli_pieces_can_be_read_when_they_have_come() -> None:
    brotli = pytest.importorskip("brotli")
    reader, pieces = brotli.Decompressor(), encode("br", b"abcdef", (2, 4))
    assert [reader.process(piece) for piece in pieces] == [b"ab", b"cdef"]


def test_bodies_that_were_coded_do_not_stay_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    small = Bounded[Any, Any](10_000)
    monkeypatch.setattr(codings, "_ENCODED", small)
    first = encode("gzip", b"a" * 3000)
    assert encode("gzip", b"a" * 3000) is first
    for letter in (b"b", b"c", b"d"):
        encode("gzip", letter * 3000)
    assert encode("gzip", b"a" * 3000) is not first
