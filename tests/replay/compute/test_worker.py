"""What the worker does with a function, called within this process."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfscan.replay.compute import worker
from perfscan.replay.compute.data import read_result_parts

MODULE = """
calls = []

def double(values, factor=2):
    calls.append(len(values))
    values *= factor          # a function that changes what it was given
    return values

def fails(values):
    raise ValueError("no data\\nat all")

class Indicator:
    def __init__(self):
        self.factor = 3
    def triple(self, values):
        return values * self.factor

number = 5
"""


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    (tmp_path / "indicators.py").write_text(MODULE)
    np.save(tmp_path / "data.npy", np.arange(1.0, 11.0))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield {
        "function": "indicators:double",
        "arguments": {},
        "data": str(tmp_path / "data.npy"),
        "sizes": [4, 10],
        "repeat_s": 1e-9,
        "results": str(tmp_path / "results"),
        "answer": str(tmp_path / "answer.json"),
    }
    sys.modules.pop("indicators", None)


def carry_out(order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    file = Path(order["answer"]).with_name("order.json")
    file.write_text(json.dumps(order))
    status = worker.main(str(file))
    return status, json.loads(Path(order["answer"]).read_text())


def test_every_call_gets_its_own_data(order: dict[str, Any]) -> None:
    status, answer = carry_out(order)
    assert status == 0
    assert list(answer["sizes"]) == ["4", "10"]
    found = read_result_parts(Path(order["results"]) / "4.npz")["result"]
    assert found.tolist() == [2.0, 4.0, 6.0, 8.0]
    # one first call, at least five timed ones, one for the memory
    assert sys.modules["indicators"].calls.count(4) >= 7


def test_arguments_are_handed_over(order: dict[str, Any]) -> None:
    carry_out({**order, "arguments": {"factor": 10}, "sizes": [2]})
    found = read_result_parts(Path(order["results"]) / "2.npz")["result"]
    assert found.tolist() == [10.0, 20.0]


def test_no_size_means_all_rows(order: dict[str, Any]) -> None:
    _, answer = carry_out({**order, "sizes": [0]})
    assert list(answer["sizes"]) == ["0"]
    assert len(read_result_parts(Path(order["results"]) / "0.npz")["result"]) == 10


def test_methods_of_classes_can_be_named(order: dict[str, Any]) -> None:
    status, _ = carry_out({**order, "function": "indicators:Indicator.triple", "sizes": [1]})
    assert status == 0
    assert read_result_parts(Path(order["results"]) / "1.npz")["result"].tolist() == [3.0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"function": "indicators:fails"}, "ValueError: no data"),
        ({"function": "indicators:nothing"}, "AttributeError"),
        ({"function": "indicators:number"}, "TypeError: indicators:number is not callable"),
        ({"function": "nowhere:f"}, "ModuleNotFoundError"),
        ({"arguments": {"wrong": 1}}, "TypeError"),
        ({"sizes": [11]}, "the data has 10 rows, the scenario asks for 11"),
    ],
)
def test_a_failure_is_one_line(order: dict[str, Any], change: dict[str, Any], told: str) -> None:
    status, answer = carry_out({**order, **change})
    assert status == 1
    assert told in answer["problem"]
    assert "\n" not in answer["problem"]


def test_memory_is_that_of_one_call(order: dict[str, Any]) -> None:
    data = Path(order["data"])
    np.save(data, np.ones(1_000_000))
    _, answer = carry_out(
        {**order, "function": "indicators:Indicator.triple", "sizes": [1_000_000]}
    )
    # The result is 8 MB; the data was there before.
    assert 7.9 < answer["sizes"]["1000000"]["peak_mb"] < 9
