from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfscan.reports.line_hash import line_hashes

VECTORS = Path(__file__).parents[2] / "fixtures" / "schemas" / "github-line-hash.json"


@pytest.mark.parametrize("case", json.loads(VECTORS.read_text("utf-8"))["cases"])
def test_the_values_of_github(case: dict[str, str]) -> None:
    lines = case["input"].replace("\r\n", "\n").split("\n")
    assert list(line_hashes(lines)) == list(case["hashes"])


def test_only_the_next_hundred_units_count() -> None:
    start = ["x = 1"] + ["y = 2"] * 40
    assert line_hashes([*start, "one"])[0] == line_hashes([*start, "two"])[0]
    assert line_hashes(["x = 1", "one"])[0] != line_hashes(["x = 1", "two"])[0]


def test_text_beyond_the_basic_plane_and_bytes_that_are_no_text() -> None:
    assert len(set(line_hashes(["a = '😀'", "b = '\udce9'", ""]))) == 3
