"""Equality within a tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from perfscan.replay.compute.equality import difference

NAN = float("nan")


def compare(expected: Any, found: Any, tolerance: float = 1e-9) -> str | None:
    return difference({"r": np.asarray(expected)}, {"r": np.asarray(found)}, tolerance)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ([1.0, NAN, 3.0], [1.0, NAN, 3.0]),
        ([1.0], [1.0 + 1e-10]),
        ([1e12], [1e12 + 100]),  # 1e-10 of it
        ([float("inf")], [float("inf")]),
        ([1, 2], [1.0, 2.0]),
        ([True, False], [1, 0]),
        (["a"], ["a"]),
        ([], []),
    ],
)
def test_equal(expected: Any, found: Any) -> None:
    assert compare(expected, found) is None


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        ([1.0, 2.0], [1.0, 2.1], "r[1] is 2.1, expected 2.0"),
        ([1.0, NAN], [1.0, 0.0], "r[1] is 0.0, expected nan"),
        ([0.0], [NAN], "r[0] is nan, expected 0.0"),
        ([1.0, 1.0, 1.0], [2.0, 2.0, 2.0], "r[0] is 2.0, expected 1.0, and 2 more values"),
        ([1.0], [1.0, 2.0], "r has shape (2,), expected (1,)"),
        ([1_790_000_000_000], [1_790_000_000_999], "r[0] is 1790000000999, expected 1790000000000"),
        (["a"], ["b"], "r[0] is b, expected a"),
        (3.0, 4.0, "r is 4.0, expected 3.0"),
        ([[1.0, 2.0]], [[1.0, 5.0]], "r[0, 1] is 5.0, expected 2.0"),
    ],
)
def test_the_first_difference_is_named(expected: Any, found: Any, told: str) -> None:
    assert compare(expected, found) == told


def test_the_tolerance_counts() -> None:
    assert compare([1.0], [1.01]) is not None
    assert compare([1.0], [1.01], tolerance=0.02) is None


def test_a_missing_part_is_a_difference() -> None:
    array = np.ones(1)
    assert difference({"a": array, "b": array}, {"a": array}, 1e-9) == "b is missing"
    assert difference({"a": array}, {"a": array, "c": array}, 1e-9) == "c is new"
