"""Recorded data as functions get it, and results taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfscan.errors import InputError
from perfscan.replay.compute.data import (
    parts,
    read_data,
    read_result_parts,
    rows,
    save_result,
    take,
)


@dataclass
class Bands:
    upper: list[float]
    lower: list[float]


def test_arrays_and_json_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(5))
    np.savez(tmp_path / "a.npz", x=np.arange(5), y=np.ones(5))
    (tmp_path / "a.json").write_text("[1, 2, 3]")
    assert rows(read_data(tmp_path / "a.npy")) == 5
    assert list(read_data(tmp_path / "a.npz")) == ["x", "y"]
    assert take(read_data(tmp_path / "a.json"), 2) == [1, 2]


def test_a_table_is_a_data_frame(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    (tmp_path / "a.csv").write_text("open,close\n1,2\n3,4\n")
    table = read_data(tmp_path / "a.csv")
    assert take(table, 1)["close"].tolist() == [2]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.npy", b"not numpy"), ("a.json", b"{"), ("a.json.gz", b"x"), ("a.txt", b"x")],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_data(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in caught.value.what


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(InputError, match="has 3 rows, the scenario asks for 1,000"):
        take([1, 2, 3], 1000)


def test_every_column_is_cut() -> None:
    cut = take({"x": [1, 2, 3], "y": [4, 5, 6]}, 2)
    assert cut == {"x": [1, 2], "y": [4, 5]}


@pytest.mark.parametrize(
    ("result", "names"),
    [
        (1.5, ["result"]),
        ([1.0, None, 3], ["result"]),
        (np.ones((2, 2)), ["result"]),
        ({"a": [1], "b": {"c": 2}}, ["result.a", "result.b.c"]),
        ((np.ones(2), np.zeros(3)), ["result[0]", "result[1]"]),
        (Bands([1.0], [2.0]), ["result.upper", "result.lower"]),
        (["buy", "sell"], ["result[0]", "result[1]"]),
        (None, ["result"]),
    ],
)
def test_results_of_any_kind_have_parts(result: Any, names: list[str], tmp_path: Path) -> None:
    assert [name for name, _ in parts(result)] == names
    save_result(result, tmp_path / "deep" / "r.npz")
    assert sorted(read_result_parts(tmp_path / "deep" / "r.npz")) == sorted(names)


def test_missing_values_are_kept() -> None:
    ((_, array),) = parts([1.0, None])
    assert np.isnan(array[1])


def test_a_data_frame_comes_apart_by_column() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2], "when": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    found = dict(parts(frame))
    assert found["result.a"].tolist() == [1, 2]
    assert found["result.when"].dtype.kind == "i"


def test_times_are_compared_to_the_nanosecond_whatever_their_unit() -> None:
    ((_, seconds),) = parts(np.array(["2026-01-01T00:00:01"], dtype="datetime64[s]"))
    ((_, nanoseconds),) = parts(np.array(["2026-01-01T00:00:01"], dtype="datetime64[ns]"))
    assert seconds.tolist() == nanoseconds.tolist() == [1_767_225_601_000_000_000]
