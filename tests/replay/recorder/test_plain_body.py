"""Bodies lose their coding, headers and pieces follow."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest

from perfscan.replay.model import Headers
from perfscan.replay.recorder.plain_body import Plain, undo


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
        ("deflate, gzip", lambda body: gzip.compress(zlib.compress(body))),
        ("gzip", lambda body: gzip.compress(body[:3]) + gzip.compress(body[3:])),
    ],
)
def test_compressed_bodies_are_stored_as_the_application_sees_them(
    encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(b'{"a": 1}')
    headers = (("Content-Encoding", encoding), ("A", "b"), ("Content-Length", str(len(packed))))
    plain = undo(headers, packed)
    assert plain == Plain((("A", "b"), ("Content-Length", "8")), b'{"a": 1}', encoding.lower())


@pytest.mark.parametrize(
    ("module", "coding", "pack"),
    [
        ("brotli", "br", lambda module, body: module.compress(body)),
        ("zstandard", "zstd", lambda module, body: module.compress(body)),
    ],
)
def test_optional_codings_are_undone_where_they_are_installed(
    module: str, coding: str, pack: Callable[..., bytes]
) -> None:
    packer = pytest.importorskip(module)
    packed = pack(packer, b"text " * 50)
    assert undo((("Content-Encoding", coding),), packed).body == b"text " * 50
    damaged = undo((("Content-Encoding", coding),), b"\xff" + packed)
    assert (damaged.body, damaged.opaque) == (b"\xff" + packed, True)


def test_what_cannot_be_undone_stays_as_it_was_sent_and_is_told() -> None:
    for encoding in ("unheard-of", "gzip"):
        headers: Headers = (("Content-Encoding", encoding), ("Content-Length", "3"))
        assert undo(headers, b"abc") == Plain(headers, b"abc", opaque=True)
    cut_short = gzip.compress(b"abc" * 100)[:-9]
    assert undo((("Content-Encoding", "gzip"),), cut_short).opaque
    head = (("Content-Encoding", "gzip"), ("Content-Length", "99"))
    assert undo(head, b"") == Plain(head, b"")
    assert undo((("Content-Encoding", "identity"),), b"abc").encoding == ""


def test_a_chunked_body_gets_a_length() -> None:
    headers = (("Transfer-Encoding", "chunked"),)
    assert undo(headers, b"abc") == Plain((("Content-Length", "3"),), b"abc")


def test_pieces_are_counted_in_the_bytes_that_the_application_sees() -> None:
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b"a" * 1000) + packer.flush(zlib.Z_SYNC_FLUSH)
    last = packer.compress(b"b" * 500) + packer.flush()
    headers = (("Content-Encoding", "gzip"),)
    pieces = ((0, len(first)), (7, len(last)))
    plain = undo(headers, first + last, pieces)
    assert plain.body == b"a" * 1000 + b"b" * 500
    assert plain.pieces == ((0, 1000), (7, 500))
    assert undo((), b"abcd", ((0, 3), (9, 1))).pieces == ((0, 3), (9, 1))


def test_a_body_that_was_left_is_kept_as_far_as_it_came() -> None:
    headers = (("Content-Length", "9"),)
    assert undo(headers, b"abc", cut=True) == Plain((("Content-Length", "3"),), b"abc")
    packed = gzip.compress(b"x" * 5000, 0)
    plain = undo((("Content-Encoding", "gzip"),), packed[:3000], cut=True)
    assert plain.encoding == "gzip"
    assert plain.body.startswith(b"xxx")
