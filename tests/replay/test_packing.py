"""Compressed recordings: readable while they grow, after a cut and in several parts."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest
import zstandard

from perfscan.errors import InputError, MissingExtraError
from perfscan.replay.packing import packer, unpacked

TEXT = b"".join(b"line %d of a recording that compresses well\n" % number for number in range(2000))


def packed(name: str, *texts: bytes) -> bytes:
    pack = zstandard.ZstdCompressor().compress if name.endswith("zst") else gzip.compress
    return b"".join(map(pack, texts))


@pytest.mark.parametrize("name", ["t.gz", "t.zst"])
def test_several_parts_in_a_row_are_one_text(name: str) -> None:
    assert unpacked(packed(name, TEXT, b"more\n"), Path(name)) == TEXT + b"more\n"


@pytest.mark.parametrize("name", ["t.gz", "t.zst"])
def test_what_was_flushed_is_readable_at_once_and_after_a_kill(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        packing = packer(file, path)
        assert packing is not None
        packing.write(TEXT)
        packing.flush()
        file.flush()
        assert unpacked(path.read_bytes(), path) == TEXT
        packing.write(b"the end\n")
        packing.close()
    assert unpacked(path.read_bytes(), path) == TEXT + b"the end\n"
    assert len(path.read_bytes()) < len(TEXT) / 4


@pytest.mark.parametrize("name", ["t.gz", "t.zst"])
def test_a_cut_file_is_read_up_to_the_cut(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        packing = packer(file, path)
        assert packing is not None
        for line in TEXT.splitlines(keepends=True):
            packing.write(line)
            packing.flush()
        packing.close()
    half = path.read_bytes()[: path.stat().st_size // 2]
    found = unpacked(half, path)
    assert 1000 < len(found) < len(TEXT)
    assert TEXT.startswith(found)


@pytest.mark.parametrize("raw", [b"\x1f\x8bnot gzip", b"\x28\xb5\x2f\xfdnot Zstandard"])
def test_damage_is_one_clear_line(raw: bytes) -> None:
    with pytest.raises(InputError, match=r"damaged (gzip|Zstandard) data"):
        unpacked(raw, Path("t"))


def test_plain_files_stay_plain(tmp_path: Path) -> None:
    assert unpacked(TEXT, Path("t.gz")) is TEXT
    with (tmp_path / "t.jsonl").open("wb") as file:
        assert packer(file, tmp_path / "t.jsonl") is None


def test_zstandard_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingExtraError, match="Zstandard"):
        unpacked(packed("t.zst", TEXT), Path("t.zst"))
